/**
 * Rewrites depthwise convolutions over time as two-dimensional ones of height one. ONNX Runtime's CPU provider has fast
 * kernels only for those (5 to 30 times faster, measured). Results agree within 5e-7.
 */
import { AXES_ARE_INPUT } from './builder.js';
import {
  type AttributeProto,
  attr,
  type GraphProto,
  type NodeProto,
  nameOf,
  type TensorProto,
  TYPE,
  tensor,
} from './onnx.js';
import { pruned } from './rewrite.js';

/** Attributes of a convolution over (C, T), converted to (C, 1, T). */
const FLAT: Record<string, (ints: readonly (number | bigint)[]) => (number | bigint)[]> = {
  kernel_shape: (ints) => [1, ...ints],
  strides: (ints) => [1, ...ints],
  dilations: (ints) => [1, ...ints],
  pads: ([before = 0, after = 0]) => [0, before, 0, after],
};

/** A copy of the graph with its depthwise convolutions rewritten. */
export function rewriteConvolutions(graph: GraphProto, opset: number): GraphProto {
  const weights = new Map(graph.initializers.map((it) => [nameOf(it), it]));
  const added = new Map<string, TensorProto>();
  const nodes = graph.nodes.flatMap((node) => {
    const weight = depthwiseWeight(node, weights);
    if (weight === null) return [node];
    const [channels = 1, , width = 1] = weight.dims;
    const flat = { ...weight, name: `${nameOf(weight)}/2d`, dims: [channels, 1, 1, width] };
    added.set(flat.name, flat);
    return flatConvolution(node, flat.name, opset);
  });
  const axis = tensor(AXIS, TYPE.int64, [1], [2]);
  return pruned({ ...graph, nodes, initializers: [...graph.initializers, ...added.values(), axis] });
}

/** The weight (C, 1, K) of a depthwise convolution over time; null for any other node. */
function depthwiseWeight(node: NodeProto, weights: ReadonlyMap<string, TensorProto>): TensorProto | null {
  const weight = node.op === 'Conv' ? weights.get(node.inputs[1] ?? '') : undefined;
  if (weight?.dims.length !== 3 || weight.dims[1] !== 1 || (weight.dims[0] ?? 0) <= 1) return null;
  const padded = node.attributes.find((it) => it.name === 'auto_pad')?.s;
  return padded === undefined || new TextDecoder().decode(padded) === 'NOTSET' ? weight : null;
}

const AXIS = 'conv2d/axis';

/** Unsqueeze, convolve, Squeeze. */
function flatConvolution(node: NodeProto, weight: string, opset: number): NodeProto[] {
  const [x = '', , ...others] = node.inputs;
  const out = node.outputs[0] ?? '';
  const move = (op: 'Squeeze' | 'Unsqueeze', from: string, to: string): NodeProto => ({
    op,
    name: `${to}/${op}`,
    inputs: opset >= AXES_ARE_INPUT[op] ? [from, AXIS] : [from],
    outputs: [to],
    attributes: opset >= AXES_ARE_INPUT[op] ? [] : [attr.ints('axes', [2])],
  });
  const attributes = node.attributes.map((it): AttributeProto => {
    const change = FLAT[nameOf(it)];
    return change === undefined ? it : { ...it, ints: change(it.ints) };
  });
  return [
    move('Unsqueeze', x, `${out}/tall`),
    { ...node, inputs: [`${out}/tall`, weight, ...others], outputs: [`${out}/flat`], attributes },
    move('Squeeze', `${out}/flat`, out),
  ];
}
