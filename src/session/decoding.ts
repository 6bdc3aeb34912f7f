/**
 * Compressed audio of a recording. The decoder's output goes to the channels as samples at 16 kHz. The decoder's state
 * exists only in this process, so such a recording cannot move to another server.
 */
import type { LiveRequest } from '../audio/live/decode.js';
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Recording } from './recording.js';

export interface DecodingEvents {
  /** There may be room for more. */
  onRoom(): void;
  /** The rest cannot be decoded; earlier audio is in the recordings. */
  onUnreadable(error: ServerError): void;
}

export class Decoding {
  /** Bytes from the client, as it sent them. */
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

  /** Calls back when everything pushed is in the recordings, as far as it can be decoded; at once if it already is. */
  whenSettled(done: () => void): void {
    this.stream.whenSettled(done);
  }

  /** Ends the input. */
  end(done: () => void): void {
    this.stream.end(done);
  }

  close(): void {
    this.stream.close();
  }

  /** Live audio has other error codes than files. */
  private fail(error: ServerError): void {
    const isForeign = error.code === 'UNSUPPORTED_MEDIA';
    this.events.onUnreadable(isForeign ? new ServerError('UNSUPPORTED_ENCODING', error.detail) : error);
  }
}
