/**
 * Runs any graph a few times, in a separate thread, to check it before it is served. Native inference blocks its
 * thread, and ONNX Runtime is loaded only in workers.
 */
import { workerUrl } from '../paths.js';
import { Threads } from '../threads.js';

export interface GraphTensor {
  readonly type: 'float32' | 'int32' | 'int64';
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
}

export interface RunnerTask {
  /** A path, or the bytes of a graph without external data. */
  readonly graph: string | Uint8Array;
  readonly feeds: Readonly<Record<string, GraphTensor>>;
}

export interface RunnerAnswer {
  readonly outputs: Readonly<Record<string, GraphTensor>>;
  /** Milliseconds in session.run() alone. */
  readonly runMs: number;
}

export class GraphRunner {
  // A thread that dies between runs is replaced; the next run creates its session again.
  private readonly thread = new Threads<RunnerTask, RunnerAnswer>(
    {
      filename: workerUrl('runner'),
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
    },
    () => {},
  );

  /**
   * Runs a graph on one CPU thread. The session of the last graph is kept.
   * @throws Error with the runtime's own message
   */
  run(graph: RunnerTask['graph'], feeds: RunnerTask['feeds']): Promise<RunnerAnswer> {
    return this.thread.run({ graph, feeds });
  }

  /** Ends the thread after the current run. */
  close(): Promise<void> {
    return this.thread.close();
  }
}
