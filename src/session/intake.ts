/**
 * The audio path of a recording, from the socket to its slot's ring. Two paths behind one interface:
 *
 *   direct (16 kHz):  push ─▶ decode on the spot ─▶ ring         (a copy for pcm16 mono)
 *   codec  (others):  push ─▶ FIFO in shared memory ─▶ codec worker: decode, resample ─▶ ring
 *
 * Audio for which there is no room waits in a bounded list. Meanwhile `accepts()` is false and the caller pauses its
 * socket. Pushed audio is never lost.
 */

import type { AudioFormat } from '../audio/format.js';
import { FrameCutter, PcmDecoder } from '../audio/pcm.js';
import type { CodecPool } from '../codec/pool.js';
import { FIFO_BYTES } from '../codec/slab.js';
import type { CodecStream } from '../codec/stream.js';
import { ServerError } from '../errors.js';
import type { SampleSink } from '../inference/sink.js';
import { LIMITS } from '../limits.js';

export interface IntakeEvents {
  /** `accepts()` is true again: resume reading the socket. */
  drained?(): void;
  /** The stream cannot go on: a defect or a dead worker, never the client's bytes. */
  failed?(error: ServerError): void;
}

export interface Intake {
  /** Complete sample-frames received from the client, at the client's rate. */
  readonly receivedFrames: number;
  /** Samples at 16 kHz in the ring since the start of the recording. */
  readonly receivedSamples: number;
  /**
   * Takes a frame of any length. It is copied, so the caller may reuse the memory. Ignored after `end`.
   * @throws ServerError MESSAGE_TOO_LARGE if the caller keeps pushing while `accepts()` is false
   */
  push(frame: Uint8Array): void;
  /** False: the caller should pause its socket until `drained`. */
  accepts(): boolean;
  /** The batcher took samples: the ring has room again. */
  resume(): void;
  /** After a lost connection the client sends again from `receivedFrames`, so an incomplete sample-frame is dropped. */
  discardPartial(): void;
  /** Resolves when everything pushed is in the ring, including the resampler's tail. */
  end(): Promise<void>;
  /** Calls back when everything pushed so far is in the ring, at once if it already is. `close` cancels it. */
  whenSettled(done: () => void): void;
  /** Drops what is left. The slot may be reused only once this has resolved. */
  close(): Promise<void>;
}

/**
 * Creates the intake of a recording.
 * @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE, TOO_MANY_RATES
 */
export function createIntake(
  format: AudioFormat,
  sink: SampleSink,
  codecPool: CodecPool,
  events: IntakeEvents = {},
): Intake {
  return format.sample_rate === LIMITS.sampleRateHz
    ? new DirectIntake(format, sink, events)
    : new CodecIntake(format, sink, codecPool, events);
}

/** Fullness of the ring or FIFO at which the socket is paused, and at which it is read again. */
const PAUSE_ABOVE = 0.75;
const RESUME_BELOW = 0.5;

/** Common parts of both paths: splitting at sample-frames, the waiting list, flow control and the end. */
abstract class BaseIntake implements Intake {
  protected readonly sink: SampleSink;
  protected readonly events: IntakeEvents;
  private readonly cutter: FrameCutter;
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private samples = 0;
  private paused = false;
  private state: 'open' | 'ending' | 'finishing' | 'ended' | 'closed' = 'open';
  private settling: (() => void)[] = [];
  private settleEnd: { resolve(): void; reject(error: ServerError): void } | undefined;

  constructor(format: AudioFormat, sink: SampleSink, events: IntakeEvents) {
    this.cutter = new FrameCutter(format);
    this.sink = sink;
    this.events = events;
  }

  /** Takes as many of these whole sample-frames as there is room for; returns the bytes taken. */
  protected abstract take(bytes: Uint8Array): number;
  /** Fullness of the ring or the FIFO, 0…1. */
  protected abstract fullness(): number;
  /** Whether audio that was taken is not in the ring yet. */
  protected abstract behind(): boolean;
  /** All frames were taken: flush, then call `finished`. */
  protected abstract finish(): void;
  /** Resolves when nothing writes to the ring any more. */
  abstract close(): Promise<void>;

  get receivedFrames(): number {
    return this.cutter.frames;
  }

  get receivedSamples(): number {
    return this.samples;
  }

  accepts(): boolean {
    return !this.paused;
  }

  push(frame: Uint8Array): void {
    if (this.state !== 'open') return;
    if (this.waitingBytes + frame.length > LIMITS.maxWaitingAudioBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Audio arrived faster than it could be accepted.');
    }
    const split = this.cutter.completeSplit(frame);
    if (split !== undefined) this.takeOrKeep(split);
    this.takeOrKeep(this.cutter.wholeFrames(frame));
    this.control();
  }

