/**
 * A pool of worker threads that never ends a thread during its work or while it is loading: inside native code, or while
 * a native library is loaded, that would abort the whole process. Piscina's own `close` gives a busy thread half a
 * minute; this one waits for it.
 */
import { once } from 'node:events';
import type { MessagePort, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';

/** What loads a worker in its thread. */
const ENTRY = new URL('../workers/entry.cjs', import.meta.url).href;

type PoolOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;

export interface ThreadOptions extends Omit<PoolOptions, 'filename' | 'argv'> {
  /** The worker, an ES module, as a file: URL. */
  readonly filename: string;
  readonly maxThreads: number;
}

export interface ThreadTaskOptions {
  readonly name?: string;
  readonly transferList?: readonly (ArrayBuffer | MessagePort)[];
  readonly signal?: AbortSignal;
}

export class Threads<Task, Answer> {
  private readonly pool: Piscina<Task, Answer>;
  private readonly most: number;
  /** Threads that have loaded their worker. */
  private readonly loaded = new WeakSet<Worker>();
  private readonly waiting: { start(): void; refuse(error: Error): void }[] = [];
  private running = 0;
  private closing: Promise<void> | null = null;
  private tellIdle: (() => void) | null = null;

  /** @param onStray an error of a thread outside of any task; the thread has already been replaced */
  constructor(options: ThreadOptions, onStray: (error: unknown) => void) {
    this.pool = new Piscina<Task, Answer>({ ...options, filename: ENTRY, argv: [options.filename] });
    this.most = options.maxThreads;
    // Piscina calls its first threads ready from the start; it tells of the others when they have loaded.
    const first = new WeakSet(this.pool.threads);
    for (const thread of this.pool.threads) thread.once('message', () => this.loaded.add(thread));
    this.pool.on('workerCreate', ({ id }: { id: number }) => {
      const thread = this.pool.threads.find(({ threadId }) => threadId === id);
      if (thread !== undefined && !first.has(thread)) this.loaded.add(thread);
    });
    this.pool.on('error', onStray); // without a listener the error would end the process
  }

  /** Tasks that wait for a thread; their number is limited by the caller. */
  get queued(): number {
    return this.waiting.length;
  }

  /**
   * Runs a task. Rejects with the task's error, with the error of a thread that died in it, or, if the pool is closed
   * before the task began, with an error that says so. Only its own `signal` aborts a running task, by ending the
   * thread; that is for threads without native code (WebAssembly is fine).
   */
  async run(task: Task, options: ThreadTaskOptions = {}): Promise<Answer> {
    if (this.closing !== null) throw new Error('The threads are closed.');
    if (this.running >= this.most) {
      await this.turn(options.signal);
    } else {
      this.running++;
    }
    try {
      options.signal?.throwIfAborted();
      return await this.pool.run(task, options as Parameters<typeof this.pool.run>[1]);
    } finally {
      this.next();
    }
  }

  /** Whether a task is running. */
  get busy(): boolean {
    return this.running > 0;
  }

  /** Waits for running tasks and loading threads, however long they take, then ends the threads. Waiting tasks are refused. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    for (const { refuse } of this.waiting.splice(0)) refuse(new Error('The threads are closed.'));
    if (this.running > 0) {
      await new Promise<void>((resolve) => {
        this.tellIdle = resolve;
      });
    }
    for (;;) {
      const thread = this.pool.threads.find((it) => !this.loaded.has(it));
      if (thread === undefined) break;
      thread.ref(); // the process must not exit either
      // If it dies, Piscina may have replaced it.
      await Promise.race([once(thread, 'message'), once(thread, 'exit')]).catch(() => {});
      this.loaded.add(thread);
    }
    await this.pool.destroy();
  }

  /** Waits for a thread. An aborted task leaves the queue at once. */
  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const settle = (tell: () => void): void => {
        signal?.removeEventListener('abort', leave);
        tell();
      };
      const waiter = { start: () => settle(resolve), refuse: (error: Error) => settle(() => reject(error)) };
      signal?.throwIfAborted();
      signal?.addEventListener('abort', leave, { once: true });
      this.waiting.push(waiter);
    });
  }

  /** A task has ended: its thread goes to the task that has waited longest. */
  private next(): void {
    const first = this.waiting.shift();
    if (first !== undefined) {
      first.start();
    } else if (--this.running === 0) {
      this.tellIdle?.();
    }
  }
}
