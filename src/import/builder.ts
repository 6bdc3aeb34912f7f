/**
 * Builds ONNX graphs node by node, for one version of the standard operators. The helpers write each operator in the
 * form of that version. A node's output is identified by its name, so a value is a string here.
 */
import {
  type AttributeProto,
  attr,
  type ElementType,
  type GraphProto,
  graphInputs,
  type NodeProto,
  nameOf,
  type TensorProto,
  TYPE,
  tensor,
  type ValueProto,
} from './onnx.js';

/** Name of a value in a graph. */
export type Value = string;

/** Operator version from which an operator takes its axes (or parts) as an input; earlier they are an attribute. */
export const AXES_ARE_INPUT = {
  Split: 13,
  Squeeze: 13,
  Unsqueeze: 13,
  ReduceSum: 13,
  ReduceMax: 18,
  ReduceMin: 18,
  ReduceLogSumExp: 18,
};
export type Reduction = 'ReduceSum' | 'ReduceMax' | 'ReduceMin' | 'ReduceLogSumExp';

/** Versions of the standard operators for which graphs can be built. GatherElements and related operators need 11. */
export const OPSETS = { least: 11, most: 23 } as const;

/** State shared by a graph and the bodies inside it. */
interface Shared {
  readonly initializers: TensorProto[];
  /** Names of initialisers by content, so that each exists once. */
  readonly constants: Map<string, Value>;
  /** Initialisers of inlined models that have already been added. */
  readonly inlined: Set<string>;
  names: number;
}

/** Constants with more values are not deduplicated. */
const COMPARED = 64;

export class GraphBuilder {
  readonly opset: number;
  readonly nodes: NodeProto[] = [];
  private readonly shared: Shared;

  constructor(opset: number, parent?: GraphBuilder) {
    this.opset = opset;
    this.shared = parent?.shared ?? { initializers: [], constants: new Map(), inlined: new Set(), names: 0 };
  }

  /** Initialisers of the graph and of all its bodies. They belong to the outermost graph. */
  get initializers(): TensorProto[] {
    return this.shared.initializers;
  }

  /** A unique name. */
  fresh(hint: string): Value {
    return `f/${hint}_${this.shared.names++}`;
  }

  op(op: string, inputs: readonly Value[], attributes: readonly AttributeProto[] = []): Value {
    return this.ops(op, inputs, attributes, 1)[0] as Value;
  }

  /** A node with several outputs. */
  ops(op: string, inputs: readonly Value[], attributes: readonly AttributeProto[], outputs: number): Value[] {
    const names = Array.from({ length: outputs }, () => this.fresh(op));
    this.nodes.push({
      op,
      name: names[0] as Value,
      inputs: [...inputs],
      outputs: names,
      attributes: [...attributes],
    });
    return names;
  }

  constant(type: ElementType, dims: readonly number[], values: ArrayLike<number>): Value {
    const { initializers, constants } = this.shared;
    const key = values.length <= COMPARED ? `${type}:${dims}:${Array.from(values)}` : null;
    const known = key === null ? undefined : constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh('constant');
    initializers.push(tensor(name, type, dims, values));
    if (key !== null) constants.set(key, name);
    return name;
  }

  /** A list of int64. */
  int64(...values: number[]): Value {
    return this.constant(TYPE.int64, [values.length], values);
  }

  scalar(type: ElementType, value: number): Value {
    return this.constant(type, [], [value]);
  }

  /** float32 (…dims) */
  floats(dims: readonly number[], values: ArrayLike<number>): Value {
    return this.constant(TYPE.float, dims, values);
  }

