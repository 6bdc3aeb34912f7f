/**
 * Dynamic int8 with one scale for each row in place of one for the whole batch: as usually exported (DynamicQuantizeLinear), a
 * stream's numbers depend on the loudest stream beside it. A row is divided by its largest value and quantised with one fixed
 * scale, and the product is multiplied back. A scale for each row in the place of the one would be silently wrong: ONNX Runtime
 * fuses MatMulInteger, Cast and Mul into a kernel that reads one scale. That kernel (MatMulIntegerToFloat) is what the fixed scale is
 * given to here: by itself ONNX Runtime does not see the pattern any more, once the scales are constants.
 */
import { AXES_ARE_INPUT } from './builder.js';
import { unsupported } from './meta.js';
import {
  type AttributeProto,
  attr,
  type NodeProto,
  nameOf,
  opsetOf,
  type TensorProto,
  TYPE,
  tensor,
} from './onnx.js';
import { pruned } from './rewrite.js';
import type { Model } from './step.js';

const QUANTISE = 'DynamicQuantizeLinear';
/** Where ONNX Runtime has operators of its own. */
const CONTRIBUTED = 'com.microsoft';
const AXES = 'int8/axes';
const TINY = 'int8/tiny';
/** Divisor of a row of zeros, since the integer that NaN becomes depends on its place in the batch. */
const LEAST = 1e-9;
/** Largest values are 127 steps from the zero point. */
const STEPS = 127;
const ZERO_POINT = 128;

/** The model with its activations quantised row by row; unchanged if it quantises none. */
export function quantiseByRow(model: Model): Model {
  const { nodes, initializers } = model.graph;
  if (!nodes.some((it) => it.op === QUANTISE)) return model;
  const users = usersOf(nodes);
  const makers = new Map(nodes.flatMap((it) => it.outputs.map((name) => [name, it])));
  const added: TensorProto[] = [tensor(AXES, TYPE.int64, [1], [-1]), tensor(TINY, TYPE.float, [], [LEAST])];
  /** Nodes and their replacements; the new product replaces the end of the old one. */
  const places = new Map<NodeProto, NodeProto[]>();
  for (const node of nodes) {
    if (node.op !== QUANTISE) continue;
    const [quantised = '', scale = '', zero = ''] = node.outputs;
    added.push(tensor(scale, TYPE.float, [], [1 / STEPS]), tensor(zero, TYPE.uint8, [], [ZERO_POINT]));
    for (const product of users.get(quantised) ?? []) {
      const [cast, end] = endOf(product, users);
      const done = rescaled(product, end, makers, [scale, `${quantised}/largest`]);
      places.set(end, done);
      if (done[0]?.domain !== CONTRIBUTED) continue;
      places.set(product, []);
      places.set(cast, []);
    }
  }
  const opset = opsetOf(model);
  const rewritten = nodes.flatMap((node) => {
    if (node.op === QUANTISE) return rowByRow(node, opset);
    return places.get(node) ?? [node];
  });
  const opsets = model.opsets.filter(({ domain }) => domain !== CONTRIBUTED);
  return {
    ...model,
    opsets: [...opsets, { domain: CONTRIBUTED, version: 1 }],
    graph: pruned({ ...model.graph, nodes: rewritten, initializers: [...initializers, ...added] }),
  };
}

function usersOf(nodes: readonly NodeProto[]): Map<string, NodeProto[]> {
  const users = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of node.inputs) users.set(name, [...(users.get(name) ?? []), node]);
  }
  return users;
}

/** The nodes that convert a product to float: MatMulInteger → Cast → Mul by both scales. */
function endOf(
  product: NodeProto,
  users: ReadonlyMap<string, readonly NodeProto[]>,
): readonly [cast: NodeProto, end: NodeProto] {
  const [cast, ...castToo] = users.get(product.outputs[0] ?? '') ?? [];
  const [mul, ...mulToo] = users.get(cast?.outputs[0] ?? '') ?? [];
  const known = product.op === 'MatMulInteger' && cast?.op === 'Cast' && mul?.op === 'Mul';
  if (known && castToo.length === 0 && mulToo.length === 0) return [cast, mul];
  throw unsupported(
    `Its int8 product ${nameOf(product)} (${product.op}, ${cast?.op}, ${mul?.op}) cannot be rescaled by rows, so a stream would depend on its neighbours.`,
    'Take --precision fp32.',
  );
}

const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: AttributeProto[] = [],
): NodeProto => ({
  op,
  name: `int8/${output}/${op}`,
  inputs,
  outputs: [output],
  attributes,
});

function rowByRow({ inputs, outputs }: NodeProto, opset: number): NodeProto[] {
  const [x = ''] = inputs;
  const [quantised = '', scale = '', zero = ''] = outputs;
  const keep = attr.int('keepdims', 1);
  const [size, top, largest, unit] = ['size', 'top', 'largest', 'unit'].map((it) => `${quantised}/${it}`) as [
    string,
    string,
    string,
    string,
  ];
  return [
    node('Abs', [x], size),
    opset >= AXES_ARE_INPUT.ReduceMax
      ? node('ReduceMax', [size, AXES], top, [keep])
      : node('ReduceMax', [size], top, [attr.ints('axes', [-1]), keep]),
    node('Max', [top, TINY], largest),
    node('Div', [x, largest], unit),
    node('QuantizeLinear', [unit, scale, zero], quantised),
  ];
}

/**
 * A product of rows divided by their largest values: multiplied by the fixed scale and the weight's, then by those
 * values.
 * @param end multiplies by both scales
 * @param scales the fixed one; the largest values
 */
function rescaled(
  product: NodeProto,
  end: NodeProto,
  makers: ReadonlyMap<string, NodeProto>,
  [fixed, largest]: readonly [string, string],
): NodeProto[] {
  const [out = ''] = end.outputs;
  const unit = `${out}/unit`;
  const back = node('Mul', [unit, largest], out);
  const both = end.inputs.map((name) => makers.get(name)).find((it) => it?.op === 'Mul');
  const weight = both?.inputs.find((name) => name !== fixed);
  const [x = '', w = '', xZero = '', wZero] = product.inputs;
  if (weight === undefined || both?.inputs.includes(fixed) !== true) {
    return [{ ...end, outputs: [unit] }, back];
  }
  const inputs = [x, w, fixed, weight, xZero, ...(wZero === undefined ? [] : [wZero])];
  return [{ ...node('MatMulIntegerToFloat', inputs, unit), domain: CONTRIBUTED }, back];
}
