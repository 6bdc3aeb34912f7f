/** A recording between two steps, outside a flush, in the form that another server can continue; without its audio. */
import { type LiveFormat, samplesOf } from '../audio/format.js';
import { frameBytesOf } from '../audio/pcm.js';
import type { Blame } from '../inference/stream-table.js';
import type { RecordingConfig } from '../protocol/types.js';
import { exactPosition, type Position } from './position.js';
import { audioFrom, type RecordingState } from './recording.js';

export interface KeptRecording {
  /** The complete settings in force. */
  readonly config: RecordingConfig;
  /** Length of the WAV header with which its audio began. */
  readonly headerBytes: number;
  /** Its audio cannot be read. */
  readonly deaf: boolean;
  /** The kind of its first bytes is known. */
  readonly begun: boolean;
  readonly channels: readonly RecordingState[];
  /** By channel: whether its audio makes servers fail; empty if nobody is blamed. */
  readonly blame: readonly Blame[];
  /** Position from which its audio is sent again; default: where the streams need it. */
  readonly at?: Position;
}

/** The position from which the channels need audio again; each drops what it has already processed. */
export function audioFromOf({
  channels,
  config,
  at,
}: Pick<KeptRecording, 'channels' | 'config' | 'at'>): Position {
  const reads = channels.map(({ stream }) => stream.read);
  return at ?? audioFrom(reads.length === 0 ? 0 : Math.min(...reads), config.sample_rate);
}

/** A position in the client's input. */
export interface ClientPosition {
  /** In samples at 16 kHz, as reported to the client. */
  readonly samples: number;
  /** The same in bytes, including a WAV header. */
  readonly bytes: number;
  /** Bytes already processed; those after `bytes` are sent again. */
  readonly takenBytes: number;
}

/**
 * Input taken from the client, as a position from which it can continue exactly.
 * @param frames of audio taken
 */
export function clientPosition(config: LiveFormat, headerBytes: number, frames: number): ClientPosition {
  const format = samplesOf(config);
  const frameBytes = frameBytesOf(format);
  const takenBytes = headerBytes + frames * frameBytes;
  const exact = exactPosition(Math.floor(takenBytes / frameBytes), format.sample_rate);
  return { samples: exact.samples, bytes: exact.frames * frameBytes, takenBytes };
}
