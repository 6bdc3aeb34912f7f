/**
 * NeMo exports decoder and joiner in one file (`decoder_joint-model.onnx`). The search runs them separately: the
 * decoder after each emitted token, the joiner for every frame. The file is therefore split: the part that does not
 * depend on the encoder's output is the decoder.
 */
import { unsupported } from './meta.js';
import {
  type GraphProto,
  graphInputs,
  type NodeProto,
  nameOf,
  type TensorProto,
  TYPE,
  type ValueProto,
  value,
} from './onnx.js';
import { pruned } from './rewrite.js';
import type { Model } from './step.js';

/** encoder_outputs, targets, target_length, two states */
const INPUTS = 5;
/** Nodes that only reshape their input; the joiner repeats them. */
const SHAPING = ['Unsqueeze', 'Identity', 'Dropout'];

const cannot = (why: string) =>
  unsupported(
    `The combined decoder and joiner file cannot be split: ${why}.`,
    'Export it with NeMo’s model.export(), or use the three files for sherpa-onnx.',
  );

/** @throws ServerError MODEL_UNSUPPORTED if its structure differs from NeMo's */
export function splitJoined(model: Model): { decoder: Model; joiner: Model } {
  const { graph } = model;
  const [encoded, ...others] = graphInputs(graph);
  const [logits, ...told] = graph.outputs;
  if (encoded === undefined || logits === undefined || others.length + 1 !== INPUTS || told.length !== 3) {
    throw cannot(
      `it has ${others.length + 1} inputs and ${told.length + 1} outputs; NeMo’s has ${INPUTS} and 4`,
    );
  }
  const maker = new Map(graph.nodes.flatMap((node) => node.outputs.map((it) => [it, node] as const)));
  const ofEncoder = dependents(graph.nodes, [nameOf(encoded)]);
  const ofDecoder = dependents(graph.nodes, others.map(nameOf));
  const crossing = new Set(
    graph.nodes
      .filter((node) => node.outputs.some((it) => ofEncoder.has(it)))
      .flatMap((node) => node.inputs.filter((it) => ofDecoder.has(it) && !ofEncoder.has(it))),
  );
  if (crossing.size !== 1) throw cannot(`${crossing.size} values pass from the decoder to the joiner`);
  const [cut, width] = projection(maker, graph.initializers, [...crossing][0] ?? '');
  const between = value(cut, TYPE.float, ['B', 1, width]);
  const part = (inputs: ValueProto[], outputs: ValueProto[]): GraphProto => {
    const nodes = needed(maker, outputs.map(nameOf), inputs.map(nameOf));
    return pruned({ ...graph, inputs, outputs, nodes: graph.nodes.filter((it) => nodes.has(it)) });
  };
  const decoder = part(others, [between, ...told]);
  const joiner = part([encoded, between], [logits]);
  if (told.some((it) => ofEncoder.has(nameOf(it)))) {
    throw cannot('the decoder’s states depend on the encoder');
  }
  if (joiner.nodes.some((node) => node.inputs.some((it) => others.some((one) => nameOf(one) === it)))) {
    throw cannot('the joiner uses an input of the decoder');
  }
  return { decoder: { ...model, graph: decoder }, joiner: { ...model, graph: joiner } };
}

/** Names that depend on any of the given ones. Nodes are in execution order. */
function dependents(nodes: readonly NodeProto[], given: readonly string[]): Set<string> {
  const found = new Set(given);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((it) => found.has(it))) for (const it of outputs) found.add(it);
  }
  return found;
}

/** The nodes that compute the wanted values from the given ones. */
function needed(
  maker: ReadonlyMap<string, NodeProto>,
  wanted: readonly string[],
  given: readonly string[],
): Set<NodeProto> {
  const nodes = new Set<NodeProto>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = given.includes(name) ? undefined : maker.get(name);
    if (node === undefined || nodes.has(node)) continue;
    nodes.add(node);
    open.push(...node.inputs);
  }
  return nodes;
}

/** The decoder's projection (B, 1, width) that leads to a value the joiner takes, and its width. */
function projection(
  maker: ReadonlyMap<string, NodeProto>,
  initializers: readonly TensorProto[],
  crossing: string,
): [string, number] {
  let name = crossing;
  let node = maker.get(name);
  while (node !== undefined && SHAPING.includes(node.op ?? '')) {
    name = node.inputs[0] ?? '';
    node = maker.get(name);
  }
  const weights = new Map(initializers.map((it) => [nameOf(it), it]));
  const last = node?.inputs.flatMap((it) => weights.get(it)?.dims.at(-1) ?? []) ?? [];
  const [width] = last;
  if (width !== undefined && (node?.op === 'Add' || node?.op === 'MatMul')) return [name, width];
  throw cannot(`the value passed from the decoder to the joiner is made by ${node?.op ?? 'nothing'}`);
}
