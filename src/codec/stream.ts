/** The main thread's side of one resampled stream: its FIFO and its current job. */

import type { AudioFormat } from '../audio/format.js';
import { ServerError, toServerError } from '../errors.js';
import type { SampleSink } from '../inference/sink.js';
import { NO_PLACE } from './filters.js';
import type { FilterLease } from './odd-rates.js';
import { type CodecSlot, codecSlotAt, encodingIndex, FIELD, FIFO_BYTES, openCodecSlot } from './slab.js';

export interface CodecStreamEvents {
  /** Samples were placed in the ring and room was made in the FIFO. */
  progressed(samples: number): void;
  /** After `flush`: everything, the tail included, is in the ring. */
  flushed(): void;
  /** The stream cannot go on. */
  failed(error: ServerError): void;
}

interface Owner {
  ready(stream: CodecStream): void;
  closed(stream: CodecStream): void;
}

/** Ring room below which no job is worth its overhead. */
const MIN_ROOM_SAMPLES = 64;
/** A job whose thread died is retried this often, since the audio is unlikely to be the cause. */
const MAX_RETRIES = 2;

export class CodecStream {
  readonly slotIndex: number;
  private readonly slot: CodecSlot;
  private readonly sink: SampleSink;
  private readonly events: CodecStreamEvents;
  private readonly owner: Owner;
  /** The filter of an odd rate; null: a common one, which every thread has. */
  private readonly filter: FilterLease | null;
  /** Absolute bytes written to and read from the FIFO. */
  private bytesIn = 0;
  private bytesOut = 0;
  private state: 'idle' | 'queued' | 'running' = 'idle';
  private flushing: 'no' | 'wanted' | 'done' = 'no';
  private job = 0;
  private retries = 0;
  private dead = false;
  private onClosed: (() => void) | undefined;

  constructor(
    codecSlab: SharedArrayBuffer,
    slotIndex: number,
    format: AudioFormat,
    sink: SampleSink,
    events: CodecStreamEvents,
    owner: Owner,
    filter: FilterLease | null = null,
  ) {
    this.filter = filter;
    this.slotIndex = slotIndex;
    this.slot = codecSlotAt(codecSlab, slotIndex);
    this.sink = sink;
    this.events = events;
    this.owner = owner;
    openCodecSlot(this.slot, format.sample_rate);
    const { header } = this.slot;
    header[FIELD.rateHz] = format.sample_rate;
    header[FIELD.encoding] = encodingIndex(format.encoding);
    header[FIELD.channels] = format.channels;
    header[FIELD.ringByteOffset] = sink.byteOffset;
    header[FIELD.ringSamples] = sink.ring.length;
    header[FIELD.filterPlace] = filter?.place ?? NO_PLACE;
    header[FIELD.filterVersion] = filter?.version ?? 0;
    header[FIELD.finishedJob] = 0;
    header[FIELD.failed] = 0;
  }

  /** Bytes that `write` accepts now. */
  get room(): number {
    return FIFO_BYTES - (this.bytesIn - this.bytesOut);
  }

  /** Some of the written audio is not in the ring yet. */
  get behind(): boolean {
    return this.bytesIn > this.bytesOut;
  }

  /** Copies whole sample-frames, at most `room` bytes, to the FIFO. */
  write(bytes: Uint8Array): void {
    const at = this.bytesIn % FIFO_BYTES;
    const untilWrap = Math.min(bytes.length, FIFO_BYTES - at);
    this.slot.fifo.set(untilWrap === bytes.length ? bytes : bytes.subarray(0, untilWrap), at);
    if (untilWrap < bytes.length) this.slot.fifo.set(bytes.subarray(untilWrap), 0);
    this.bytesIn += bytes.length;
    this.wake();
  }

  /** Ends the input. `flushed` is called when all of it and the resampler's tail are in the ring. */
  flush(): void {
    if (this.flushing === 'no') this.flushing = 'wanted';
    this.wake();
  }

  /** To be called when the ring has room again; queues the stream if there is something to do. */
  wake(): void {
    if (this.state !== 'idle' || this.dead || this.onClosed !== undefined) return;
    if (this.filter?.ready === false) return; // `filterDesigned` continues
    const work = this.bytesIn > this.bytesOut || this.flushing === 'wanted';
    if (!work || this.sink.free() < MIN_ROOM_SAMPLES) return;
    this.state = 'queued';
    this.owner.ready(this);
  }

  /** For the pool: the filter is ready, or has failed. */
  filterDesigned(error: ServerError | null): void {
    if (this.onClosed !== undefined) return;
    if (error === null) this.wake();
    else this.fail(error);
  }

  /** Returns the slot. Resolves when no worker writes to the sink's ring any more. */
  close(): Promise<void> {
    if (this.onClosed !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.onClosed = resolve;
      if (this.state === 'idle') this.release();
    });
  }

  /** For the pool: writes the job's fields; from here to `endJob` a worker owns the slot. */
  beginJob(): number {
    const { header } = this.slot;
    this.state = 'running';
    this.job += 1;
    header[FIELD.job] = this.job;
    header[FIELD.rawAt] = this.bytesOut % FIFO_BYTES;
    header[FIELD.rawBytes] = this.onClosed === undefined ? this.bytesIn - this.bytesOut : 0;
    header[FIELD.ringAt] = this.sink.written % this.sink.ring.length;
    header[FIELD.ringRoom] = this.sink.free();
    header[FIELD.flush] = this.flushing === 'wanted' ? 1 : 0;
    return this.slotIndex;
  }

  /** For the pool: takes the result, or handles the death of a thread. */
  endJob(failure: unknown): void {
    const { header } = this.slot;
    this.state = 'idle';
    if (this.onClosed !== undefined) {
      this.release();
    } else if (header[FIELD.finishedJob] !== this.job) {
      this.retries += 1;
      if (this.retries > MAX_RETRIES) this.fail(toServerError(failure));
      else this.wake(); // the state is as it was before the job
    } else if (header[FIELD.failed] === 1) {
      this.fail(new ServerError('INTERNAL', 'Resampling failed.'));
    } else {
      this.retries = 0;
      this.takeResult();
    }
  }

  private takeResult(): void {
    const { header } = this.slot;
    this.bytesOut += header[FIELD.consumedBytes] ?? 0;
    const samples = header[FIELD.producedSamples] ?? 0;
    if (samples > 0) this.sink.commit(samples);
    this.events.progressed(samples);
    if (header[FIELD.flushed] === 1 && this.flushing === 'wanted') {
      this.flushing = 'done';
      this.events.flushed();
    }
    this.wake();
  }

  private fail(error: ServerError): void {
    this.dead = true;
    this.events.failed(error);
  }

  private release(): void {
    this.dead = true;
    this.filter?.release();
    this.owner.closed(this);
    this.onClosed?.();
  }
}
