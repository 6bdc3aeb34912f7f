/** Writes what wire.ts reads, in the order in which protobuf's own writers do. */
import { FIXED32, type Field, type Fields, type FieldType, LENGTH, type Schema, VARINT } from './wire.js';

const toUtf8 = new TextEncoder();

/** A written message: its pieces in order, as views of the original bytes, and their total length. */
export interface Encoded {
  readonly parts: Uint8Array[];
  size: number;
}

/** Writes a message, with fields in the order of their numbers, as protobuf's own writers do. */
export function encode(schema: Schema, kind: string, message: object): Encoded {
  const fields = message as Fields;
  const out: Encoded = { parts: [], size: 0 };
  const numbered: { field: number; write: () => void }[] = (fields.unknown ?? []).map(({ field, bytes }) => ({
    field,
    write: () => add(out, bytes),
  }));
  for (const [key, field] of Object.entries(schema[kind] ?? {})) {
    const value = fields[field.name];
    if (value === undefined) continue;
    const number = Number(key);
    const packed = fields.packed?.includes(number) === true;
    numbered.push({ field: number, write: () => writeField(out, schema, number, field, value, packed) });
  }
  // The sort is stable: unknown fields of one number keep their order.
  for (const { write } of numbered.sort((a, b) => a.field - b.field)) write();
  return out;
}

function add(out: Encoded, bytes: Uint8Array): void {
  out.parts.push(bytes);
  out.size += bytes.length;
}

function writeField(
  out: Encoded,
  schema: Schema,
  no: number,
  field: Field,
  value: unknown,
  packed: boolean,
): void {
  const values = field.repeated ? (value as unknown[]) : [value];
  if (packed) {
    const body: number[] = [];
    for (const one of values) pushVarint(body, one as number | bigint);
    head(out, no, LENGTH, body.length);
    add(out, Uint8Array.from(body));
    return;
  }
  for (const one of values) writeValue(out, schema, no, field.type, one);
}

function writeValue(out: Encoded, schema: Schema, no: number, type: FieldType, value: unknown): void {
  switch (type) {
    case 'int':
    case 'long':
      head(out, no, VARINT, value as number | bigint);
      return;
    case 'float': {
      const four = new Uint8Array(4);
      new DataView(four.buffer).setFloat32(0, value as number, true);
      head(out, no, FIXED32);
      add(out, four);
      return;
    }
    case 'string':
    case 'bytes': {
      const bytes = type === 'string' ? toUtf8.encode(value as string) : (value as Uint8Array);
      head(out, no, LENGTH, bytes.length);
      add(out, bytes);
      return;
    }
    default: {
      const inner = encode(schema, type, value as object);
      head(out, no, LENGTH, inner.size);
      for (const part of inner.parts) out.parts.push(part);
      out.size += inner.size;
    }
  }
}

/** A tag and the number after it. */
function head(out: Encoded, field: number, wire: number, number?: number | bigint): void {
  const bytes: number[] = [];
  pushVarint(bytes, field * 8 + wire);
  if (number !== undefined) pushVarint(bytes, number);
  add(out, Uint8Array.from(bytes));
}

function pushVarint(to: number[], value: number | bigint): void {
  if (typeof value === 'number' && value >= 0) {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) to.push((rest % 128) | 128);
    to.push(rest);
    return;
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) to.push(Number(rest & 127n) | 128);
  to.push(Number(rest));
}
