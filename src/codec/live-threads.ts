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
  /** Samples per channel, at the beginning, that are not wanted: another thread has decoded them. */
  readonly skip: number;
  readonly port: MessagePort;
  /** Number of the stream in its thread, from 1. */
  readonly id: number;
}

/**
 * Input of a thread: streams arrive through the port, until it is closed. In `atWork` (one int32 in shared memory) the
 * thread writes which stream it decodes, so that a stuck stream is known from outside.
 */
export interface LiveThreadTask {
  readonly port: MessagePort;
  readonly atWork: Int32Array<SharedArrayBuffer>;
}

/**
 * The thread of a stream has died.
 * @param wasAtWork it was decoding this stream
 */
export type OnGone = (wasAtWork: boolean) => void;

/** A stream's place in a thread. */
export interface LiveSeat {
  /** The stream has ended. */
  leave(): void;
  /** The thread is stuck: ends it. All of its streams are told. */
  endThread(): void;
}

export class LiveThreads {
  private readonly threads: Threads<LiveThreadTask, void>;
  private readonly most: number;
  private readonly onDied: (error: unknown) => void;
  private readonly running = new Set<LiveThread>();

  /** @param onDied called when a thread died that had streams */
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
  sit(task: Omit<LiveTask, 'id'>, onGone: OnGone): LiveSeat {
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
  /** Streams by number, each with its callback for the death of the thread. */
  readonly seats = new Map<number, OnGone>();
  private readonly atWork = new Int32Array(new SharedArrayBuffer(4));
  private lastId = 0;
  private readonly port: MessagePort;
  private readonly aborter = new AbortController();
  private readonly onEnd: () => void;

  constructor(threads: Threads<LiveThreadTask, void>, onEnd: () => void, onDied: (error: unknown) => void) {
    this.onEnd = onEnd;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const options = { name: 'live', transferList: [port2], signal: this.aborter.signal };
    threads.run({ port: port2, atWork: this.atWork }, options).catch((error: unknown) => {
      const gone = [...this.seats];
      const atWork = Atomics.load(this.atWork, 0);
      this.end();
      if (gone.length > 0) onDied(error);
      for (const [id, tell] of gone) tell(id === atWork);
    });
  }

  sit(task: Omit<LiveTask, 'id'>, onGone: OnGone): LiveSeat {
    this.lastId += 1;
    const id = this.lastId;
    this.seats.set(id, onGone);
    const numbered: LiveTask = { ...task, id };
    this.port.postMessage(numbered, [task.port]);
    return {
      leave: () => {
        if (this.seats.delete(id) && this.seats.size === 0) this.end();
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
