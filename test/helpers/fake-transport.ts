/** A socket that writes down what it is told; the test says how full its buffer is. */
import type { Frame } from '../../src/protocol/commands.js';
import type { ServerMessage } from '../../src/protocol/types.js';
import type { Transport } from '../../src/session/outbox.js';

type Named<T extends ServerMessage['type']> = ServerMessage & { type: T; seq: number };

export class FakeTransport implements Transport {
  bufferedAmount = 0;
  paused = false;
  readonly closings: { code: number; reason: string }[] = [];
  heartbeats = 0;
  probes = 0;
  /** The numbers up to which delivery was to be confirmed. */
  readonly marks: number[] = [];
  /** pause and resume, in order. */
  readonly flow: ('pause' | 'resume')[] = [];
  readonly messages: (ServerMessage & { seq: number })[] = [];

  send(frame: Frame): void {
    if (typeof frame !== 'string') throw new Error('a binary frame');
    this.messages.push(JSON.parse(frame));
  }

  probe(): void {
    this.probes++;
  }

  heartbeat(): void {
    this.heartbeats++;
  }

  mark(last: number): void {
    this.marks.push(last);
  }

  pause(): void {
    this.paused = true;
    this.flow.push('pause');
  }
  resume(): void {
    this.paused = false;
    this.flow.push('resume');
  }
  close(code: number, reason: string): void {
    this.closings.push({ code, reason });
  }

  /** The close code, once it was closed. */
  get closeCode(): number | undefined {
    return this.closings[0]?.code;
  }
  get types(): string[] {
    return this.messages.map((message) => message.type);
  }
  of<T extends ServerMessage['type']>(type: T): Named<T>[] {
    return this.messages.filter((message): message is Named<T> => message.type === type);
  }
  last<T extends ServerMessage['type']>(type: T): Named<T> {
    const message = this.of(type).at(-1);
    if (message === undefined) throw new Error(`no ${type} among ${this.types.join(', ') || 'no messages'}`);
    return message;
  }
  /** Codes of the errors sent. */
  get errors(): string[] {
    return this.of('error').map((message) => message.code);
  }
}
