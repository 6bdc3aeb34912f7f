/**
 * A stream's state as one row of float32: a step reads one tensor and writes one, however many caches the encoder has.
 * Counters and token ids are integers far below 2^24, so float32 holds them exactly.
 */
import type { GraphBuilder, Value } from './builder.js';
import { TYPE } from './onnx.js';

export interface StatePart {
  readonly name: string;
  /** Without the batch axis. */
  readonly dims: readonly number[];
  /** Position of the batch axis among them. */
  readonly axis: number;
  /** Element type in the graph. */
  readonly element: number;
}

/** A part of `dims` float32 with the batch in front. */
export const rowPart = (name: string, ...dims: number[]): StatePart => ({
  name,
  dims,
  axis: 0,
  element: TYPE.float,
});

const sizeOf = ({ dims }: StatePart): number => dims.reduce((n, d) => n * d, 1);

export class PackedState {
  readonly parts: readonly StatePart[];
  /** Floats of a stream. */
  readonly size: number;

  constructor(parts: readonly StatePart[]) {
    this.parts = parts;
    this.size = parts.reduce((sum, part) => sum + sizeOf(part), 0);
  }

  /** (B, size) float32 → each part by its name, in its own shape and type. */
  unpack(g: GraphBuilder, packed: Value): Map<string, Value> {
    const pieces = g.split(packed, this.parts.map(sizeOf), 1);
    return new Map(this.parts.map((part, i) => [part.name, unpackOne(g, part, pieces[i] ?? '')]));
  }

  /** Each part by its name → (B, size) float32. */
  pack(g: GraphBuilder, values: ReadonlyMap<string, Value>): Value {
    return g.concat(
      this.parts.map((part) => {
        const value = values.get(part.name);
        if (value === undefined) throw new Error(`the step does not output ${part.name}`);
        return packOne(g, part, value);
      }),
      1,
    );
  }
}

/** Moving the batch axis past axes of length one does not change the data. */
const isMoved = ({ axis, dims }: StatePart): boolean => dims.slice(0, axis).some((dim) => dim !== 1);

function unpackOne(g: GraphBuilder, part: StatePart, piece: Value): Value {
  const { dims, axis, element } = part;
  const typed = element === TYPE.float ? piece : g.cast(piece, element);
  if (dims.length === 0) return g.reshape(typed, -1);
  if (!isMoved(part)) {
    return axis === 0 && dims.length === 1
      ? typed
      : g.reshape(typed, ...dims.slice(0, axis), -1, ...dims.slice(axis));
  }
  const order = dims.map((_, at) => at + 1);
  order.splice(axis, 0, 0);
  return g.transpose(g.reshape(typed, -1, ...dims), ...order);
}

function packOne(g: GraphBuilder, part: StatePart, value: Value): Value {
  const { dims, axis, element } = part;
  const others = Array.from({ length: dims.length + 1 }, (_, at) => at).filter((at) => at !== axis);
  const row = isMoved(part) ? g.transpose(value, axis, ...others) : value;
  const flat = g.reshape(row, -1, sizeOf(part));
  return element === TYPE.float ? flat : g.cast(flat, TYPE.float);
}
