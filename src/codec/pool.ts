/**
 * Audio that needs resampling, and files, are decoded off the main thread in two pools of threads.
 *
 * Streams: continuous micro-batching, as in the lanes. Raw frames are copied to the stream's FIFO in shared
 * memory; when a thread is free it takes every stream that has something to do, as one task that carries slot
 * numbers only. While the threads are busy, work gathers. A task is never aborted.
 *
 * Compressed streams: threads of their own, each of which decodes many in turns: a decoder's state cannot be moved.
 *
 * Files: threads of their own, so that a long upload never delays a live stream. A file has its thread until it is
 * recognised: pieces are decoded as they are asked for.
 *
 * Filters of odd sample rates: one thread of its own, so that designing one never delays a stream of another rate.
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
import { LiveStream, type LiveStreamEvents } from './live-stream.js';
import { LiveThreads, type LiveThreadTask } from './live-threads.js';
import { type DesignTask, type FilterLease, filterSlabBytes, OddRates } from './odd-rates.js';
import { type CodecWorkerData, codecSlabBytes, type JobFailure } from './slab.js';
import { CodecStream, type CodecStreamEvents } from './stream.js';

export interface CodecPoolOptions {
  /** The stream table's slab: every sink that is opened lies in it. Without it the pool decodes files only. */
  readonly streamSlab?: SharedArrayBuffer;
  /** Streams that may be open at once. Memory is reserved, and touched only when used: 129 KiB each. */
  readonly slots?: number;
  /** Threads for streams. Default 1: it resamples some 300 streams of 48 kHz in real time. */
  readonly threads?: number;
  /** Streams in one task at most. Default 32. */
  readonly maxBatch?: number;
  /**
   * The least time between the starts of two tasks, ms; default 10. Jobs are so short that the threads are nearly
   * always free, and each chunk would travel as a task of its own, which costs the main thread more than all
   * else (measured with 128 streams of 48 kHz: 53–79 µs a chunk at 0 ms, 39–44 at 5 ms). A lone stream never waits.
   */
  readonly taskIntervalMs?: number;
  /** Threads for compressed streams, as many of which may be open as there are `slots`. Default 2. */
  readonly liveThreads?: number;
  /** Files that are decoded at once; others wait. Default 2. */
  readonly fileThreads?: number;
  /** Told of threads that die and of jobs that throw. Default: nobody is. */
  readonly log?: Logger;
}

/** How long a thread that is needed now and then is kept. */
const IDLE_MS = 30_000;

export class CodecPool {
  private readonly streamSlab: SharedArrayBuffer | undefined;
  private readonly codecSlab: SharedArrayBuffer;
  private readonly streamThreads: Threads<number[], readonly JobFailure[]> | undefined;
  private readonly fileThreads: Threads<FileTask, void>;
  private readonly files = new Set<FileStream>();
  private readonly live: LiveThreads | undefined;
  private readonly slots: number;
  private readonly designThread: Threads<DesignTask, void> | undefined;
  private readonly oddRates: OddRates | undefined;
  private readonly log: Logger | undefined;
  private readonly threads: number;
  private readonly maxBatch: number;
  private readonly taskIntervalMs: number;
  private readonly freeSlots: number[];
  private readonly streams = new Map<number, CodecStream>();
  /** Streams with work to do and not in a task, oldest first; each at most once. */
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
    const filename = workerUrl('codec');
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
        log?.error({ err }, 'a thread that decodes live audio died');
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
   * Leases a codec slot for a stream of a whole rate of 8,000–48,000 Hz.
   * @throws ServerError AT_CAPACITY when all are taken, UNSUPPORTED_SAMPLE_RATE, TOO_MANY_RATES
   */
  open(format: AudioFormat, sink: SampleSink, events: CodecStreamEvents): CodecStream {
    const { sample_rate: rateHz } = format;
    if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
      throw new ServerError('UNSUPPORTED_SAMPLE_RATE', `${rateHz} Hz.`);
    }
    if (sink.buffer !== this.streamSlab) throw new Error('The sink lies outside of the stream slab.');
    const index = this.freeSlots.at(-1);
    if (this.closed || index === undefined) throw new ServerError('AT_CAPACITY', 'No codec slot is free.');
    // Told later than here, so the stream is there by then.
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
   * Decodes compressed audio as it arrives. What is wrong with it is told by the stream.
   * @throws ServerError AT_CAPACITY
   */
  openLive(request: LiveRequest, events: LiveStreamEvents): LiveStream {
    const live = this.live;
    if (this.closed || live === undefined || live.seats >= this.slots) {
      throw new ServerError('AT_CAPACITY', 'No decoder is free.');
    }
    return new LiveStream(request, live, events);
  }

  private filterFor(rateHz: number, tell: (error: ServerError | null) => void): FilterLease | null {
    return isCommonRate(rateHz) ? null : (this.oddRates?.lease(rateHz, tell) ?? null);
  }

  /**
   * Decodes a file piece by piece in a file thread. If the bytes fill their ArrayBuffer it is taken over, not copied.
   * What is wrong with the file is told by the stream.
   * @throws ServerError TOO_MANY_UPLOADS
   */
  openFile(request: FileRequest): FilePieces {
    const { bytes } = request;
    const owned = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength;
    const moved = owned ? bytes : new Uint8Array(bytes); // a copy: a view would take all of its buffer along
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
   * All of a file at once, mono.
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

  /** Waits for what is running, then ends the threads. Open streams get nothing more, files DRAINING. */
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

  /** Soon: what arrives in one turn of the event loop, or within the interval, travels together. */
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
      failure = error; // each slot says whether its job was finished
      this.log?.error({ err: error, streams: batch.length }, 'a codec thread died; its jobs run again');
    }
    this.runningTasks -= 1;
    for (const stream of batch) stream.endJob(failure);
    if (this.ready.length > 0) this.planDispatch();
  }
}
