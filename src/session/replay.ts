/**
 * Continues a recording whose model state cannot be used here, because another model or engine wrote it. A fresh stream
 * continues on the same timeline from the last final word. Segment ids, word times and the transcript continue, and
 * later speech is recognised again.
 */
import { compileHotwords, type HotwordCompiler } from '../inference/hotwords.js';
import { LIMITS } from '../limits.js';
import type { TranscriptState } from '../transcript/transcript.js';
import type { KeptRecording } from './kept-recording.js';
import { exactPositionBehind } from './position.js';
import type { RecordingState } from './recording.js';

/** Audio before the restart point, for context; also the longest that a search holds a word. */
const LEAD_SAMPLES = 3 * LIMITS.sampleRateHz;
/** Tolerance for audio that the client no longer has: both sides round, and clients keep whole chunks. */
const SLACK_SAMPLES = LIMITS.sampleRateHz / 10;

/** The position from which nothing is final yet: the end of the last final, or later if nothing was said since. */
function replayFrom({ words, audioSamples }: TranscriptState): number {
  const open = words.words[0]?.startSamples ?? audioSamples;
  return Math.max(0, words.takenUntil, Math.min(open, audioSamples) - LEAD_SAMPLES);
}

/** Keeps what was reported, and drops what was not final. */
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
    // The client may show an old partial: the next one replaces it, whatever its text.
    changed: true,
    holding: false,
    shownPreview: '',
    lastPartialAt: null,
    lastTokenAt: at,
  };
}

/**
 * @param kept the recording as the other server stored it
 * @param clientHas the first sample that the client can send again, 16 kHz
 * @returns null if the client no longer has all the audio that is not final
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
