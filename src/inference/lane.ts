/**
 * The main thread's side of a lane: a pool of one thread. With one thread per pool, work can be placed on a lane
 * without blocking the queue of the others. A running step is never aborted.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServerError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Model } from '../models/store.js';
import { workerUrl } from '../paths.js';
import { Threads } from '../threads.js';
import { within } from '../within.js';
import type { BatchLane } from './batch-lane.js';
import type { LaneAnswer, LaneSetup, LaneTask, Provider } from './messages.js';
import type { StreamTable } from './stream-table.js';

/** Options common to all lanes of an engine. */
export type LaneOptions = Pick<LaneSetup, 'provider' | 'maxBatch' | 'threads' | 'longestStepMs'> & {
  /** The worker of the threads; tests use one whose steps hang or die. */
  readonly worker?: string;
};

/** `hung`: its step does not return, and the replacement thread is not ready yet. */
export type LaneState = 'starting' | 'ready' | 'restarting' | 'hung' | 'lost' | 'closed';

type LaneThread = Threads<LaneTask, LaneAnswer>;

/** Recreating a session counts as hung after this many times the time at the start, and not before a minimum. */
const TIMES_FIRST_INIT = 20;
const LEAST_INIT_MS = 60_000;

export class Lane implements BatchLane {
  readonly id: number;
  readonly provider: Provider;
  batch: Int32Array;
  state: LaneState = 'starting';
  steps = 0;
  busyMs = 0;
  restarts = 0;
  /** Abandoned threads that have not returned; each is still in native code. */
  private readonly hung = new Set<LaneThread>();
  private thread: LaneThread;
  private readonly setup: Omit<LaneSetup, 'batch'>;
  private readonly worker: string;
  private readonly log: Logger;
  /** Time limit for recreating a session; known after the first creation. */
  private initLimitMs = Number.POSITIVE_INFINITY;
  /** Ends the wait of `close` for a thread that turns out to hang. */
  private giveUpClosing: () => void = () => {};
  private readonly stepTask: { kind: 'step'; count: number } = { kind: 'step', count: 0 };

  constructor(id: number, model: Model, table: StreamTable, options: LaneOptions, log: Logger) {
    this.id = id;
    const { worker = workerUrl('lane'), ...settings } = options;
    this.provider = options.provider;
    this.worker = worker;
    this.log = log;
    const { inputs, outputs } = model.manifest;
    this.setup = {
      slab: table.slab,
      layout: table.layout,
      graphPath: model.graphPath,
      ...settings,
      names: {
        audio: inputs.audio,
        tokens: outputs.tokens,
        logp: outputs.logp,
        vad: outputs.vad ?? null,
        times: outputs.times ?? null,
        preview: outputs.preview ?? null,
        previewLogp: outputs.previewLogp ?? null,
        hotwords: table.layout.hotwordInts > 0 ? (inputs.hotwords ?? null) : null,
        prompt: inputs.prompt ?? null,
      },
    };
    ({ batch: this.batch, thread: this.thread } = this.start());
  }

  /** A thread and the memory from which it reads its batch. A thread that hangs may still read its old memory. */
  private start(): { batch: Int32Array; thread: LaneThread } {
    const batch = new SharedArrayBuffer(this.setup.maxBatch * 4);
    const setup: LaneSetup = { ...this.setup, batch };
    const options = {
      filename: this.worker,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'sync',
      workerData: setup,
    } as const;
    // The next step will fail without a session, and the lane restarts.
    const onStray = (err: unknown) => this.log.error({ lane: this.id, err }, 'a lane died between two steps');
    return { batch: new Int32Array(batch), thread: new Threads(options, onStray) };
  }

  /** @throws ServerError PROVIDER_UNAVAILABLE or MODEL_INVALID, with the runtime's own message */
  async init(): Promise<void> {
    const { thread } = this;
    const beganMs = performance.now();
    try {
      await thread.run({ kind: 'init' });
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      const code = this.provider === 'cuda' ? 'PROVIDER_UNAVAILABLE' : 'MODEL_INVALID';
      throw new ServerError(code, words, { cause });
    }
    if (thread !== this.thread || this.hung.has(thread) || this.state === 'closed') return; // too late
    this.state = 'ready';
    if (Number.isFinite(this.initLimitMs)) return;
    this.initLimitMs = Math.max(LEAST_INIT_MS, TIMES_FIRST_INIT * (performance.now() - beganMs));
  }

  /** Number of abandoned threads that still hang and keep the process from exiting. */
  get hungThreads(): number {
    return this.hung.size;
  }

  probe(batch: number, repeats: number): Promise<LaneAnswer> {
    return this.thread.run({ kind: 'probe', batch, repeats });
  }

  async step(count: number): Promise<LaneAnswer> {
    const { thread } = this;
    this.stepTask.count = count;
    const answer = await thread.run(this.stepTask);
    if (thread !== this.thread) return answer; // it hung and was replaced
    this.steps++;
    this.busyMs += answer.stepMs;
    return answer;
  }

  /**
   * Recreates the session, in the same thread or in its replacement. This runs the graph on silence, so a lane that
   * succeeds is sound. A failure was then caused by the streams, however often it happens, and the batcher gives those
   * up. A lane that fails, or takes too long, is lost.
   */
  async recover(error: unknown): Promise<void> {
    if (this.state === 'closed') throw error;
    this.state = 'restarting';
    await this.initAgain();
  }

  /** Leaves its thread alone, since ending it in native code would end the process. It ends when its step returns. */
  abandon(): void {
    const { thread } = this;
    this.hung.add(thread);
    void thread.close().finally(() => this.hung.delete(thread));
    this.giveUpClosing();
    if (this.state !== 'closed') this.state = 'hung';
  }

  /** Continues in another thread. Whatever the hanging thread does later is ignored. */
  async replace(): Promise<void> {
    if (this.state === 'closed') throw new Error('A step hung while the lane was closing.');
    ({ batch: this.batch, thread: this.thread } = this.start());
    await this.initAgain();
  }

  private async initAgain(): Promise<void> {
    this.restarts++;
    const seconds = Math.round(this.initLimitMs / 1000);
    try {
      await within(this.initLimitMs, this.init(), `no session within ${seconds} s`);
    } catch (again) {
      if (this.thread.busy) this.abandon();
      this.state = 'lost';
      throw again;
    }
  }

  /** Ends the thread after its current step. Does not wait for threads that hang. */
  async close(): Promise<void> {
    this.state = 'closed';
    if (this.hung.has(this.thread)) return;
    const givenUp = new Promise<void>((resolve) => {
      this.giveUpClosing = resolve;
    });
    await Promise.race([this.thread.close(), givenUp]);
  }
}

/**
 * Why CUDA cannot be loaded, or null if its provider library is next to the runtime. The driver's own libraries may
 * still be missing; creating the session then fails and names them.
 */
export function cudaProblem(): string | null {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
  const library = 'libonnxruntime_providers_cuda.so';
  return existsSync(join(folder, library))
    ? null
    : `${library} is not next to ONNX Runtime (docs/DEPLOYMENT.md, CUDA)`;
}
