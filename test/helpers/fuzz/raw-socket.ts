/**
 * A WebSocket client on bare TCP that can violate every rule: it writes its frames by hand and checks every answer. No
 * timers: the run itself is bounded.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameShape {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly reserved?: number;
  /** The length claimed in the header, instead of the real one. */
  readonly claimed?: number;
}

export function frameBytes({
  opcode,
  payload,
  fin = true,
  masked = true,
  reserved = 0,
  claimed,
}: FrameShape): Buffer {
  const length = claimed ?? payload.length;
  const head = Buffer.alloc(14);
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  let at = 2;
  if (length < 126) head[1] = length;
  else if (length < 65_536) {
    head[1] = 126;
    at = head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    at = head.writeBigUInt64BE(BigInt(length), 2);
  }
  const body = Buffer.from(payload);
  if (!masked) return Buffer.concat([head.subarray(0, at), body]);
  head[1]! |= 0x80; // there are 14 bytes
  const key = Buffer.from([1, 2, 3, 4]);
  key.copy(head, at);
  for (let i = 0; i < body.length; i++) body[i]! ^= key[i & 3]!; // within
  return Buffer.concat([head.subarray(0, at + 4), body]);
}

/** What a connection received. */
export interface Heard {
  /** The status of the upgrade's response; 0: none. */
  status: number;
  /** The body of an upgrade that was refused. */
  refusal: string;
  readonly texts: string[];
  closeCode: number | null;
  closeReason: string;
  readonly pongs: Set<string>;
}

export class RawSocket {
  readonly heard: Heard = {
    status: 0,
    refusal: '',
    texts: [],
    closeCode: null,
    closeReason: '',
    pongs: new Set(),
  };
  gone = false;
  private readonly socket: Socket;
  private pending: Buffer = Buffer.alloc(0);
  private readonly waiting = new Set<() => void>();

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay();
    this.socket.on('data', (data) => this.take(data));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.gone = true;
      this.wake();
    });
  }

  /** @param lines more of the request's head */
  upgrade(address: string, lines: readonly string[] = []): void {
    const key = randomBytes(16).toString('base64');
    const head = [`GET ${address} HTTP/1.1`, 'Host: 127.0.0.1', 'Upgrade: websocket', 'Connection: Upgrade'];
    this.write(
      `${[...head, `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13', ...lines].join('\r\n')}\r\n\r\n`,
    );
  }

  /** In pieces of `pieceBytes` where it is given. */
  write(data: string | Uint8Array, pieceBytes = Number.POSITIVE_INFINITY): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    for (let at = 0; at < bytes.length && !this.gone; at += pieceBytes) {
      this.socket.write(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)));
    }
  }

  frame(shape: FrameShape, pieceBytes?: number): void {
    this.write(frameBytes(shape), pieceBytes);
  }

  text(text: string): void {
    this.frame({ opcode: OPCODE.text, payload: Buffer.from(text) });
  }

  get answered(): boolean {
    return this.heard.status !== 0;
  }

  /** Waits for a condition, or for the end of the connection. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.gone) {
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** Waits until everything written before was processed, or the connection is over. */
  async settled(mark: string): Promise<void> {
    this.frame({ opcode: OPCODE.ping, payload: Buffer.from(mark) });
    await this.until(() => this.heard.pongs.has(mark) || this.heard.closeCode !== null);
  }

  /** Reads nothing more, and reads on. */
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }

  /** Ends its side and continues reading. */
  half(): void {
    this.socket.end();
  }

  async destroy(): Promise<void> {
    this.socket.destroy();
    await this.until(() => false);
  }

  private wake(): void {
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  private take(data: Buffer): void {
    this.pending = Buffer.concat([this.pending, data]);
    if (this.heard.status === 0 && !this.readHead()) return;
    if (this.heard.status === 101) while (this.readFrame());
    else {
      this.heard.refusal += this.pending.toString('utf8');
      this.pending = Buffer.alloc(0);
    }
    this.wake();
  }

  private readHead(): boolean {
    const end = this.pending.indexOf('\r\n\r\n');
    if (end < 0) return false;
    this.heard.status = Number(
      /^HTTP\/1\.1 (\d{3}) /.exec(this.pending.subarray(0, end).toString('latin1'))?.[1] ?? -1,
    );
    this.pending = this.pending.subarray(end + 4);
    return true;
  }

  /** One frame of the server's: whole, unmasked, nothing reserved. */
  private readFrame(): boolean {
    const { pending } = this;
    if (pending.length < 2) return false;
    const [first = 0, second = 0] = pending;
    const isLong = second === 127;
    const at = isLong ? 10 : second === 126 ? 4 : 2;
    if (pending.length < at) return false;
    const length = isLong
      ? Number(pending.readBigUInt64BE(2))
      : second === 126
        ? pending.readUInt16BE(2)
        : second;
    if (pending.length < at + length) return false;
    const payload = pending.subarray(at, at + length);
    this.pending = pending.subarray(at + length);
    assert.equal(first & 0xf0, 0x80, 'the server sends whole frames without extensions');
    assert.ok(second < 128, 'the server masks nothing');
    this.hear(first & 0x0f, payload);
    return true;
  }

  private hear(opcode: number, payload: Buffer): void {
    const { heard } = this;
    if (opcode === OPCODE.text) heard.texts.push(payload.toString('utf8'));
    else if (opcode === OPCODE.pong) heard.pongs.add(payload.toString('latin1'));
    else if (opcode === OPCODE.ping) this.frame({ opcode: OPCODE.pong, payload });
    else if (opcode === OPCODE.close) {
      heard.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      heard.closeReason = payload.subarray(2).toString('utf8');
      this.frame({ opcode: OPCODE.close, payload: payload.subarray(0, 2) });
      this.socket.end();
    } else assert.fail(`a frame with opcode ${opcode}`);
  }
}
