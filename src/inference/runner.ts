/**
 * Runs any graph a few times, in a thread of its own: for checking a graph before it is served. Native inference blocks its
 * thread, and ONNX Runtime belongs to workers alone.
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
  // A thread that dies between two runs is replaced, and the next run makes its session anew.
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
   * Runs a graph on the CPU, one thread. The session of the last graph is kept.
   * @throws Error with the runtime's own words
   */
  run(graph: RunnerTask['graph'], feeds: RunnerTask['feeds']): Promise<RunnerAnswer> {
    return this.thread.run({ graph, feeds });
  }

  /** Lets a running graph end, then ends the thread. */
  close(): Promise<void> {
    return this.thread.close();
  }
}
