/**
 * The first bytes of a recording: a WAV header sets the format, compressed audio is refused by name, and anything else is
 * samples. They are kept until it is known what they are.
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
   * @returns null while more has to come
   * @throws ServerError UNSUPPORTED_ENCODING
   */
  read(bytes: Uint8Array): Beginning | null {
    const all = joined(this.bytes ?? NO_BYTES, bytes);
    const header = readHeader(all.subarray(0, LIMITS.maxHeaderBytes));
    if (header.kind === 'unclear' && all.length < LIMITS.maxHeaderBytes) {
      this.bytes = new Uint8Array(all);
      return null;
    }
    this.bytes = null;
    if (header.kind === 'foreign') {
      this.deaf = true;
      const detail = `The audio is ${header.name}; send raw samples, in the encoding of the recording.`;
      throw new ServerError('UNSUPPORTED_ENCODING', detail);
    }
    if (header.kind === 'wav') this.headerBytes = header.bytes;
    return {
      format: header.kind === 'wav' ? header.format : null,
      samples: all.subarray(this.headerBytes),
    };
  }

  /** Nothing more comes that could tell what they are: they are samples. */
  settle(): Uint8Array {
    const bytes = this.bytes ?? NO_BYTES;
    this.bytes = null;
    return bytes;
  }
}
