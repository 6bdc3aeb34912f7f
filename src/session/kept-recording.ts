/** A recording between two steps, outside a flush, as another server can go on with it; its audio aside. */
import { type LiveFormat, samplesOf } from '../audio/format.js';
import { frameBytesOf } from '../audio/pcm.js';
import type { RecordingConfig } from '../protocol/types.js';
import { exactPosition, type Position } from './position.js';
import { audioFrom, type RecordingState } from './recording.js';

export interface KeptRecording {
  /** All that is in force. */
  readonly config: RecordingConfig;
  /** Of the WAV header that its audio began with. */
  readonly headerBytes: number;
  /** Its audio cannot be read. */
  readonly deaf: boolean;
  /** It is known what its first bytes are. */
  readonly begun: boolean;
  readonly channels: readonly RecordingState[];
  /** Where its audio comes again from; if left out, where the streams need it. */
  readonly at?: Position;
}

/** From where the channels need audio again: each drops what it has heard of it. */
export function audioFromOf({
  channels,
  config,
  at,
}: Pick<KeptRecording, 'channels' | 'config' | 'at'>): Position {
  const reads = channels.map(({ stream }) => stream.read);
  return at ?? audioFrom(reads.length === 0 ? 0 : Math.min(...reads), config.sample_rate);
}

/** A place in what the client sends. */
export interface ClientPosition {
  /** Of 16 kHz, as the client is told it. */
  readonly samples: number;
  /** The same in bytes, the header of a WAV included. */
  readonly bytes: number;
  /** What is known of its bytes; those beyond `bytes` are repeated. */
  readonly takenBytes: number;
}

/** The client's bytes that were taken, as a position that it can go on from exactly. @param frames of audio that were taken */
export function clientPosition(config: LiveFormat, headerBytes: number, frames: number): ClientPosition {
  const format = samplesOf(config);
  const frameBytes = frameBytesOf(format);
  const takenBytes = headerBytes + frames * frameBytes;
  const exact = exactPosition(Math.floor(takenBytes / frameBytes), format.sample_rate);
  return { samples: exact.samples, bytes: exact.frames * frameBytes, takenBytes };
}
