/**
 * Decodes files, and audio that needs resampling, off the main thread, in pools of threads.
 *
 * Streams: continuous micro-batching, as in the lanes. Raw frames are copied to the stream's FIFO in shared memory. A
 * free thread takes every stream with work to do as one task, which carries only slot numbers. While the threads are
 * busy, work accumulates. A task is never aborted.
 *
 * Compressed streams: separate threads, each of which decodes many streams in turn, since a decoder's state cannot be
 * moved. After the loss of a thread its streams are decoded again.
 *
 * Files: separate threads, so that a long upload never delays a live stream. A file keeps its thread until it is
 * recognised: pieces are decoded on request.
 *
 * Filters of odd sample rates: a separate thread, so that designing one never delays a stream of another rate.
 */
import { type FileRequest, joinSamples } from '../audio/file.js';
import { isCommonRate, MAX_RATE_HZ, MIN_RATE_HZ } from '../audio/filter.js';
import type { AudioFormat } from '../audio/format.js';
import type { LiveRequest } from '../audio/live/decode.js';
import { ServerError } from '../errors.js';
import type { SampleSink } from '../inference/sink.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { workerUrl } from '../paths.js';
import { Threads } from '../threads.js';
import { type FilePieces, FileStream, type FileTask } from './file-stream.js';
import { KeptMemory } from './live-input.js';
import { LiveStream, type LiveStreamEvents } from './live-stream.js';
import { LiveThreads, type LiveThreadTask } from './live-threads.js';
import { type DesignTask, type FilterLease, filterSlabBytes, OddRates } from './odd-rates.js';
import { type CodecWorkerData, codecSlabBytes, type JobFailure } from './slab.js';
import { CodecStream, type CodecStreamEvents } from './stream.js';

export interface CodecPoolOptions {
  /** The stream table's slab, which contains every sink. Without it the pool only decodes files. */
  readonly streamSlab?: SharedArrayBuffer;
  /** Streams that may be open at once. Memory is reserved but touched only in use: 129 KiB each. */
  readonly slots?: number;
  /** Threads for streams. Default 1, which resamples about 300 streams of 48 kHz in real time. */
  readonly threads?: number;
  /** Largest number of streams in one task. Default 32. */
  readonly maxBatch?: number;
  /**
   * Minimum time between the starts of two tasks, ms; default 10. Jobs are short, so a thread is nearly always free.
   * Without this wait each chunk would be its own task, and tasks are the main cost for the main thread (measured with
   * 128 streams of 48 kHz: 53–79 µs per chunk at 0 ms, 39–44 at 5 ms). A single stream never waits.
   */
  readonly taskIntervalMs?: number;
  /** Threads for compressed streams, of which as many as `slots` may be open. Default 2. */
  readonly liveThreads?: number;
  /** Files decoded at once; others wait. Default 2. */
  readonly fileThreads?: number;
  /** For threads that die and jobs that throw. Default: no log. */
  readonly log?: Logger;
  /** File that the threads run. Default: the server's own; tests pass one with faults. */
  readonly worker?: string;
}

/** How long an idle thread is kept. */
const IDLE_MS = 30_000;

