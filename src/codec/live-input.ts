/**
 * Compressed input of a live stream. What was sent to a thread is kept, so that another thread can decode it again: the
 * state of a decoder dies with its thread. The memory for this is limited per stream and in all.
 *
 *   kept:    [ sent … | to be sent again … ]   waiting: [ never sent … ]
 *                     ▲ at
 */
import { LIMITS } from '../limits.js';

/** Memory for kept input, shared by all streams. */
export class KeptMemory {
  private freeBytes: number = LIMITS.liveKeptTotalBytes;

  take(bytes: number): boolean {
    if (bytes > this.freeBytes) return false;
    this.freeBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.freeBytes += bytes;
  }
}

/** Estimated memory of an array in addition to its bytes: bare packets are small. */
const ARRAY_BYTES = 256;

export class LiveInput {
  /** Bytes that were never sent. */
  waitingBytes = 0;
  private readonly memory: KeptMemory;
  private kept: Uint8Array[] = [];
  private at = 0;
  private heldBytes = 0;
  private isWhole = true;
  private readonly waiting: Uint8Array<ArrayBuffer>[] = [];

  constructor(memory: KeptMemory) {
    this.memory = memory;
  }

  /** Takes ownership of the bytes. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }

  /** Length of what `take` returns next; undefined if nothing is left to send. */
  get nextLength(): number | undefined {
    return (this.kept[this.at] ?? this.waiting[0])?.length;
  }

  /** The next bytes to send, in a buffer of their own; undefined if nothing is left. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    const again = this.kept[this.at];
    if (again !== undefined) {
      this.at += 1;
      return new Uint8Array(again);
    }
    const next = this.waiting.shift();
    if (next === undefined) return undefined;
    this.waitingBytes -= next.length;
    return this.keep(next) ? new Uint8Array(next) : next;
  }

  /** From here on `take` begins with the first bytes of the stream. False: they were not kept. */
  rewind(): boolean {
    this.at = 0;
    return this.isWhole;
  }

  /** Drops everything. */
  close(): void {
    this.waiting.length = 0;
    this.waitingBytes = 0;
    this.forget();
  }

  private keep(bytes: Uint8Array): boolean {
    if (!this.isWhole) return false;
    const size = bytes.length + ARRAY_BYTES;
    if (this.heldBytes + size > LIMITS.liveKeptBytes || !this.memory.take(size)) {
      this.forget();
      return false;
    }
    this.heldBytes += size;
    this.kept.push(bytes);
    this.at += 1;
    return true;
  }

  private forget(): void {
    this.isWhole = false;
    this.memory.giveBack(this.heldBytes);
    this.heldBytes = 0;
    this.kept = [];
    this.at = 0;
  }
}
