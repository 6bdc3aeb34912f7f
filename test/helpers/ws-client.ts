/** A plain WebSocket client that waits for given messages. No timers: the test runner's time limit applies. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look at fields of all kinds of messages
export type Message = Record<string, any>;

export class TestClient {
  readonly received: Message[] = [];
  closeCode: number | null = null;
  readonly socket: WebSocket;
  private readonly waiting = new Set<() => void>();
  private read = 0;

  constructor(url: string, options: ConstructorParameters<typeof WebSocket>[2] = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => {
      this.received.push(JSON.parse(data.toString()) as Message);
      this.wake();
    });
    this.socket.on('close', (code) => {
      this.closeCode = code;
      this.wake();
    });
    this.socket.on('error', () => this.wake());
  }

  static async open(url: string, options?: ConstructorParameters<typeof WebSocket>[2]): Promise<TestClient> {
    const client = new TestClient(url, options);
    await client.until('connection');
    return client;
  }

  /** A client that records: it holds a slot. */
  static async recording(url: string): Promise<TestClient> {
    const client = await TestClient.open(url);
    client.say({ type: 'start_recording' });
    await client.until('recording_started');
    return client;
  }

  private wake(): void {
    for (const wake of [...this.waiting]) wake();
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.waiting.delete(wake);
        resolve();
      };
      this.waiting.add(wake);
    });
  }

  /** The next unread message of this type; those before it count as read. */
  async until(type: string): Promise<Message> {
    for (;;) {
      for (; this.read < this.received.length; this.read++) {
        const message = this.received[this.read];
        if (message?.type === type) {
          this.read++;
          return message;
        }
      }
      if (this.closeCode !== null) throw new Error(`closed with ${this.closeCode} before ${type}`);
      await this.woken();
    }
  }

  /** The first message of all, which counts as read. */
  async first(): Promise<Message> {
    while (this.received.length === 0) {
      if (this.closeCode !== null) throw new Error(`closed with ${this.closeCode} before it said anything`);
      await this.woken();
    }
    this.read = Math.max(this.read, 1);
    return this.received[0]!; // length > 0
  }

  async closed(): Promise<number> {
    while (this.closeCode === null) await this.woken();
    return this.closeCode;
  }

  all(type: string): Message[] {
    return this.received.filter((message) => message.type === type);
  }

  say(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends bytes; resolves when they are handed to the kernel, so that a slow server slows the sender. */
  audio(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.send(bytes, (error) => (error ? reject(error) : resolve())),
    );
  }

  /** One whole recording, unpaced: start, the audio in the given pieces, stop. */
  async transcribe(pieces: Iterable<Uint8Array>, config: object = {}): Promise<Message> {
    this.say({ type: 'start_recording', config });
    await this.until('recording_started');
    for (const piece of pieces) await this.audio(piece);
    this.say({ type: 'stop_recording' });
    return this.until('recording_stopped');
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.close();
    await once(this.socket, 'close');
  }
}

/** An upgrade that is refused: its status, headers and JSON body. */
export async function refusedUpgrade(
  url: string,
): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: Message }> {
  const socket = new WebSocket(url);
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    import('node:http').IncomingMessage,
  ];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) as Message };
}

export const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);

/** Cuts bytes into pieces of `size` bytes, or of sizes that a function gives. */
export function* cut(bytes: Uint8Array, size: number | (() => number)): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = Math.max(1, typeof size === 'number' ? size : size());
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