  resume(): void {
    this.advance();
  }

  discardPartial(): void {
    this.cutter.discardPartial();
  }

  whenSettled(done: () => void): void {
    this.settling.push(done);
    this.settle();
  }

  end(): Promise<void> {
    if (this.state !== 'open') return Promise.resolve();
    this.state = 'ending';
    return new Promise((resolve, reject) => {
      this.settleEnd = { resolve, reject };
      this.advance();
    });
  }

  /** There is room again: moves waiting audio on, in order. */
  protected advance(): void {
    while (this.waiting.length > 0) {
      const first = this.waiting[0]!; // length > 0
      const taken = this.take(first);
      this.waitingBytes -= taken;
      if (taken < first.length) {
        this.waiting[0] = first.subarray(taken);
        break;
      }
      this.waiting.shift();
    }
    this.control();
    this.settle();
    if (this.state === 'ending' && this.waiting.length === 0) {
      this.state = 'finishing';
      this.finish();
    }
  }

  protected placed(samples: number): void {
    this.samples += samples;
  }

  protected finished(): void {
    this.state = 'ended';
    this.settleEnd?.resolve();
  }

  protected fail(error: ServerError): void {
    this.state = 'closed';
    this.settleEnd?.reject(error);
    this.events.failed?.(error);
  }

  /** Drops waiting audio and cancels a pending `end`. */
  protected dispose(): void {
    this.state = 'closed';
    this.waiting.length = 0;
    this.waitingBytes = 0;
    this.settling = [];
    this.settleEnd?.resolve();
  }

  private settle(): void {
    while (this.settling.length > 0 && this.waiting.length === 0 && !this.behind()) {
      this.settling.shift()?.();
    }
  }

  private takeOrKeep(bytes: Uint8Array): void {
    const taken = this.waiting.length === 0 ? this.take(bytes) : 0;
    if (taken === bytes.length) return;
    // A copy, since ws reuses its buffers. Not `slice`, which on a Buffer gives a view.
    this.waiting.push(new Uint8Array(bytes.subarray(taken)));
    this.waitingBytes += bytes.length - taken;
  }

  private control(): void {
    if (!this.paused) {
      this.paused = this.waiting.length > 0 || this.fullness() > PAUSE_ABOVE;
    } else if (this.waiting.length === 0 && this.fullness() < RESUME_BELOW) {
      this.paused = false;
      this.events.drained?.();
    }
  }
}

/** 16 kHz: the main thread copies or converts directly into the ring. */
class DirectIntake extends BaseIntake {
  private readonly decoder: PcmDecoder;

  constructor(format: AudioFormat, sink: SampleSink, events: IntakeEvents) {
    super(format, sink, events);
    this.decoder = new PcmDecoder(format);
  }

  override async close(): Promise<void> {
    this.dispose();
  }

  protected override take(bytes: Uint8Array): number {
    const { sink } = this;
    const roomBytes = sink.free() * this.decoder.frameBytes;
    const taken = Math.min(bytes.length, roomBytes);
    if (taken === 0) return 0;
    const part = taken === bytes.length ? bytes : bytes.subarray(0, taken);
    const samples = this.decoder.decodeInto(part, sink.ring, sink.written % sink.ring.length);
    sink.commit(samples);
    this.placed(samples);
    return taken;
  }

  protected override fullness(): number {
    return 1 - this.sink.free() / this.sink.ring.length;
  }

  protected override behind(): boolean {
    return false;
  }

  protected override finish(): void {
    this.finished();
  }
}

/** Other rates: the main thread copies the bytes to shared memory, and a worker does the rest. */
class CodecIntake extends BaseIntake {
  private readonly stream: CodecStream;

  constructor(format: AudioFormat, sink: SampleSink, pool: CodecPool, events: IntakeEvents) {
    super(format, sink, events);
    this.stream = pool.open(format, sink, {
      progressed: (samples) => {
        this.placed(samples);
        this.advance();
      },
      flushed: () => this.finished(),
      failed: (error) => this.fail(error),
    });
  }

  override resume(): void {
    super.resume();
    this.stream.wake();
  }

  override close(): Promise<void> {
    this.dispose();
    return this.stream.close();
  }

  protected override take(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.stream.room);
    if (taken > 0) this.stream.write(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    return taken;
  }

  protected override fullness(): number {
    return 1 - this.stream.room / FIFO_BYTES;
  }

  protected override behind(): boolean {
    return this.stream.behind;
  }

  protected override finish(): void {
    this.stream.flush();
  }
}
