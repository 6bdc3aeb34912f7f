/**
 * The client's part of resuming, exactly as docs/WEBSOCKET_API.md describes it: a list of items to send and the number
 * of the last message. Independent of the client library, so that the server is tested with both.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { eventsOf } from './seen-count.js';
import type { Message } from './ws-client.js';

/** Audio, or a control message at its place in it. */
export type Item = Uint8Array | { readonly type: string };

export interface ResumingOptions {
  readonly clientId: string;
  readonly sampleRate?: number;
  readonly frameBytes?: number;
  readonly config?: object;
  /** The next server, if not always the same. */
  next?(): string;
  /**
   * The session may be lost while nothing is final: its server died before the fleet knew of the recording. A new
   * session then records everything again.
   */
  readonly mayExpire?: boolean;
  /** Makes a connection, if not as usual. */
  open?(address: string): WebSocket;
  /** How long to wait before connecting again. */
  readonly retryMs?: number;
  /** Awaited before each item is sent. */
  beforeItem?(client: ResumingClient, item: Item): Promise<void>;
  /**
   * A server to which it reconnects twice at once, with the same token, whenever `wanted` says so, over a network that
   * does not break. The one that loses is recognised by its end; the client itself then cuts the other.
   */
  readonly twice?: { readonly url: string; wanted(): boolean };
}

const MOST_RECONNECTIONS = 200;

export class ResumingClient {
  /** All messages by number, once each; without `resumed`. */
  readonly told: Message[] = [];
  reconnections = 0;
  expirations = 0;
  /** Number of resumptions by the state that they found. */
  readonly found: Record<string, number> = {};
  private readonly url: string;
  private readonly items: Iterable<Item>;
  private readonly options: ResumingOptions;
  private token: string | null = null;
  private readonly waiting: (() => void)[] = [];
  private started = false;
  private next = 0;
  private resolve: () => void = () => {};
  private reject: (error: unknown) => void = () => {};

  constructor(url: string, items: Iterable<Item>, options: ResumingOptions) {
    this.url = url;
    this.items = items;
    this.options = options;
  }

  /** Records all items over as many connections as needed. Resolves with the messages. */
  async run(): Promise<Message[]> {
    const done = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.connect();
    await done;
    return this.told;
  }

  /** Resolves when something new was told. */
  news(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private address(url: string): string {
    const query = new URLSearchParams({ client_id: this.options.clientId, resumable: '1' });
    if (this.token !== null) {
      query.set('resume', this.token);
      query.set('last_seq', String(this.told.length));
      query.set('events', eventsOf(this.told));
    }
    return `${url}?${query}`;
  }

  private connect(): void {
    const { twice } = this.options;
    const both = this.token !== null && twice?.wanted() ? twice : null;
    const address = this.address(both?.url ?? this.options.next?.() ?? this.url);
    const sockets = Array.from(
      { length: both === null ? 1 : 2 },
      () => this.options.open?.(address) ?? new WebSocket(address),
    );
    let open = sockets.length;
    for (const socket of sockets) {
      const told: Message[] = [];
      socket.on('error', () => {});
      socket.on('message', (data) => {
        try {
          const message = JSON.parse(data.toString()) as Message;
          // With two connections, no message counts before it is clear which one continues.
          told.push(message);
          if (open === 1) for (const each of told.splice(0)) this.take(socket, each);
        } catch (error) {
          this.reject(error);
        }
      });
      socket.on('close', () => {
        open--;
        const left = sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED);
        if (open === 1) left[0]?.emit('survives');
        if (open === 0) this.again();
      });
      socket.on('survives', () => {
        for (const each of told.splice(0)) this.take(socket, each);
        setImmediate(() => socket.terminate());
      });
    }
  }

  private again(): void {
    if (this.told.some(({ type }) => type === 'recording_stopped')) return;
    this.reconnections++;
    if (this.reconnections > MOST_RECONNECTIONS) this.reject(new Error('The session cannot be had again.'));
    else if (this.options.retryMs === undefined) this.connect();
    else setTimeout(() => this.connect(), this.options.retryMs);
  }

  private take(socket: WebSocket, message: Message): void {
    if (message.code === 'RESUME_EXPIRED' && this.options.mayExpire) this.expired();
    if (message.type === 'resumed') this.resumed(socket, message);
    else if (message.seq <= this.told.length)
      return; // replayed, and known
    else {
      assert.equal(message.seq, this.told.length + 1, JSON.stringify(message));
      this.told.push(message);
      for (const tell of this.waiting.splice(0)) tell();
      this.act(socket, message);
    }
  }

  private expired(): void {
    assert.ok(
      this.told.every(({ type }) => type !== 'transcription'),
      'a session with finals was lost',
    );
    this.expirations++;
    this.told.length = 0;
    this.token = null;
    this.started = false;
  }

  private act(socket: WebSocket, message: Message): void {
    switch (message.type) {
      case 'connection':
        this.token = message.resume_token;
        this.start(socket);
        break;
      case 'recording_started':
        // Sent again after `resumed`, which has already given the position.
        if (!this.started) void this.send(socket);
        this.started = true;
        break;
      case 'recording_stopped':
        socket.close();
        this.resolve();
        break;
      case 'error':
        if (message.code === 'RESUME_EXPIRED' && this.options.mayExpire) return;
        throw new Error(`${message.code}: ${message.detail ?? message.error}`);
      default:
    }
  }

  private start(socket: WebSocket): void {
    const { sampleRate = 16_000, config } = this.options;
    socket.send(JSON.stringify({ type: 'start_recording', config: { sample_rate: sampleRate, ...config } }));
  }

  private resumed(socket: WebSocket, message: Message): void {
    this.token = message.resume_token;
    this.found[message.state] = (this.found[message.state] ?? 0) + 1;
    if (message.state === 'idle' && !this.started) this.start(socket);
    if (message.state !== 'recording') return;
    this.started = true;
    void this.send(socket, message.received_samples, message.received_controls);
  }

  /** Sends everything after `samples`, without the first `controls`. */
  private async send(socket: WebSocket, samples = 0, controls = 0): Promise<void> {
    const { sampleRate = 16_000, frameBytes = 2 } = this.options;
    const frames = (samples * sampleRate) / 16_000;
    assert.ok(Number.isInteger(frames), `${samples} samples are no whole number of frames`);
    const from = frames * frameBytes;
    this.next++;
    const mine = this.next;
    let at = 0;
    let seen = 0;
    for (const item of this.items) {
      const isSent = item instanceof Uint8Array ? at + item.length > from : seen >= controls;
      if (isSent) await this.options.beforeItem?.(this, item);
      if (socket.readyState !== WebSocket.OPEN || mine !== this.next) return;
      if (item instanceof Uint8Array) {
        if (isSent) socket.send(item.subarray(Math.max(0, from - at)));
        at += item.length;
      } else if (++seen > controls) socket.send(JSON.stringify(item));
      if (socket.bufferedAmount > 65_536) await Promise.race([drained(socket), once(socket, 'close')]);
    }
  }
}

const drained = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => socket.ping('', undefined, () => resolve()));
