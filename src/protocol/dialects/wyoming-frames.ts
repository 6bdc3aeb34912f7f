/**
 * Wyoming's framing: a line of JSON, then the number of bytes of JSON that it gives, then the number of bytes of
 * payload. TCP may split all of these anywhere. A payload is passed on as it arrives, so it is never buffered whole.
 */
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { isRecord } from '../parse.js';

export interface WyomingHandler {
  /** A message, before its payload. */
  onMessage(type: string, data: Readonly<Record<string, unknown>>): void;
  /** Part of the payload of the last message. Valid only during the call. */
  onPayload(bytes: Uint8Array): void;
}

const NEWLINE = 0x0a;

export class WyomingReader {
  private readonly handler: WyomingHandler;
  /** What has arrived of the line, or of the data after it. */
  private parts: Uint8Array[] = [];
  private kept = 0;
  /** The line's fields, while its data is read. */
  private header: Record<string, unknown> | null = null;
  private dataLength = 0;
  private payloadLeft = 0;

  constructor(handler: WyomingHandler) {
    this.handler = handler;
  }

  /**
   * @throws ServerError INVALID_JSON, INVALID_MESSAGE, MESSAGE_TOO_LARGE; the start of the next message is then unknown
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const rest = bytes.subarray(at);
      at +=
        this.payloadLeft > 0 ? this.payload(rest) : this.header === null ? this.line(rest) : this.data(rest);
    }
  }

  private payload(rest: Uint8Array): number {
    const taken = Math.min(this.payloadLeft, rest.length);
    this.payloadLeft -= taken;
    this.handler.onPayload(rest.subarray(0, taken));
    return taken;
  }

  private line(rest: Uint8Array): number {
    const end = rest.indexOf(NEWLINE);
    const taken = end < 0 ? rest.length : end;
    this.keep(rest.subarray(0, taken));
    if (end < 0) return taken;
    const header = this.json();
    if (header === null) return taken + 1; // an empty line
    this.dataLength = lengthOf(header, 'data_length', LIMITS.maxControlBytes);
    this.header = header;
    if (this.dataLength === 0) this.message();
    return taken + 1;
  }

  private data(rest: Uint8Array): number {
    const taken = Math.min(this.dataLength - this.kept, rest.length);
    this.keep(rest.subarray(0, taken));
    if (this.kept === this.dataLength) this.message();
    return taken;
  }

  /** The line and its data are complete. */
  private message(): void {
    const { type, data, ...fields } = this.header ?? {};
    const more = this.json() ?? {};
    this.header = null;
    if (typeof type !== 'string') throw new ServerError('INVALID_MESSAGE', 'type: must be a string');
    this.payloadLeft = lengthOf(fields, 'payload_length', LIMITS.maxFrameBytes);
    this.handler.onMessage(type, { ...(isRecord(data) ? data : {}), ...more });
  }

  private keep(bytes: Uint8Array): void {
    this.kept += bytes.length;
    if (this.kept > LIMITS.maxControlBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', `A line may have at most ${LIMITS.maxControlBytes} bytes.`);
    }
    if (bytes.length > 0) this.parts.push(new Uint8Array(bytes));
  }

  /** Parses the buffered bytes and drops them; null if there were none. */
  private json(): Record<string, unknown> | null {
    const text = Buffer.concat(this.parts).toString('utf8');
    this.parts = [];
    this.kept = 0;
    if (text.trim() === '') return null;
    try {
      const json: unknown = JSON.parse(text);
      if (isRecord(json)) return json;
    } catch (cause) {
      throw new ServerError('INVALID_JSON', 'A Wyoming message must begin with a line of JSON.', { cause });
    }
    throw new ServerError('INVALID_JSON', 'A Wyoming message must be a JSON object.');
  }
}

function lengthOf(fields: Record<string, unknown>, name: string, most: number): number {
  const length = fields[name] ?? 0;
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0) {
    throw new ServerError('INVALID_MESSAGE', `${name}: must be a number of bytes`);
  }
  if (length > most) throw new ServerError('MESSAGE_TOO_LARGE', `${name}: at most ${most} bytes`);
  return length;
}

/** Encodes a message. Lengths are in bytes and left out when 0. */
export function wyomingMessage(type: string, data: object, version: string): Uint8Array {
  const body = Object.keys(data).length === 0 ? '' : JSON.stringify(data);
  const length = Buffer.byteLength(body);
  const line = JSON.stringify({ type, version, ...(length === 0 ? {} : { data_length: length }) });
  return Buffer.from(`${line}\n${body}`);
}
