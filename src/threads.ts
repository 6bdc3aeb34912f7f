/**
 * A pool of worker threads that never ends one in the middle of its work: that would abort the whole process if the
 * thread is inside native code. Piscina's own `close` gives a busy thread half a minute; this one waits for it.
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

  /** @param onStray an error of a thread outside of any task; the thread has been replaced already */
  constructor(options: ThreadOptions, onStray: (error: unknown) => void) {
    this.pool = new Piscina<Task, Answer>(options);
    this.most = options.maxThreads;
    this.pool.on('error', onStray); // without a listener it would end the process
  }

  /** Tasks that wait for a thread; the caller bounds them. */
  get queued(): number {
    return this.waiting.length;
  }

  /**
   * Rejects with what the task throws, with the error of a thread that died in it, and, if the pool is closed before
   * the task began, with an error that says so. A task that runs is never aborted, but by its own `signal`: that is for
   * threads without native code (WebAssembly is none), and ends the thread.
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

  /** Some task runs. */
  get busy(): boolean {
    return this.running > 0;
  }

  /** Lets what runs come to its end, however long that takes, and then ends the threads. What waits is refused. */
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

  /** Waits for a thread. A task that is aborted meanwhile leaves at once, and what it holds with it. */
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

  /** A task is over: its place goes to the one that waits longest. */
  private next(): void {
    const first = this.waiting.shift();
    if (first !== undefined) {
      first.start();
    } else if (--this.running === 0) {
      this.tellIdle?.();
    }
  }
}
