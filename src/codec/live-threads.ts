/**
 * The threads that decode compressed streams. Each runs a single task that holds many streams. Piscina gives a thread
 * with an abortable task no second task, and a stuck thread must be aborted.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { LiveRequest } from '../audio/live/decode.js';
import type { Threads } from '../threads.js';

/** A stream, as described to its thread. */
export interface LiveTask {
  readonly request: LiveRequest;
  readonly port: MessagePort;
}

/** Input of a thread: streams arrive through the port, until it is closed. */
export interface LiveThreadTask {
  readonly port: MessagePort;
}

/** A stream's place in a thread. */
export interface LiveSeat {
  /** The stream has ended. */
  leave(): void;
  /** The thread is stuck: ends it, along with all streams that it decodes. */
  endThread(): void;
}

export class LiveThreads {
  private readonly threads: Threads<LiveThreadTask, void>;
  private readonly most: number;
  private readonly onDied: (error: unknown) => void;
  private readonly running = new Set<LiveThread>();

  /** @param onDied called when a thread died, along with its streams */
  constructor(threads: Threads<LiveThreadTask, void>, most: number, onDied: (error: unknown) => void) {
    this.threads = threads;
    this.most = most;
    this.onDied = onDied;
  }

  /** Streams in all threads. */
  get seats(): number {
    let sum = 0;
    for (const thread of this.running) sum += thread.seats.size;
    return sum;
  }

  /**
   * Adds a stream to the least busy thread.
   * @param onGone called when the thread died
   */
  sit(task: LiveTask, onGone: (error: unknown) => void): LiveSeat {
    const [least] = [...this.running].sort((a, b) => a.seats.size - b.seats.size);
    const isFull = this.running.size === this.most;
    const thread = least !== undefined && isFull ? least : this.begin();
    return thread.sit(task, onGone);
  }

  async close(): Promise<void> {
    for (const thread of this.running) thread.end();
    await this.threads.close();
  }

  private begin(): LiveThread {
    const thread: LiveThread = new LiveThread(this.threads, () => this.running.delete(thread), this.onDied);
    this.running.add(thread);
    return thread;
  }
}

class LiveThread {
  /** Callbacks for the death of the thread. */
  readonly seats = new Set<(error: unknown) => void>();
  private readonly port: MessagePort;
  private readonly aborter = new AbortController();
  private readonly onEnd: () => void;

  constructor(threads: Threads<LiveThreadTask, void>, onEnd: () => void, onDied: (error: unknown) => void) {
    this.onEnd = onEnd;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const options = { name: 'live', transferList: [port2], signal: this.aborter.signal };
    threads.run({ port: port2 }, options).catch((error: unknown) => {
      const gone = [...this.seats];
      this.end();
      if (gone.length > 0) onDied(error);
      for (const tell of gone) tell(error);
    });
  }

  sit(task: LiveTask, onGone: (error: unknown) => void): LiveSeat {
    const tell = (error: unknown): void => onGone(error);
    this.seats.add(tell);
    this.port.postMessage(task, [task.port]);
    return {
      leave: () => {
        if (this.seats.delete(tell) && this.seats.size === 0) this.end();
      },
      endThread: () => this.aborter.abort(),
    };
  }

  /** No stream is left: frees the thread for other tasks. */
  end(): void {
    this.seats.clear();
    this.port.close();
    this.onEnd();
  }
}
