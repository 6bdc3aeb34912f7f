/** A sink for tests: a ring in shared memory whose samples are taken out by the test, as a batcher would. */
import type { SampleSink } from '../../src/inference/sink.js';

export class RingSink implements SampleSink {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly ring: Int16Array;
  written = 0;
  #read = 0;
  readonly #taken: Int16Array[] = [];

  constructor(ringSamples: number, buffer = new SharedArrayBuffer(ringSamples * 2), byteOffset = 0) {
    this.buffer = buffer;
    this.byteOffset = byteOffset;
    this.ring = new Int16Array(buffer, byteOffset, ringSamples);
  }

  free(): number {
    return this.ring.length - (this.written - this.#read);
  }

  commit(samples: number): void {
    if (samples > this.free()) throw new RangeError(`${samples} samples do not fit.`);
    this.written += samples;
  }

  /** Takes at most `samples` out, like a batcher; returns how many there were. */
  consume(samples = Number.POSITIVE_INFINITY): number {
    const count = Math.min(samples, this.written - this.#read);
    const out = new Int16Array(count);
    for (let i = 0; i < count; i += 1) out[i] = this.ring[(this.#read + i) % this.ring.length] ?? 0;
    this.#taken.push(out);
    this.#read += count;
    return count;
  }

  /** Everything that was written since the start, in order. */
  all(): Int16Array {
    this.consume();
    const total = this.#taken.reduce((sum, part) => sum + part.length, 0);
    const out = new Int16Array(total);
    let at = 0;
    for (const part of this.#taken) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

/** Sinks side by side in one slab, as the slots of a stream table are. */
export function sinksOf(count: number, ringSamples: number): RingSink[] {
  const slab = new SharedArrayBuffer(count * ringSamples * 2);
  return Array.from({ length: count }, (_, i) => new RingSink(ringSamples, slab, i * ringSamples * 2));
}
