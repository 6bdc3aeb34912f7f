/**
 * The protobuf wire format, as far as ONNX files need it. Messages are read by a table of their fields; fields that are
 * not in the table are kept as raw bytes. Bytes are views of the file, never copies.
 * https://protobuf.dev/programming-guides/encoding
 */
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

/** A field that is not in the table: its number and its bytes, tag included. */
export interface UnknownField {
  readonly field: number;
  readonly bytes: Uint8Array;
}

/** Data that every message may carry besides its fields. Messages created here have neither. */
export interface Message {
  unknown?: readonly UnknownField[];
  /** Numbers of the repeated integer fields that are packed in the file. */
  packed?: readonly number[];
}

/**
 * `int`: an integer up to 2^53; `long`: the same, as bigint beyond; `float`: 32 bits; `bytes`: one view, packed numbers
 * included; anything else names the table of a message.
 */
export type FieldType = 'int' | 'long' | 'float' | 'string' | 'bytes' | (string & {});
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly repeated?: boolean;
}
export type Schema = Readonly<Record<string, Readonly<Record<number, Field>>>>;

export type Fields = Message & Record<string, unknown>;

/** Wire types. */
export const VARINT = 0;
const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const damaged = (why: string): ServerError => new ServerError('MODEL_CORRUPT', `Not an ONNX file: ${why}.`);

/**
 * Reads one buffer from front to back.
 * @throws ServerError MODEL_CORRUPT beyond its end
 */
class Reader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): number | bigint {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 7; i++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    let wide = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      wide |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        const signed = BigInt.asIntN(64, wide);
        const number = Number(signed);
        return Number.isSafeInteger(number) ? number : signed;
      }
    }
    throw damaged('a varint has more than ten bytes');
  }

  int(): number {
    const value = this.varint();
    if (typeof value === 'bigint') throw damaged('a number is out of range');
    return value;
  }

  take(length: number): Uint8Array {
    const end = this.at + length;
    if (length < 0 || end > this.bytes.length) throw damaged('it is cut short');
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** The bytes from `start` to the current position. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.at);
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw damaged('it is cut short');
    return byte;
  }
}

/**
 * Reads a message of the given kind. Repeated fields are always arrays; other fields are missing if the file has none.
 * @throws ServerError MODEL_CORRUPT for bytes that are not such a message
 */
export function decode(schema: Schema, kind: string, bytes: Uint8Array): Fields {
  return new Decoder(schema).message(kind, bytes, 0);
}

class Decoder {
  /** Limits memory: a small file could contain a billion empty messages. */
  private messages = 0;

  constructor(private readonly schema: Schema) {}

  message(kind: string, bytes: Uint8Array, depth: number): Fields {
    if (depth > LIMITS.maxOnnxDepth) throw damaged('its parts are nested too deeply');
    if (++this.messages > LIMITS.maxOnnxMessages) throw damaged('it has too many parts');
    const table = this.schema[kind] ?? {};
    const message: Fields = {};
    for (const { name, repeated } of Object.values(table)) if (repeated) message[name] = [];
    const unknown: UnknownField[] = [];
    const packed = new Set<number>();
    const reader = new Reader(bytes);
    while (!reader.done) {
      const start = reader.at;
      const tag = reader.int();
      const number = Math.floor(tag / 8);
      const field = table[number];
      const value = readValue(reader, tag % 8);
      if (field === undefined || !this.put(message, field, value, depth)) {
        unknown.push({ field: number, bytes: reader.since(start) });
      } else if (isInteger(field) && value instanceof Uint8Array) packed.add(number);
    }
    if (unknown.length > 0) message.unknown = unknown;
    if (packed.size > 0) message.packed = [...packed];
    return message;
  }

  /** False: the table has no field of this number and wire type. */
  private put(to: Fields, field: Field, value: number | bigint | Uint8Array, depth: number): boolean {
    const list = field.repeated ? (to[field.name] as unknown[]) : null;
    const read = isInteger(field) ? integers(field, value) : this.content(field, value, depth);
    if (read.length === 0 && list === null) return false;
    if (list !== null) for (const one of read) list.push(one);
    // If a non-repeated field occurs twice, the last counts; `bytes` may also be the halves of a packed list.
    else if (field.type === 'bytes' && to[field.name] !== undefined) return false;
    else to[field.name] = read.at(-1);
    return isInteger(field) || read.length > 0;
  }

  /** The value of a field; nothing if it is not valid. */
  private content({ type }: Field, value: number | bigint | Uint8Array, depth: number): unknown[] {
    if (!(value instanceof Uint8Array)) return [];
    switch (type) {
      case 'bytes':
        return [value];
      case 'string':
        return [textOf(value)];
      case 'float':
        return value.length === 4
          ? [new DataView(value.buffer, value.byteOffset, 4).getFloat32(0, true)]
          : [];
      default:
        return [this.message(type, value, depth + 1)];
    }
  }
}

/** One integer, or the integers of a packed list. */
function integers({ name, type, repeated }: Field, value: number | bigint | Uint8Array): (number | bigint)[] {
  if (value instanceof Uint8Array && !repeated) return [];
  const read = value instanceof Uint8Array ? packedInts(value) : [value];
  if (type === 'int' && read.some((one) => typeof one === 'bigint')) throw damaged(`${name} is out of range`);
  return read;
}

const isInteger = ({ type }: Field): boolean => type === 'int' || type === 'long';

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ServerError('MODEL_CORRUPT', 'Not an ONNX file: a name is not UTF-8.', { cause });
  }
}

function readValue(reader: Reader, wire: number): number | bigint | Uint8Array {
  switch (wire) {
    case VARINT:
      return reader.varint();
    case LENGTH:
      return reader.take(reader.int());
    case FIXED32:
      return reader.take(4);
    case FIXED64:
      return reader.take(8);
    default:
      throw damaged(`wire type ${wire}`);
  }
}

/** The numbers of a packed field. */
export function packedInts(bytes: Uint8Array): (number | bigint)[] {
  const reader = new Reader(bytes);
  const values: (number | bigint)[] = [];
  while (!reader.done) values.push(reader.varint());
  return values;
}
