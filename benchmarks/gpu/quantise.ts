/**
 * int8 as ONNX Runtime's own tool (quantize_dynamic, signed weights) makes it and sherpa-onnx's models have it: the weights of a
 * product with one scale and no zero point, its activations quantised with one scale and zero point over the whole batch
 * (DynamicQuantizeLinear), the product multiplied back.
 */
import {
  attr,
  type ModelProto,
  type NodeProto,
  nameOf,
  type TensorProto,
  TYPE,
  tensor,
} from '../../src/import/onnx.js';

/** A weight's largest value is so many steps from zero. */
const STEPS = 127;

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: NodeProto['attributes'] = [],
): NodeProto => ({ op, name: `${outputs[0]}/${op}`, inputs, outputs, attributes });

/** A weight (rows, columns) as int8, with its scale and its zero point, which is zero. */
function quantisedWeight(weight: TensorProto): TensorProto[] {
  const name = nameOf(weight);
  const { raw = new Uint8Array() } = weight;
  const values = new Float32Array(raw.slice().buffer);
  const largest = values.reduce((most, it) => Math.max(most, Math.abs(it)), 1e-9);
  return [
    tensor(`${name}/int8`, TYPE.int8, weight.dims, values.map((it) => Math.round((it / largest) * STEPS))), // biome-ignore format: short
    tensor(`${name}/scale`, TYPE.float, [], [largest / STEPS]),
    tensor(`${name}/zero`, TYPE.int8, [], [0]),
  ];
}

/** The model with its products by weights in int8; what else it does stays as it is. */
export function quantised(model: ModelProto): ModelProto {
  const { graph } = model;
  if (graph === undefined) throw new Error('a model without a graph');
  const weights = new Map(graph.initializers.map((it) => [nameOf(it), it]));
  const added = new Map<string, TensorProto[]>();
  const activations = new Set<string>();
  const nodes = graph.nodes.flatMap((product): NodeProto[] => {
    const [x = '', w = ''] = product.inputs;
    const weight = weights.get(w);
    if (product.op !== 'MatMul' || weight?.raw === undefined || weight.dims.length !== 2) return [product];
    if (!added.has(w)) added.set(w, quantisedWeight(weight));
    const [out = ''] = product.outputs;
    const [xq, scale, zero] = [`${x}/uint8`, `${x}/scale`, `${x}/zero`];
    const first = activations.has(x) ? [] : [node('DynamicQuantizeLinear', [x], [xq, scale, zero])];
    activations.add(x);
    return [
      ...first,
      node('MatMulInteger', [xq, `${w}/int8`, zero, `${w}/zero`], [`${out}/int32`]),
      node('Cast', [`${out}/int32`], [`${out}/float`], [attr.int('to', TYPE.float)]),
      node('Mul', [scale, `${w}/scale`], [`${out}/scales`]),
      node('Mul', [`${out}/float`, `${out}/scales`], [out]),
    ];
  });
  const kept = graph.initializers.filter((it) => !added.has(nameOf(it)));
  return {
    ...model,
    graph: { ...graph, nodes, initializers: [...kept, ...[...added.values()].flat()] },
  };
}
