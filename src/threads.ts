/**
 * A pool of worker threads that never ends a thread during its work: inside native code that would abort the whole
 * process. Piscina's own `close` gives a busy thread half a minute; this one waits for it.
 */
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';

export type ThreadOptions = ConstructorParameters<typeof Piscina>[0] & { readonly maxThreads: number };

export interface ThreadTaskOptions {
  readonly name?: string;
  readonly transferList?: readonly (ArrayBuffer | MessagePort)[];
  readonly signal?: AbortSignal;
}

export class Threads<Task, Answer> {
  private readonly pool: Piscina<Task, Answer>;
  private readonly most: number;
  private readonly waiting: { start(): void; refuse(error: Error): void }[] = [];
  private running = 0;
  private closing: Promise<void> | null = null;
  private tellIdle: (() => void) | null = null;

  /** @param onStray an error of a thread outside of any task; the thread has already been replaced */
  constructor(options: ThreadOptions, onStray: (error: unknown) => void) {
    this.pool = new Piscina<Task, Answer>(options);
    this.most = options.maxThreads;
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

  /** Waits for running tasks, however long they take, then ends the threads. Waiting tasks are refused. */
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
