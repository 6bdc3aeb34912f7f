/**
 * The main thread's side of a lane: a pool of one thread. One thread a pool is what lets work be placed on a lane
 * without blocking the others' queue. A running step is never aborted.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServerError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Model } from '../models/store.js';
import { workerUrl } from '../paths.js';
import { Threads } from '../threads.js';
import type { BatchLane } from './batcher.js';
import type { LaneAnswer, LaneSetup, LaneTask, Provider } from './messages.js';
import type { StreamTable } from './stream-table.js';

/** What all lanes of an engine have in common. */
export type LaneOptions = Pick<LaneSetup, 'provider' | 'maxBatch' | 'threads' | 'longestStepMs'>;

export type LaneState = 'starting' | 'ready' | 'restarting' | 'lost' | 'closed';

export class Lane implements BatchLane {
  readonly id: number;
  readonly provider: Provider;
  readonly batch: Int32Array;
  state: LaneState = 'starting';
  steps = 0;
  busyMs = 0;
  restarts = 0;
  private readonly thread: Threads<LaneTask, LaneAnswer>;
  private readonly stepTask: { kind: 'step'; count: number } = { kind: 'step', count: 0 };

  constructor(id: number, model: Model, table: StreamTable, options: LaneOptions, log: Logger) {
    this.id = id;
    this.provider = options.provider;
    const batch = new SharedArrayBuffer(options.maxBatch * 4);
    this.batch = new Int32Array(batch);
    const { inputs, outputs } = model.manifest;
    const setup: LaneSetup = {
      slab: table.slab,
      layout: table.layout,
      batch,
      graphPath: model.graphPath,
      ...options,
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
    const threadOptions = {
      filename: workerUrl('lane'),
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'sync',
      workerData: setup,
    } as const;
    // The next step will say that its session is gone, and the lane starts anew.
    this.thread = new Threads(threadOptions, (err) =>
      log.error({ lane: id, err }, 'a lane died between two steps'),
    );
  }

  /** @throws ServerError PROVIDER_UNAVAILABLE or MODEL_INVALID, with the runtime's own words */
  async init(): Promise<void> {
    try {
      await this.thread.run({ kind: 'init' });
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      const code = this.provider === 'cuda' ? 'PROVIDER_UNAVAILABLE' : 'MODEL_INVALID';
      throw new ServerError(code, words, { cause });
    }
    this.state = 'ready';
  }

  probe(batch: number, repeats: number): Promise<LaneAnswer> {
    return this.thread.run({ kind: 'probe', batch, repeats });
  }

  async step(count: number): Promise<LaneAnswer> {
    this.stepTask.count = count;
    const answer = await this.thread.run(this.stepTask);
    this.steps++;
    this.busyMs += answer.stepMs;
    return answer;
  }

  /**
   * Makes the session anew, in the same thread or in the one that replaces it. Making it runs the graph with silence, so
   * a lane that comes through is sound and what failed was the streams' own, however often that happens: the batcher
   * gives those up. One that does not come through is lost.
   */
  async recover(error: unknown): Promise<void> {
    if (this.state === 'closed') throw error;
    this.state = 'restarting';
    this.restarts++;
    try {
      await this.init();
    } catch (again) {
      this.state = 'lost';
      throw again;
    }
  }

  /** Lets a running step end, however long it takes, then ends the thread. */
  async close(): Promise<void> {
    this.state = 'closed';
    await this.thread.close();
  }
}

/**
 * Why CUDA cannot load here, or null when its provider library lies beside the runtime. The driver's own libraries
 * can still be missing: then making the session fails with their names.
 */
export function cudaProblem(): string | null {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
  const library = 'libonnxruntime_providers_cuda.so';
  return existsSync(join(folder, library))
    ? null
    : `${library} is not beside ONNX Runtime (docs/DEPLOYMENT.md, CUDA)`;
}
