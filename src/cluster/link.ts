/**
 * The connection to the fleet's Redis. There is one connection; when it is lost, it is reopened, without a limit on
 * attempts. Until it is back, every call is refused at once and nothing is queued. Calls are limited in time, number
 * and bytes. The caller gets an answer or an error within `clusterCallMs`. A call that timed out still counts until it
 * is answered or its connection ends.
 */
import { createHash } from 'node:crypto';
import { LIMITS } from '../limits.js';
import type { RedisAddress } from '../option-schemas.js';
import { within } from '../within.js';

/** The part of the library's client in use. Its own types list every Redis command. */
interface Client {
  connect(): Promise<unknown>;
  sendCommand(args: readonly (string | Buffer)[], options: object): Promise<unknown>;
  destroy(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** In replies, strings are bytes, integers are numbers, and missing values are null. */
export type Reply = Buffer | number | null | readonly Reply[];

/** A Lua program. Redis runs it atomically. */
export class Script {
  readonly text: string;
  readonly sha: string;

  constructor(text: string) {
    this.text = text;
    this.sha = createHash('sha1').update(text).digest('hex');
  }
}

/** Start of programs that need Redis's own clock, in milliseconds, since the servers' clocks may differ. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

export interface LinkTiming {
  readonly callMs: number;
  readonly stallMs: number;
  readonly connectMs: number;
  readonly retryMs: number;
}

const TIMING: LinkTiming = {
  callMs: LIMITS.clusterCallMs,
  stallMs: LIMITS.clusterStallMs,
  connectMs: LIMITS.clusterConnectMs,
  retryMs: LIMITS.clusterRetryMs,
};

/** Wait before the first attempt to reconnect. */
const FIRST_RETRY_MS = 100;

export interface LinkEvents {
  /** The connection is open: calls are sent from now on. */
  up(): void;
  /** The connection was lost, or an attempt failed. */
  down(reason: Error): void;
}

interface Call {
  readonly startedMs: number;
  readonly bytes: number;
}

export class RedisLink {
  private readonly address: RedisAddress;
  private readonly scripts: readonly Script[];
  private readonly events: LinkEvents;
  readonly timing: LinkTiming;
  private client: Client | null = null;
  private ready = false;
  private closed = false;
  private failures = 0;
  private retry: NodeJS.Timeout | undefined;
  /** Calls under way, oldest first: Redis answers in order. */
  private readonly calls = new Set<Call>();
  private callBytes = 0;
  private answerAsBytes: object = {};

  /** @param scripts loaded before anything else is sent, so that calls keep their order */
  constructor(
    address: RedisAddress,
    scripts: readonly Script[],
    events: LinkEvents,
    timing: Partial<LinkTiming> = {},
  ) {
    this.address = address;
    this.scripts = scripts;
    this.events = events;
    this.timing = { ...TIMING, ...timing };
  }

  get connected(): boolean {
    return this.ready;
  }

  /** Starts connecting; returns at once. */
  open(): void {
    void this.connect();
  }

  /**
   * Runs a program.
   * @throws Error without a connection, with too many calls under way, without an answer in time, or if Redis refuses
   * it
   */
  async run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.send(['EVAL', script.text, ...rest]); // the script cache was flushed
    }
  }

  /** @throws Error as `run` does */
  async send(command: readonly (string | Buffer)[]): Promise<Reply> {
    const { client } = this;
    if (client === null || !this.ready) throw new Error('not connected');
    this.dropIfStalled();
    let bytes = 0;
    for (const part of command) bytes += part.length;
    if (this.calls.size >= LIMITS.clusterCalls || this.callBytes + bytes > LIMITS.clusterCallBytes) {
      throw new Error('too many calls are under way');
    }
    const call = { startedMs: performance.now(), bytes };
    this.calls.add(call);
    this.callBytes += bytes;
    const answer = client.sendCommand(command, this.answerAsBytes).finally(() => {
      this.calls.delete(call);
      this.callBytes -= bytes;
    });
    const { callMs } = this.timing;
    return within(callMs, answer as Promise<Reply>, `no answer within ${callMs} ms`);
  }

  /** Drops the connection and opens a new one, since the wrong server answered: its name may now resolve elsewhere. */
  renew(reason: Error): void {
    this.lost(this.client, reason);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.retry);
    this.discard();
  }

  private dropIfStalled(): void {
    const [oldest] = this.calls;
    if (oldest === undefined || performance.now() - oldest.startedMs < this.timing.stallMs) return;
    const reason = new Error(`no answer for ${this.timing.stallMs} ms`);
    this.lost(this.client, reason);
    throw reason;
  }

  private async connect(): Promise<void> {
    let client: Client | null = null;
    try {
      // Only a server of a fleet loads the library.
      const { createClient, RESP_TYPES } = await import('@redis/client');
      if (this.closed) return;
      this.answerAsBytes = {
        typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer },
      };
      const made = createClient(this.options()) as unknown as Client;
      client = made;
      this.client = made;
      made.on('error', (error) => this.lost(made, error));
      const { connectMs } = this.timing;
      await within(connectMs, this.begin(made), `no answer within ${connectMs} ms`);
      if (this.client !== made) return;
      this.ready = true;
      this.failures = 0;
      this.events.up();
    } catch (error) {
      this.lost(client, error instanceof Error ? error : new Error(String(error)));
    }
  }

  private async begin(client: Client): Promise<void> {
    await client.connect();
    await Promise.all(this.scripts.map(({ text }) => client.sendCommand(['SCRIPT', 'LOAD', text], {})));
  }

  private options() {
    const { tls, host, port, username, password, database } = this.address;
    const reach = { host, port, connectTimeout: this.timing.connectMs, reconnectStrategy: false as const };
    return {
      socket: tls ? { ...reach, tls: true as const } : reach,
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      database,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: 'disabled' as const,
    };
  }

  /** Reports each loss once, though the library may report it several times. */
  private lost(client: Client | null, reason: Error): void {
    if (this.closed || this.client !== client) return;
    this.discard();
    const waitMs = Math.min(this.timing.retryMs, FIRST_RETRY_MS * 2 ** Math.min(this.failures, 16));
    this.failures++;
    // Half of the wait is random, so that the servers of a fleet do not reconnect all at once.
    const delayMs = waitMs * (0.5 + Math.random() / 2);
    this.retry = setTimeout(() => void this.connect(), delayMs);
    this.retry.unref();
    this.events.down(reason);
  }

  private discard(): void {
    const { client } = this;
    this.client = null;
    this.ready = false;
    client?.on('error', () => {}); // ignores later errors
    client?.destroy();
  }
}
