/** The first bytes of a recording, kept until it is known what they are. */
import { type Header, readHeader } from '../audio/header.js';
import { LIMITS } from '../limits.js';

const NO_BYTES = new Uint8Array(0);

export class Head {
  /** Nothing is known yet. */
  open = true;
  private bytes = NO_BYTES;

  /** Bytes wait. */
  get waits(): boolean {
    return this.bytes.length > 0;
  }

  /** What the recording begins with, and all of it so far; null: more is needed to tell. */
  read(bytes: Uint8Array): { readonly header: Header; readonly all: Uint8Array } | null {
    const all = this.joined(bytes);
    const header = readHeader(all.subarray(0, LIMITS.maxHeaderBytes));
    if (header.kind === 'unclear' && all.length < LIMITS.maxHeaderBytes) {
      this.bytes = new Uint8Array(all); // a copy: ws uses its memory again
      return null;
    }
    this.settle();
    return { header, all };
  }

  /** Nothing more comes that could tell; returns what waits. */
  settle(): Uint8Array {
    const { bytes } = this;
    this.open = false;
    this.bytes = NO_BYTES;
    return bytes;
  }

  /** The client sends again what waits. */
  forget(): void {
    this.bytes = NO_BYTES;
  }

  private joined(bytes: Uint8Array): Uint8Array {
    if (this.bytes.length === 0) return bytes;
    const all = new Uint8Array(this.bytes.length + bytes.length);
    all.set(this.bytes);
    all.set(bytes, this.bytes.length);
    return all;
  }
}
