/** A client of Wyoming over TCP that reads messages by their declared lengths. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface WyomingMessage {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at fields of all kinds of messages
  readonly data: Record<string, any>;
}

/** A message with its lengths. Data comes after the line, as the Python package sends it, or in it. */
export function framed(
  type: string,
  data: object = {},
  payload: Uint8Array = new Uint8Array(0),
  inLine = false,
): Buffer {
  const body = inLine || Object.keys(data).length === 0 ? '' : JSON.stringify(data);
  const line = {
    type,
    version: '1.10.2',
    ...(inLine ? { data } : {}),
    ...(body === '' ? {} : { data_length: Buffer.byteLength(body) }),
    ...(payload.length === 0 ? {} : { payload_length: payload.length }),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n${body}`), payload]);
}

/** What is complete of some bytes, and the rest. */
export function unframed(bytes: Buffer): { messages: WyomingMessage[]; rest: Buffer } {
  const messages: WyomingMessage[] = [];
  for (let rest = bytes; ; ) {
    const end = rest.indexOf('\n');
    if (end < 0) return { messages, rest };
    const line = JSON.parse(rest.toString('utf8', 0, end));
    const until = end + 1 + (line.data_length ?? 0);
    if (rest.length < until) return { messages, rest };
    const body = rest.toString('utf8', end + 1, until);
    messages.push({ type: line.type, data: { ...line.data, ...(body === '' ? {} : JSON.parse(body)) } });
    rest = rest.subarray(until);
  }
}

export class WyomingClient {
  readonly received: WyomingMessage[] = [];
  readonly socket: Socket;
  private rest = Buffer.alloc(0);
  private read = 0;
  private isClosed = false;
  private wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      const { messages, rest } = unframed(Buffer.concat([this.rest, bytes]));
      this.rest = Buffer.from(rest);
      this.received.push(...messages);
      this.wake();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.wake();
    });
    this.socket.on('error', () => {});
  }

  send(type: string, data: object = {}, payload?: Uint8Array): void {
    this.socket.write(framed(type, data, payload));
  }

  /** The next message of this type; those before it count as read. */
  async until(type: string): Promise<WyomingMessage> {
    for (;;) {
      for (; this.read < this.received.length; ) {
        const message = this.received[this.read++];
        if (message?.type === type) return message;
      }
      if (this.isClosed) throw new Error(`closed before ${type}`);
      await this.woken();
    }
  }

  /** Resolves when the server has closed its side too. */
  async closed(): Promise<void> {
    while (!this.isClosed) await this.woken();
  }

  /** Sends an utterance of 16-bit samples, and waits for its last message. */
  async transcribe(
    pcm: Uint8Array,
    format: object = { rate: 16_000, width: 2, channels: 1 },
  ): Promise<string> {
    this.send('audio-start', format);
    for (let at = 0; at < pcm.length; at += 2_048)
      this.send('audio-chunk', format, pcm.subarray(at, at + 2_048));
    this.send('audio-stop');
    const { data } = await this.until('transcript');
    await this.until('transcript-stop');
    return data.text;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.socket.end();
    await once(this.socket, 'close');
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
