/**
 * ONNX files. Covers the parts of onnx.proto that an import changes; everything else is kept as it is. Weights are
 * views of the file's bytes. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { ServerError } from '../errors.js';
import { decode, type Message, packedInts, type Schema } from './wire.js';
import { type Encoded, encode } from './wire-write.js';

export interface ModelProto extends Message {
  ir?: number;
  producer?: string;
  graph?: GraphProto;
  opsets: OpsetProto[];
  meta: EntryProto[];
}
export interface OpsetProto extends Message {
  /** '' or missing: the standard operators. */
  domain?: string;
  version?: number;
}
export interface EntryProto extends Message {
  key?: string;
  value?: string;
}
export interface GraphProto extends Message {
  nodes: NodeProto[];
  name?: string;
  initializers: TensorProto[];
  inputs: ValueProto[];
  outputs: ValueProto[];
  values: ValueProto[];
}
export interface NodeProto extends Message {
  inputs: string[];
  outputs: string[];
  name?: string;
  op?: string;
  domain?: string;
  attributes: AttributeProto[];
}
export interface AttributeProto extends Message {
  name?: string;
  /** See ATTRIBUTE. */
  type?: number;
  f?: number;
  i?: number | bigint;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  ints: (number | bigint)[];
}
export interface TensorProto extends Message {
  dims: number[];
  /** See TYPE. */
  type?: number;
  name?: string;
  raw?: Uint8Array;
  /** Packed float32. */
  floats?: Uint8Array;
  /** Packed varints: int32 and everything shorter, float16 by its bits. */
  int32s?: Uint8Array;
  /** Packed varints. */
  int64s?: Uint8Array;
  /** Location, offset and length of the values if they are in another file. */
  external: EntryProto[];
  /** 1: external. */
  location?: number;
}
export interface ValueProto extends Message {
  name?: string;
  type?: TypeProto;
}
export interface TypeProto extends Message {
  tensor?: TensorTypeProto;
}
export interface TensorTypeProto extends Message {
  /** See TYPE. */
  element?: number;
  shape?: ShapeProto;
}
export interface ShapeProto extends Message {
  dims: DimProto[];
}
export interface DimProto extends Message {
  value?: number;
  param?: string;
}

const one = (name: string, type: string) => ({ name, type });
const many = (name: string, type: string) => ({ name, type, repeated: true });

const SCHEMA: Schema = {
  Model: {
    1: one('ir', 'int'),
    2: one('producer', 'string'),
    7: one('graph', 'Graph'),
    8: many('opsets', 'Opset'),
    14: many('meta', 'Entry'),
  },
  Opset: { 1: one('domain', 'string'), 2: one('version', 'int') },
  Entry: { 1: one('key', 'string'), 2: one('value', 'string') },
  Graph: {
    1: many('nodes', 'Node'),
    2: one('name', 'string'),
    5: many('initializers', 'Tensor'),
    11: many('inputs', 'Value'),
    12: many('outputs', 'Value'),
    13: many('values', 'Value'),
  },
  Node: {
    1: many('inputs', 'string'),
    2: many('outputs', 'string'),
    3: one('name', 'string'),
    4: one('op', 'string'),
    5: many('attributes', 'Attribute'),
    7: one('domain', 'string'),
  },
  Attribute: {
    1: one('name', 'string'),
    2: one('f', 'float'),
    3: one('i', 'long'),
    4: one('s', 'bytes'),
    5: one('t', 'Tensor'),
    6: one('g', 'Graph'),
    8: many('ints', 'long'),
    20: one('type', 'int'),
  },
  Tensor: {
    1: many('dims', 'int'),
    2: one('type', 'int'),
    4: one('floats', 'bytes'),
    5: one('int32s', 'bytes'),
    7: one('int64s', 'bytes'),
    8: one('name', 'string'),
    9: one('raw', 'bytes'),
    13: many('external', 'Entry'),
    14: one('location', 'int'),
  },
  Value: { 1: one('name', 'string'), 2: one('type', 'Type') },
  Type: { 1: one('tensor', 'TensorType') },
  TensorType: { 1: one('element', 'int'), 2: one('shape', 'Shape') },
  Shape: { 1: many('dims', 'Dim') },
  Dim: { 1: one('value', 'int'), 2: one('param', 'string') },
};

/** Element types, as onnx.proto numbers them. */
export const TYPE = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
} as const;
export type ElementType = (typeof TYPE)[keyof typeof TYPE];

/** Kinds of attributes, as onnx.proto numbers them. */
export const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, ints: 7 } as const;

const EXTERNAL = 1;

/**
 * Reads a model. Its weights are views of `bytes`, which must not change while the model is in use.
 * @throws ServerError MODEL_CORRUPT if the bytes are not a complete ONNX file
 */
export function readModel(bytes: Uint8Array): ModelProto & { graph: GraphProto } {
  const model = decode(SCHEMA, 'Model', bytes) as unknown as ModelProto;
  const { graph } = model;
  if (graph === undefined || graph.nodes.length === 0 || model.opsets.length === 0) {
    throw new ServerError('MODEL_CORRUPT', 'Not an ONNX file: it contains no graph.');
  }
  return { ...model, graph };
}

/** The pieces of a model's file. Weights are not copied until they are written. */
export const encodeModel = (model: ModelProto): Encoded => encode(SCHEMA, 'Model', model);

/** A model's file as one buffer; for large models write the pieces of `encodeModel`. */
export const writeModel = (model: ModelProto): Uint8Array => Buffer.concat(encodeModel(model).parts);

