/**
 * Compressed audio of a recording: what comes out of its decoder goes to the channels, as samples of 16 kHz. The decoder has
 * state, which lives and dies with this process; so such a recording goes on here or nowhere.
 */
import type { LiveRequest } from '../audio/live/decode.js';
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Recording } from './recording.js';

export interface DecodingEvents {
  /** There may be room for more. */
  onRoom(): void;
  /** Nothing more can be read of it; what was read before is in the recordings. */
  onUnreadable(error: ServerError): void;
}

export class Decoding {
  /** Of the client, as it sent them. */
  receivedBytes = 0;
  private readonly stream;
  private readonly events: DecodingEvents;

  /** @throws ServerError AT_CAPACITY */
  constructor(
    pool: CodecPool,
    request: Omit<LiveRequest, 'outputs'>,
    recordings: readonly Recording[],
    events: DecodingEvents,
  ) {
    this.events = events;
    this.stream = pool.openLive(
      { ...request, outputs: recordings.length },
      {
        accepts: () => recordings.every((recording) => recording.accepts()),
        take: (piece) => {
          for (const [channel, samples] of piece.entries()) {
            recordings[channel]?.push(new Uint8Array(samples.buffer));
          }
        },
        drained: () => events.onRoom(),
        failed: (error) => this.fail(error),
      },
    );
  }

  accepts(): boolean {
    return this.stream.accepts();
  }

  /** @throws ServerError MESSAGE_TOO_LARGE */
  push(bytes: Uint8Array): void {
    this.stream.write(bytes);
    this.receivedBytes += bytes.length;
  }

  /** The recordings may have room again. */
  resume(): void {
    this.stream.resume();
  }

  /** Calls back, at once if it can, when all that was pushed is in the recordings, as far as it will ever be. */
  whenSettled(done: () => void): void {
    this.stream.whenSettled(done);
  }

  /** No more is pushed. */
  end(done: () => void): void {
    this.stream.end(done);
  }

  close(): void {
    this.stream.close();
  }

  /** What a file is refused with is another thing live. */
  private fail(error: ServerError): void {
    const isForeign = error.code === 'UNSUPPORTED_MEDIA';
    this.events.onUnreadable(isForeign ? new ServerError('UNSUPPORTED_ENCODING', error.detail) : error);
  }
}
