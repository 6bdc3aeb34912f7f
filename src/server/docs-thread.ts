/**
 * The pages of `/docs/`, made in a thread of their own when they are first requested. The thread ends when it is idle.
 */
import type { DocsData, DocsTask } from '../docs/task.js';
import type { Logger } from '../log.js';
import { workerUrl } from '../paths.js';
import { Threads } from '../threads.js';

const IDLE_MS = 30_000;

/** Texts that are made once each; there are only as many as documents. */
export class MadeOnce<Task> {
  private readonly make: (task: Task) => Promise<string>;
  private readonly keeps: boolean;
  private readonly made = new Map<string, Promise<string>>();

  /** @param keeps false: a text is made again for each request that does not come while it is being made */
  constructor(make: (task: Task) => Promise<string>, keeps: boolean) {
    this.make = make;
    this.keeps = keeps;
  }

  get(task: Task): Promise<string> {
    const key = JSON.stringify(task);
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const forget = (): void => void this.made.delete(key);
    const made = this.make(task);
    this.made.set(key, made);
    made.then(() => this.keeps || forget(), forget);
    return made;
  }
}

export class DocsThread {
  private readonly threads: Threads<DocsTask, string>;
  private readonly texts: MadeOnce<DocsTask>;

  /** @param options `keeps`: false reads every document again each time, for editing */
  constructor(workerData: DocsData, { keeps, log }: { keeps: boolean; log: Logger }) {
    const filename = workerUrl('docs');
    this.threads = new Threads(
      { filename, workerData, minThreads: 0, maxThreads: 1, idleTimeout: IDLE_MS, recordTiming: false },
      (err) => log.error({ err }, 'the thread of the documents died between two tasks'),
    );
    this.texts = new MadeOnce((task) => this.threads.run(task), keeps);
  }

  get(task: DocsTask): Promise<string> {
    return this.texts.get(task);
  }

  close(): Promise<void> {
    return this.threads.close();
  }
}