const VIEWS: Record<ElementType, (values: ArrayLike<number>) => ArrayBufferView> = {
  [TYPE.float]: (values) => Float32Array.from(values),
  [TYPE.uint8]: (values) => Uint8Array.from(values),
  [TYPE.int8]: (values) => Int8Array.from(values),
  [TYPE.int32]: (values) => Int32Array.from(values),
  [TYPE.int64]: (values) => BigInt64Array.from(Array.from(values, BigInt)),
  [TYPE.bool]: (values) => Uint8Array.from(values),
  [TYPE.float16]: (values) => Uint16Array.from(values),
  [TYPE.double]: (values) => Float64Array.from(values),
};

/** A tensor of the given values; float16 values are given by their bits. */
export function tensor(
  name: string,
  type: ElementType,
  dims: readonly number[],
  values: ArrayLike<number>,
): TensorProto {
  const { buffer, byteOffset, byteLength } = VIEWS[type](values);
  return { name, type, dims: [...dims], raw: new Uint8Array(buffer, byteOffset, byteLength), external: [] };
}

/** An input or output of a graph; a dimension given as a name may have any size. */
export function value(name: string, element: number, dims: readonly (number | string)[]): ValueProto {
  const shape = dims.map((dim): DimProto => (typeof dim === 'string' ? { param: dim } : { value: dim }));
  return { name, type: { tensor: { element, shape: { dims: shape } } } };
}

/** Attributes of a node. */
export const attr = {
  int: (name: string, i: number): AttributeProto => ({ name, type: ATTRIBUTE.int, i, ints: [] }),
  float: (name: string, f: number): AttributeProto => ({ name, type: ATTRIBUTE.float, f, ints: [] }),
  ints: (name: string, ints: readonly number[]): AttributeProto => ({
    name,
    type: ATTRIBUTE.ints,
    ints: [...ints],
  }),
  string: (name: string, text: string): AttributeProto => ({
    name,
    type: ATTRIBUTE.string,
    s: new TextEncoder().encode(text),
    ints: [],
  }),
  graph: (name: string, g: GraphProto): AttributeProto => ({ name, type: ATTRIBUTE.graph, g, ints: [] }),
  tensor: (name: string, t: TensorProto): AttributeProto => ({ name, type: ATTRIBUTE.tensor, t, ints: [] }),
};

export const nameOf = (it: { name?: string }): string => it.name ?? '';

/** Dimensions of an input or output: a number, or the name of a variable one ('?' if unnamed). */
export function dimsOf(it: ValueProto): (number | string)[] {
  const dims = it.type?.tensor?.shape?.dims ?? [];
  return dims.map(({ value: size, param }) => size ?? (param || '?'));
}

/** Element type of an input or output; 0 if it is not a tensor. */
export const elementOf = (it: ValueProto): number => it.type?.tensor?.element ?? 0;

/** Inputs that a caller must give. Files before IR version 4 also list their weights among them. */
export function graphInputs(graph: GraphProto): ValueProto[] {
  const weights = new Set(graph.initializers.map(nameOf));
  return graph.inputs.filter((it) => !weights.has(nameOf(it)));
}

/** Version of the standard operators; 0 if there is none. */
export const opsetOf = (model: ModelProto): number => model.opsets.find((it) => !it.domain)?.version ?? 0;

/** The model's metadata_props. */
export const metaOf = (model: ModelProto): Record<string, string> =>
  Object.fromEntries(model.meta.map(({ key = '', value: text = '' }) => [key, text]));

export const isExternal = (it: TensorProto): boolean => it.location === EXTERNAL;

const count = (it: TensorProto): number => it.dims.reduce((n, d) => n * d, 1);

/**
 * The values of a float32 tensor stored in the file. Copied, since raw data need not be aligned.
 * @throws ServerError MODEL_CORRUPT if their number does not match its dimensions, or they are not float32
 */
export function floatsOf(it: TensorProto): Float32Array {
  const bytes = it.raw ?? it.floats;
  if (it.type !== TYPE.float || bytes === undefined || bytes.length !== 4 * count(it)) throw wrongTensor(it);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/**
 * The values of an int8, uint8, int32 or int64 tensor stored in the file.
 * @throws ServerError MODEL_CORRUPT if their number does not match its dimensions, or they are of another type
 */
export function integersOf(it: TensorProto): number[] {
  const values =
    it.raw === undefined ? packedInts(it.int32s ?? it.int64s ?? new Uint8Array()) : rawIntegers(it, it.raw);
  if (values.length !== count(it)) throw wrongTensor(it);
  return Array.from(values, Number);
}

function rawIntegers(it: TensorProto, raw: Uint8Array): ArrayLike<number> | BigInt64Array {
  const { buffer } = Uint8Array.from(raw);
  switch (it.type) {
    case TYPE.int8:
      return new Int8Array(buffer);
    case TYPE.uint8:
    case TYPE.bool:
      return new Uint8Array(buffer);
    case TYPE.int32:
      return new Int32Array(buffer, 0, raw.length >> 2);
    case TYPE.int64:
      return new BigInt64Array(buffer, 0, raw.length >> 3);
    default:
      throw wrongTensor(it);
  }
}

const wrongTensor = (it: TensorProto): ServerError =>
  new ServerError(
    'MODEL_CORRUPT',
    `The data of the tensor ${nameOf(it)} do not match its type and dimensions.`,
  );
