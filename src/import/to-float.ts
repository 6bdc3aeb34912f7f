/**
 * Converts int8 convolutions and LSTMs back to float. They quantise activations with one scale for the whole batch, so
 * a stream would depend on its neighbours. Unlike matrix products (int8.ts), they cannot be rescaled by row. They gain
 * little from int8.
 */
import { unsupported } from './meta.js';
import {
  floatsOf,
  type GraphProto,
  integersOf,
  type NodeProto,
  nameOf,
  type TensorProto,
  TYPE,
  tensor,
} from './onnx.js';
import { pruned } from './rewrite.js';
import type { Model } from './step.js';

const CONVOLUTION = 'ConvInteger';
const LSTM = 'DynamicQuantizeLSTM';

/**
 * The model with float weights for its int8 convolutions and LSTMs; the same model if it has none.
 * @throws ServerError MODEL_UNSUPPORTED, MODEL_CORRUPT
 */
export function weightsToFloat(model: Model): Model {
  const { graph } = model;
  if (!graph.nodes.some(({ op }) => op === CONVOLUTION || op === LSTM)) return model;
  return { ...model, graph: new FloatGraph(graph).graph() };
}

class FloatGraph {
  private readonly weights: Map<string, TensorProto>;
  private readonly maker = new Map<string, NodeProto>();
  private readonly users = new Map<string, NodeProto[]>();
  private readonly added = new Map<string, TensorProto>();

  constructor(private readonly whole: GraphProto) {
    this.weights = new Map(whole.initializers.map((it) => [nameOf(it), it]));
    for (const node of whole.nodes) {
      for (const name of node.outputs) this.maker.set(name, node);
      for (const name of node.inputs) this.users.set(name, [...(this.users.get(name) ?? []), node]);
    }
  }

  graph(): GraphProto {
    const gone = new Set<NodeProto>();
    const nodes = this.whole.nodes.map((node) => {
      if (node.op === CONVOLUTION) return this.convolution(node, gone);
      return node.op === LSTM ? this.lstm(node) : node;
    });
    const kept = withoutUnread(
      nodes.filter((it) => !gone.has(it)),
      this.whole.outputs.map(nameOf),
    );
    return pruned({
      ...this.whole,
      nodes: kept,
      initializers: [...this.whole.initializers, ...this.added.values()],
    });
  }

  /** DynamicQuantizeLinear → ConvInteger → Cast → Mul by both scales becomes one Conv of the unquantised input. */
  private convolution(node: NodeProto, gone: Set<NodeProto>): NodeProto {
    const [quantised = '', weight = '', , zero] = node.inputs;
    const [source] = this.maker.get(quantised)?.inputs ?? [];
    const cast = this.onlyUser(node, 'Cast');
    const mul = cast && this.onlyUser(cast, 'Mul');
    const scales = this.maker.get(mul?.inputs.find((it) => it !== cast?.outputs[0]) ?? '');
    const scale = scales?.inputs.find((it) => this.weights.has(it));
    if (source === undefined || !cast || !mul || scale === undefined) {
      throw unsupported(
        `Its int8 convolution ${nameOf(node)} cannot be converted back to float.`,
        'Take --precision fp32.',
      );
    }
    gone.add(cast).add(mul);
    const held = this.held(weight);
    const each = integersOf(held).length / (held.dims[0] ?? 1);
    const float = this.float(weight, held.dims, scale, zero, (i) => Math.floor(i / each));
    const name = `${nameOf(node)}/float`;
    return { ...node, op: 'Conv', name, inputs: [source, float], outputs: mul.outputs };
  }

  /**
   * Weights (directions, inputs, 4 × hidden), with one scale per column or one for all → LSTM's (directions, 4 ×
   * hidden, inputs).
   */
  private lstm(node: NodeProto): NodeProto {
    const [x = '', w = '', r = '', ...rest] = node.inputs;
    const turned = (weight: string, scale = '', zero?: string): string => {
      const [directions = 1, rows = 1, columns = 1] = this.held(weight).dims;
      const place = (i: number) => Math.floor(i / (rows * columns)) * columns + (i % columns);
      const flat = this.float(weight, [directions, rows, columns], scale, zero, place, directions);
      const values = floatsOf(this.added.get(flat) as TensorProto);
      const name = `${flat}/turned`;
      const out = new Float32Array(values.length);
      for (let i = 0; i < values.length; i++) {
        const [d, at] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
        out[(d * columns + (at % columns)) * rows + Math.floor(at / columns)] = values[i] ?? 0;
      }
      this.added.set(name, tensor(name, TYPE.float, [directions, columns, rows], out));
      return name;
    };
    const [bias = '', lengths = '', h = '', c = '', peepholes = '', ws, wz, rs, rz] = rest;
    const inputs = [x, turned(w, ws, wz), turned(r, rs, rz), bias, lengths, h, c, peepholes];
    const { domain: _contributed, ...standard } = node;
    return { ...standard, op: 'LSTM', inputs: withoutEmptyEnd(inputs) };
  }

  private onlyUser(node: NodeProto, op: string): NodeProto | null {
    const [user, ...more] = this.users.get(node.outputs[0] ?? '') ?? [];
    return user?.op === op && more.length === 0 ? user : null;
  }

  private held(name: string): TensorProto {
    const found = this.weights.get(name);
    if (found !== undefined) return found;
    throw unsupported(`Its int8 weight ${name} is not in the file.`, 'Take --precision fp32.');
  }

  /**
   * @param place index of the scale for a value, if there are several
   * @param directions number of scales if there is one for each direction of an LSTM
   * @returns name of the float weight
   */
  private float(
    weight: string,
    dims: readonly number[],
    scale: string,
    zero: string | undefined,
    place: (i: number) => number,
    directions = 1,
  ): string {
    const name = `${weight}/float`;
    if (this.added.has(name)) return name;
    const values = integersOf(this.held(weight));
    const scales = floatsOf(this.held(scale));
    const zeros = zero ? integersOf(this.held(zero)) : [0];
    const each = values.length / directions;
    const of = (list: ArrayLike<number>, i: number): number =>
      list[list.length > directions ? place(i) : list.length === 1 ? 0 : Math.floor(i / each)] ?? 0;
    const floats = Float32Array.from(values, (it, i) => (it - of(zeros, i)) * of(scales, i));
    this.added.set(name, tensor(name, TYPE.float, dims, floats));
    return name;
  }
}

/** The nodes still needed. Drops a quantisation without readers, and nodes that only led to it. */
function withoutUnread(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const read = new Set(outputs);
  const kept = [...nodes].reverse().filter((node) => {
    const needed = node.outputs.some((it) => read.has(it)) || node.attributes.some((it) => it.g);
    if (needed) for (const name of node.inputs) read.add(name);
    return needed;
  });
  return kept.reverse();
}

function withoutEmptyEnd(names: readonly string[]): string[] {
  const last = names.findLastIndex((it) => it !== '');
  return names.slice(0, last + 1);
}
