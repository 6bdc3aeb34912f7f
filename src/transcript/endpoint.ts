/**
 * Finds where speech begins and ends, frame by frame, from the energy of the audio or the model's own voice activity.
 * All positions are samples at 16 kHz of the recording.
 */
export interface EndpointRules {
  /** RMS level 0–1 from which a frame counts as speech; null: use the model's voice activity. */
  vadThreshold: number | null;
  silenceSamples: number;
}

/** A single loud frame is a click, not speech. */
const FRAMES_TO_START = 2;
/** RMS threshold for a model without voice activity. */
const DEFAULT_RMS = 0.01;

export type SpeechChange = 'started' | 'ended' | null;

export interface EndpointerState {
  readonly speaking: boolean;
  readonly speechStart: number;
  readonly speechEnd: number;
  readonly run: number;
}

export class Endpointer {
  speaking = false;
  /** Where the current speech began, and where the last speech frame ended. */
  speechStart = 0;
  speechEnd = 0;
  private run = 0;
  private readonly modelThreshold: number;
  private readonly rules: EndpointRules;

  constructor(rules: EndpointRules, modelThreshold: number) {
    this.rules = rules;
    this.modelThreshold = modelThreshold;
  }

  /** What the model's own voice activity says, whatever the rules; false if the model has none. */
  modelHears(vad: number): boolean {
    return vad >= this.modelThreshold;
  }

  private isSpeech(vad: number, rms: number): boolean {
    const { vadThreshold } = this.rules;
    if (vadThreshold !== null) return rms >= vadThreshold;
    return vad < 0 ? rms >= DEFAULT_RMS : this.modelHears(vad);
  }

  /** Takes one frame; says whether speech began or ended with it. */
  frame(vad: number, rms: number, start: number, end: number): SpeechChange {
    if (this.isSpeech(vad, rms)) {
      this.run++;
      if (this.speaking) this.speechEnd = end;
      else if (this.run >= FRAMES_TO_START) {
        this.speaking = true;
        this.speechStart = start - (FRAMES_TO_START - 1) * (end - start);
        this.speechEnd = end;
        return 'started';
      }
      return null;
    }
    this.run = 0;
    if (this.speaking && end - this.speechEnd >= this.rules.silenceSamples) {
      this.speaking = false;
      return 'ended';
    }
    return null;
  }

  save(): EndpointerState {
    const { speaking, speechStart, speechEnd, run } = this;
    return { speaking, speechStart, speechEnd, run };
  }

  restore(state: EndpointerState): void {
    Object.assign(this, state);
  }

  /** Length of the silence from the last speech frame to `end`. */
  silence(end: number): number {
    return end - this.speechEnd;
  }
}
