/**
 * How the client speaks with either server: the same float32 samples, 16 kHz, in the same frames, and an end. The final result of an
 * utterance is there when the server says that nothing more comes of it: sherpa-onnx with its result that has `is_eof` (or with
 * "Done!", if there was nothing left to decode), which is some milliseconds before its "Done!"; rnnt-server with
 * `recording_stopped`, behind its last transcription.
 */

export interface Heard {
  /** Words of final results. */
  readonly words?: readonly string[];
  /** A result for a step came, of whatever text. */
  readonly step?: boolean;
  /** Nothing more comes of this utterance. */
  readonly ended?: boolean;
  /** Audio may be sent. */
  readonly started?: boolean;
  /** The server refuses to go on. */
  readonly failed?: boolean;
}

export interface Protocol {
  readonly name: 'rnnt-server' | 'sherpa-onnx';
  /** Sent when the connection is open; null: audio may be sent at once. */
  readonly start: string | null;
  /** Sent behind the last sample. */
  readonly end: string;
  read(message: string): Heard;
}

const wordsOf = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean);

export const rnntServer: Protocol = {
  name: 'rnnt-server',
  start: JSON.stringify({
    type: 'start_recording',
    config: { sample_rate: 16_000, encoding: 'float32' },
  }),
  end: '{"type":"stop_recording"}',
  read(message) {
    if (message.includes('"type":"recording_started"')) return { started: true };
    if (message.includes('"type":"recording_stopped"')) {
      const { final_transcript } = JSON.parse(message) as { final_transcript: string };
      return { words: wordsOf(final_transcript), ended: true };
    }
    if (message.includes('"type":"error"')) return { failed: true };
    return {};
  },
};

export const sherpaOnnx: Protocol = {
  name: 'sherpa-onnx',
  start: null,
  end: 'Done',
  read(message) {
    if (message === 'Done!') return { ended: true };
    // Results grow with the segment: read as a whole only where a segment ends.
    if (!/"is_(final|eof)": true/.test(message)) return { step: true };
    const { text, is_eof } = JSON.parse(message) as { text: string; is_eof: boolean };
    return { step: true, words: wordsOf(text), ended: is_eof };
  },
};
