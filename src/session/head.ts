/**
 * Holds the first bytes of a recording until their kind is known. A WAV header sets the format, a container goes to a
 * decoder, formats not supported live are refused by name, and anything else is samples.
 */
import type { AudioFormat } from '../audio/format.js';
import { readHeader } from '../audio/header.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

const NO_BYTES = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The kind of the first bytes. */
export interface Beginning {
  /** From a WAV header; null if there is none. */
  readonly format: AudioFormat | null;
  /** Whether it is a container, whose header is part of the input. */
  readonly isContainer: boolean;
  /** Bytes after the header. */
  readonly samples: Uint8Array;
}

export class AudioHead {
  /** Bytes of the WAV header: sent as audio, but not samples. */
  headerBytes = 0;
  /** The audio cannot be read: all input is ignored. */
  deaf = false;
  /** Null once their kind is known. */
  private bytes: Uint8Array | null = NO_BYTES;

  /** The kind of the first bytes is known. */
  get known(): boolean {
    return this.bytes === null;
  }

  /** Bytes have arrived, but their kind is not known yet. */
  get waits(): boolean {
    return this.bytes !== null && this.bytes.length > 0;
  }

  /** Continues a recording from another server. */
  restore(headerBytes: number, deaf: boolean, known: boolean): void {
    this.headerBytes = headerBytes;
    this.deaf = deaf;
    if (known) this.bytes = null;
  }

  /** The client will send them again. */
  restart(): void {
    if (this.bytes !== null) this.bytes = NO_BYTES;
  }

  /**
   * @param expected as announced by the client; a container is recognised regardless
   * @returns null until enough bytes have come
   * @throws ServerError UNSUPPORTED_ENCODING
   */
  read(bytes: Uint8Array, expected: 'samples' | 'container' = 'samples'): Beginning | null {
    const all = joined(this.bytes ?? NO_BYTES, bytes);
    const header = readHeader(all.subarray(0, LIMITS.maxHeaderBytes));
    if (header.kind === 'unclear' && all.length < LIMITS.maxHeaderBytes) {
      this.bytes = new Uint8Array(all); // a copy, since ws reuses its memory
      return null;
    }
    this.bytes = null;
    const isContainer = header.kind === 'container';
    const isWav = header.kind === 'wav';
    if (header.kind === 'foreign') this.refuse(`The audio is ${header.name}`);
    if (expected === 'container' && !isContainer && !isWav) {
      this.refuse('The audio is not in a known container');
    }
    if (isWav) this.headerBytes = header.bytes;
    return { format: isWav ? header.format : null, isContainer, samples: all.subarray(this.headerBytes) };
  }

  /** No more bytes will come to identify them; returns the waiting bytes. */
  settle(): Uint8Array {
    const bytes = this.bytes ?? NO_BYTES;
    this.bytes = null;
    return bytes;
  }

  private refuse(what: string): never {
    this.deaf = true;
    const detail = `${what}; live audio must be raw samples, WAV, or Opus in WebM or Ogg.`;
    throw new ServerError('UNSUPPORTED_ENCODING', detail);
  }
}
