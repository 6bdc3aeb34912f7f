/** A client of vosk-server like its samples: it sends, then waits for one answer. */
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';

export interface VoskAnswer {
  partial?: string;
  text?: string;
  result?: { conf: number; start: number; end: number; word: string }[];
}

export class VoskClient {
  /** Everything the server said, asked or not. */
  readonly received: VoskAnswer[] = [];
  readonly socket: WebSocket;
  private readonly closing: Promise<unknown[]>;
  private waiting: ((answer: VoskAnswer) => void) | null = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closing = once(socket, 'close');
    socket.on('message', (data) => {
      const answer = JSON.parse(String(data)) as VoskAnswer;
      this.received.push(answer);
      this.waiting?.(answer);
    });
  }

  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<VoskClient> {
    const socket = new WebSocket(url, protocols, options);
    const client = new VoskClient(socket);
    await once(socket, 'open');
    return client;
  }

  config(config: object): void {
    this.socket.send(JSON.stringify({ config }));
  }

  /** Sends a frame, and waits for its answer. */
  exchange(frame: Uint8Array | string): Promise<VoskAnswer> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.socket.send(frame);
    });
  }

  /** The whole of a recording in lock step; every final text, the last one included. */
  async transcribe(frames: Iterable<Uint8Array>): Promise<string[]> {
    const finals: string[] = [];
    for (const frame of frames) {
      const { text } = await this.exchange(frame);
      if (text !== undefined) finals.push(text);
    }
    const { text = '' } = await this.exchange('{"eof" : 1}');
    return [...finals, text];
  }

  async closed(): Promise<number> {
    const [code] = await this.closing;
    return Number(code);
  }
}
