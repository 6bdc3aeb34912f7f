/**
 * A recording whose model's state is of no use here: another model, or another arithmetic, has heard it. It goes on with a
 * fresh stream on the same timeline, from the last word that is final: segment ids, word times and the whole transcript
 * go on, and what was said since is heard again.
 */
import { compileHotwords, type HotwordCompiler } from '../inference/hotwords.js';
import { LIMITS } from '../limits.js';
import type { TranscriptState } from '../transcript/transcript.js';
import type { KeptRecording } from './kept-recording.js';
import { exactPositionBehind } from './position.js';
import type { RecordingState } from './recording.js';

/** A model hears better what has something before it; and what its search held is not older than this. */
const LEAD_SAMPLES = 3 * LIMITS.sampleRateHz;
/** So much of what a client no longer has is passed over: both sides round, and clients keep whole chunks. */
const SLACK_SAMPLES = LIMITS.sampleRateHz / 10;

/** From here on nothing is final yet: where the last final ends, or later if nothing was said since. */
function replayFrom({ words, audioSamples }: TranscriptState): number {
  const open = words.words[0]?.startSamples ?? audioSamples;
  return Math.max(0, words.takenUntil, Math.min(open, audioSamples) - LEAD_SAMPLES);
}

/** What was told stays; what was not final is forgotten. */
function afresh(told: TranscriptState, at: number): TranscriptState {
  const { takenUntil } = told.words;
  return {
    audioSamples: at,
    segments: told.segments,
    told: told.told,
    words: {
      words: [],
      opening: false,
      lastKind: 'letters',
      tail: null,
      takenUntil,
      tokenEnd: takenUntil,
      heard: 0,
      heardUntil: at,
    },
    endpointer: { ...told.endpointer, speechEnd: Math.max(told.endpointer.speechEnd, at), run: 0 },
    // A partial of before may be on the client's screen: the next one replaces it, whatever it says.
    changed: true,
    holding: false,
    shownPreview: '',
    lastPartialAt: null,
    lastTokenAt: at,
  };
}

/**
 * @param kept the recording as its other server had it
 * @param clientHas the first sample that the client can send again, 16 kHz
 * @returns null if the client does not have what is not final any more
 */
export function replayed(
  kept: KeptRecording,
  clientHas: number,
  compiler: HotwordCompiler | null,
): KeptRecording | null {
  const { sample_rate, hotwords } = kept.config;
  const from = kept.channels.map(({ transcript }) => replayFrom(transcript));
  const first = Math.min(...from);
  if (clientHas > first + SLACK_SAMPLES) return null;
  const at = exactPositionBehind(Math.max(first, clientHas), sample_rate);
  const { edges } = compileHotwords(compiler, hotwords);
  const channels = kept.channels.map(({ transcript }, i): RecordingState => {
    const read = Math.max(at.samples, from[i] ?? 0);
    const stream = { read, state: new Uint8Array(0), hotwords: edges ?? new Int32Array(0) };
    return { stream, transcript: afresh(transcript, read) };
  });
  return { ...kept, channels, at };
}