export class CodecPool {
  private readonly streamSlab: SharedArrayBuffer | undefined;
  private readonly codecSlab: SharedArrayBuffer;
  private readonly streamThreads: Threads<number[], readonly JobFailure[]> | undefined;
  private readonly fileThreads: Threads<FileTask, void>;
  private readonly files = new Set<FileStream>();
  private readonly live: LiveThreads | undefined;
  private readonly keptMemory = new KeptMemory();
  private readonly slots: number;
  private readonly designThread: Threads<DesignTask, void> | undefined;
  private readonly oddRates: OddRates | undefined;
  private readonly log: Logger | undefined;
  private readonly threads: number;
  private readonly maxBatch: number;
  private readonly taskIntervalMs: number;
  private readonly freeSlots: number[];
  private readonly streams = new Map<number, CodecStream>();
  /** Streams with work to do that are not in a task, oldest first; each at most once. */
  private ready: CodecStream[] = [];
  private runningTasks = 0;
  private dispatchPlanned = false;
  private lastTaskAtMs = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(options: CodecPoolOptions = {}) {
    const { streamSlab, slots = 0, threads = 1, maxBatch = 32, taskIntervalMs = 10 } = options;
    const { fileThreads = 2, liveThreads = 2, log } = options;
    this.slots = slots;
    this.log = log;
    this.streamSlab = streamSlab;
    this.threads = threads;
    this.maxBatch = maxBatch;
    this.taskIntervalMs = taskIntervalMs;
    this.codecSlab = new SharedArrayBuffer(codecSlabBytes(slots));
    this.freeSlots = Array.from({ length: slots }, (_, index) => slots - 1 - index);
    const { worker: filename = workerUrl('codec') } = options;
    const filterSlab = new SharedArrayBuffer(slots > 0 ? filterSlabBytes(LIMITS.oddRates) : 0);
    const workerData: CodecWorkerData = {
      codecSlab: this.codecSlab,
      streamSlab,
      filterSlab,
      forStreams: false,
    };
    const each = { filename, workerData, recordTiming: false };
    const onStray = (err: unknown) => log?.error({ err }, 'a codec thread died between two tasks');
    const nowAndThen = { ...each, minThreads: 0, maxThreads: 1, idleTimeout: IDLE_MS };
    if (slots > 0) {
      const forStreams = { ...workerData, forStreams: true };
      const options = { ...each, workerData: forStreams, minThreads: threads, maxThreads: threads };
      this.streamThreads = new Threads(options, onStray);
      const designer = new Threads<DesignTask, void>(nowAndThen, onStray);
      this.designThread = designer;
      this.oddRates = new OddRates(LIMITS.oddRates, (task) => designer.run(task, { name: 'design' }));
    }
    if (slots > 0) {
      const threads = new Threads<LiveThreadTask, void>({ ...nowAndThen, maxThreads: liveThreads }, onStray);
      this.live = new LiveThreads(threads, liveThreads, (err) => {
        log?.error({ err }, 'a thread that decodes live audio died; others decode its streams again');
      });
    }
    const fileOptions = { ...nowAndThen, maxThreads: fileThreads };
    const resourceLimits = { maxOldGenerationSizeMb: LIMITS.fileHeapMb };
    this.fileThreads = new Threads({ ...fileOptions, resourceLimits }, onStray);
  }

  /** Streams open now. */
  get openStreams(): number {
    return this.streams.size;
  }