  cast(x: Value, to: number): Value {
    return this.op('Cast', [x], [attr.int('to', to)]);
  }

  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    const inputs = this.opset >= AXES_ARE_INPUT.Split ? [x, this.int64(...sizes)] : [x];
    const parts = this.opset >= AXES_ARE_INPUT.Split ? [] : [attr.ints('split', sizes)];
    return this.ops('Split', inputs, [attr.int('axis', axis), ...parts], sizes.length);
  }

  reduce(op: Reduction, x: Value, axis: number, { keep = false } = {}): Value {
    return this.withAxes(op, x, [axis], [attr.int('keepdims', keep ? 1 : 0)]);
  }

  unsqueeze(x: Value, axis: number): Value {
    return this.withAxes('Unsqueeze', x, [axis], []);
  }

  squeeze(x: Value, axis: number): Value {
    return this.withAxes('Squeeze', x, [axis], []);
  }

  private withAxes(
    op: keyof typeof AXES_ARE_INPUT,
    x: Value,
    axes: number[],
    others: AttributeProto[],
  ): Value {
    return this.opset >= AXES_ARE_INPUT[op]
      ? this.op(op, [x, this.int64(...axes)], others)
      : this.op(op, [x], [attr.ints('axes', axes), ...others]);
  }

  concat(xs: readonly Value[], axis: number): Value {
    return xs.length === 1 ? (xs[0] as Value) : this.op('Concat', xs, [attr.int('axis', axis)]);
  }

  /** −1: inferred; 0: unchanged. */
  reshape(x: Value, ...dims: number[]): Value {
    return this.op('Reshape', [x, this.int64(...dims)]);
  }

  transpose(x: Value, ...order: number[]): Value {
    return this.op('Transpose', [x], [attr.ints('perm', order)]);
  }

  gather(x: Value, index: Value, axis: number): Value {
    return this.op('Gather', [x, index], [attr.int('axis', axis)]);
  }

  slice(x: Value, from: number, to: number, axis: number): Value {
    return this.op('Slice', [x, this.int64(from), this.int64(to), this.int64(axis)]);
  }

  where(condition: Value, yes: Value, no: Value): Value {
    return this.op('Where', [condition, yes, no]);
  }

  and(a: Value, b: Value): Value {
    return this.op('And', [a, b]);
  }

  or(a: Value, b: Value): Value {
    return this.op('Or', [a, b]);
  }

  not(a: Value): Value {
    return this.op('Not', [a]);
  }

  equal(a: Value, b: Value): Value {
    return this.op('Equal', [a, b]);
  }

  less(a: Value, b: Value): Value {
    return this.op('Less', [a, b]);
  }

  greater(a: Value, b: Value): Value {
    return this.op('Greater', [a, b]);
  }

  add(a: Value, b: Value): Value {
    return this.op('Add', [a, b]);
  }

  mul(a: Value, b: Value): Value {
    return this.op('Mul', [a, b]);
  }

  /** Number of rows of a value, int64 (1). */
  rowsOf(like: Value): Value {
    return this.slice(this.op('Shape', [like]), 0, 1, 0);
  }

  /** Repeats `x` (1, …dims) for `rows` rows, int64 (1). */
  repeat(x: Value, rows: Value, dims: readonly number[]): Value {
    return this.op('Expand', [x, this.concat([rows, this.int64(...dims)], 0)]);
  }

  /** Gives a value the name of an output of the graph. */
  output(x: Value, name: string): void {
    this.nodes.push({ op: 'Identity', name, inputs: [x], outputs: [name], attributes: [] });
  }

  /** A builder for the body of a Scan, Loop or If; its nodes can use the values of this graph. */
  body(): GraphBuilder {
    return new GraphBuilder(this.opset, this);
  }

  /** The graph of this builder's nodes. A body has no initialisers, since they belong to the outermost graph. */
  finish(name: string, inputs: ValueProto[], outputs: ValueProto[], { outermost = false } = {}): GraphProto {
    const initializers = outermost ? this.initializers : [];
    return { name, nodes: this.nodes, initializers, inputs, outputs, values: [] };
  }

  /**
   * Inserts a copy of a graph's nodes, with its inputs bound to values of this graph; returns its outputs.
   * @param prefix of the copy's names
   * @param weights prefix of its initialisers, which are added once however often the graph is copied
   */
  inline(graph: GraphProto, prefix: string, bound: readonly Value[], weights = prefix): Value[] {
    const names = new Map<string, Value>([['', '']]);
    graphInputs(graph).forEach((input, i) => {
      names.set(nameOf(input), bound[i] ?? '');
    });
    for (const it of graph.initializers) {
      const name = `${weights}/${nameOf(it)}`;
      names.set(nameOf(it), name);
      if (this.shared.inlined.has(name)) continue;
      this.shared.inlined.add(name);
      this.shared.initializers.push({ ...it, name });
    }
    const renamed = (name: string): Value => {
      const known = names.get(name);
      if (known !== undefined) return known;
      names.set(name, `${prefix}/${name}`);
      return `${prefix}/${name}`;
    };
    for (const node of graph.nodes) this.nodes.push(renameNode(node, prefix, renamed));
    return graph.outputs.map((it) => renamed(nameOf(it)));
  }
}

/** A node of another graph under new names, without its exporter's notes (mostly stack traces). */
function renameNode(node: NodeProto, prefix: string, renamed: (name: string) => Value): NodeProto {
  const attributes = node.attributes.map((it) =>
    it.g ? { ...it, g: renameGraph(it.g, prefix, renamed) } : it,
  );
  const name = node.name ? `${prefix}/${node.name}` : '';
  const { op = '', domain } = node;
  const copy = { op, name, inputs: node.inputs.map(renamed), outputs: node.outputs.map(renamed), attributes };
  return domain ? { ...copy, domain } : copy;
}

function renameGraph(graph: GraphProto, prefix: string, renamed: (name: string) => Value): GraphProto {
  const values = (list: readonly ValueProto[]) => list.map((it) => ({ ...it, name: renamed(nameOf(it)) }));
  return {
    // The ONNX checker requires a name for every graph.
    name: graph.name || 'body',
    inputs: values(graph.inputs),
    outputs: values(graph.outputs),
    nodes: graph.nodes.map((node) => renameNode(node, prefix, renamed)),
    initializers: graph.initializers.map((it) => ({ ...it, name: renamed(nameOf(it)) })),
    values: [],
  };
}
