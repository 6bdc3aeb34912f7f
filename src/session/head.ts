/**
 * The first bytes of a recording, kept until it is known what they are: a WAV header sets the format, a container goes to a
 * decoder, what cannot be taken live is refused by name, and anything else is samples.
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

/** What the first bytes are. */
export interface Beginning {
  /** Of a WAV header; null where there is none. */
  readonly format: AudioFormat | null;
  /** It is a container: the header is part of what comes. */
  readonly isContainer: boolean;
  /** What comes behind the header. */
  readonly samples: Uint8Array;
}

export class AudioHead {
  /** Of the WAV header: sent as audio, and no sample. */
  headerBytes = 0;
  /** The audio cannot be read: what comes is ignored. */
  deaf = false;
  /** Null once it is known what they are. */
  private bytes: Uint8Array | null = NO_BYTES;

  /** It is known what the first bytes are. */
  get known(): boolean {
    return this.bytes === null;
  }

  /** Something came, and it is not known yet what it is. */
  get waits(): boolean {
    return this.bytes !== null && this.bytes.length > 0;
  }

  /** Goes on with a recording that was begun elsewhere. */
  restore(headerBytes: number, deaf: boolean, known: boolean): void {
    this.headerBytes = headerBytes;
    this.deaf = deaf;
    if (known) this.bytes = null;
  }

  /** The client sends them again. */
  restart(): void {
    if (this.bytes !== null) this.bytes = NO_BYTES;
  }

  /**
   * @param expected what the client said; a container is found all the same
   * @returns null while more has to come
   * @throws ServerError UNSUPPORTED_ENCODING
   */
  read(bytes: Uint8Array, expected: 'samples' | 'container' = 'samples'): Beginning | null {
    const all = joined(this.bytes ?? NO_BYTES, bytes);
    const header = readHeader(all.subarray(0, LIMITS.maxHeaderBytes));
    if (header.kind === 'unclear' && all.length < LIMITS.maxHeaderBytes) {
      this.bytes = new Uint8Array(all); // a copy: ws uses its memory again
      return null;
    }
    this.bytes = null;
    const isContainer = header.kind === 'container';
    const isWav = header.kind === 'wav';
    if (header.kind === 'foreign') this.refuse(`The audio is ${header.name}`);
    if (expected === 'container' && !isContainer && !isWav) {
      this.refuse('The audio is in no container that is known');
    }
    if (isWav) this.headerBytes = header.bytes;
    return { format: isWav ? header.format : null, isContainer, samples: all.subarray(this.headerBytes) };
  }

  /** Nothing more comes that could tell what they are; returns those that wait. */
  settle(): Uint8Array {
    const bytes = this.bytes ?? NO_BYTES;
    this.bytes = null;
    return bytes;
  }

  private refuse(what: string): never {
    this.deaf = true;
    const detail = `${what}; live, raw samples are taken, WAV, and Opus in WebM or Ogg.`;
    throw new ServerError('UNSUPPORTED_ENCODING', detail);
  }
}