  /**
   * Leases a codec slot for a stream of any integer rate of 8,000–48,000 Hz.
   * @throws ServerError AT_CAPACITY when all are taken, UNSUPPORTED_SAMPLE_RATE, TOO_MANY_RATES
   */
  open(format: AudioFormat, sink: SampleSink, events: CodecStreamEvents): CodecStream {
    const { sample_rate: rateHz } = format;
    if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
      throw new ServerError('UNSUPPORTED_SAMPLE_RATE', `${rateHz} Hz.`);
    }
    if (sink.buffer !== this.streamSlab) throw new Error('The sink is not in the stream slab.');
    const index = this.freeSlots.at(-1);
    if (this.closed || index === undefined) throw new ServerError('AT_CAPACITY', 'No codec slot is free.');
    // The callback comes later, when `stream` exists.
    const filter = this.filterFor(rateHz, (error) => stream.filterDesigned(error));
    this.freeSlots.pop();
    const owner = {
      ready: (it: CodecStream) => this.enqueue(it),
      closed: (it: CodecStream) => {
        this.streams.delete(it.slotIndex);
        this.freeSlots.push(it.slotIndex);
      },
    };
    const stream: CodecStream = new CodecStream(this.codecSlab, index, format, sink, events, owner, filter);
    this.streams.set(index, stream);
    return stream;
  }

  /**
   * Decodes compressed audio as it arrives. The stream reports errors in the audio.
   * @throws ServerError AT_CAPACITY
   */
  openLive(request: LiveRequest, events: LiveStreamEvents): LiveStream {
    const live = this.live;
    if (this.closed || live === undefined || live.seats >= this.slots) {
      throw new ServerError('AT_CAPACITY', 'No decoder is free.');
    }
    return new LiveStream(request, live, events, this.keptMemory);
  }

  private filterFor(rateHz: number, tell: (error: ServerError | null) => void): FilterLease | null {
    return isCommonRate(rateHz) ? null : (this.oddRates?.lease(rateHz, tell) ?? null);
  }

  /**
   * Decodes a file piece by piece in a file thread. If the bytes fill their ArrayBuffer, it is transferred instead of
   * copied. The result reports errors in the file.
   * @throws ServerError TOO_MANY_UPLOADS
   */
  openFile(request: FileRequest): FilePieces {
    const { bytes } = request;
    const owned = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
    const moved = owned ? bytes : new Uint8Array(bytes); // a copy, since transferring a view takes its whole buffer
    if (this.fileThreads.queued >= LIMITS.maxQueuedFiles) throw new ServerError('TOO_MANY_UPLOADS');
    const stream = new FileStream({ ...request, bytes: moved }, async (task, transferList, signal) => {
      try {
        await this.fileThreads.run(task, { name: 'file', transferList, signal });
      } catch (error) {
        if (this.closed) throw new ServerError('DRAINING');
        if (!signal.aborted) this.log?.error({ err: error }, 'a file ended the thread that decoded it');
        throw error;
      } finally {
        this.files.delete(stream);
      }
    });
    this.files.add(stream);
    return stream;
  }

  /**
   * Decodes a whole file at once, as mono.
   * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG, TOO_MANY_UPLOADS
   */
  async decodeFile(bytes: Uint8Array, options: Omit<FileRequest, 'bytes' | 'separate'>): Promise<Int16Array> {
    const stream = this.openFile({ bytes, ...options });
    const pieces: Int16Array[] = [];
    for (let piece = await stream.next(); piece !== null; piece = await stream.next()) {
      pieces.push(...piece.channels);
    }
    return joinSamples(pieces);
  }

  /** Waits for running tasks, then ends the threads. Open streams get no more audio; files fail with DRAINING. */
  async close(): Promise<void> {
    this.closed = true;
    this.ready = [];
    this.oddRates?.close();
    for (const stream of this.files) stream.abandon(new ServerError('DRAINING'));
    const all = [this.streamThreads, this.live, this.fileThreads, this.designThread];
    await Promise.all(all.map((threads) => threads?.close()));
  }

  private enqueue(stream: CodecStream): void {
    this.ready.push(stream);
    this.planDispatch();
  }

  /** Dispatches soon, so that work from one turn of the event loop, or from one interval, shares a task. */
  private planDispatch(): void {
    if (this.dispatchPlanned || this.closed || this.runningTasks === this.threads) return;
    this.dispatchPlanned = true;
    const waitMs = this.lastTaskAtMs + this.taskIntervalMs - performance.now();
    if (waitMs > 0) setTimeout(() => this.dispatch(), waitMs);
    else setImmediate(() => this.dispatch());
  }

  private dispatch(): void {
    this.dispatchPlanned = false;
    while (this.runningTasks < this.threads && this.ready.length > 0 && !this.closed) {
      this.lastTaskAtMs = performance.now();
      const share = Math.ceil(this.ready.length / (this.threads - this.runningTasks));
      void this.runTask(this.ready.splice(0, Math.min(share, this.maxBatch)));
    }
  }

  private async runTask(batch: CodecStream[]): Promise<void> {
    this.runningTasks += 1;
    const indices = batch.map((stream) => stream.beginJob());
    let failure: unknown;
    try {
      const failures = await this.streamThreads?.run(indices, { name: 'streams' });
      for (const { slot, reason } of failures ?? []) this.log?.error({ slot, reason }, 'a codec job failed');
    } catch (error) {
      failure = error; // each slot shows whether its job was finished
      this.log?.error({ err: error, streams: batch.length }, 'a codec thread died; its jobs run again');
    }
    this.runningTasks -= 1;
    for (const stream of batch) stream.endJob(failure);
    if (this.ready.length > 0) this.planDispatch();
  }
}
