/** A model in half precision as exporters write it: float16 weights, and float16 inputs and outputs where they are asked for. */
import {
  attr,
  elementOf,
  floatsOf,
  type NodeProto,
  nameOf,
  readModel,
  TYPE,
  tensor,
  type ValueProto,
  writeModel,
} from '../../src/import/onnx.js';

/** IEEE half-precision bits, rounded to nearest; values beyond its range do not occur here. */
export function halfBits(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign + ((exponent + 15) << 10) + Math.round((size / 2 ** exponent - 1) * 1024);
}

/** @param edges whether inputs and outputs are float16 too */
export function inHalf(bytes: Uint8Array, { edges }: { readonly edges: boolean }): Uint8Array {
  const model = readModel(bytes);
  const { graph } = model;
  const cast = (from: string, to: string, type: number): NodeProto => ({
    op: 'Cast', name: `${to}/cast`, inputs: [from], outputs: [to], attributes: [attr.int('to', type)],
  }); // biome-ignore format: a plain list
  const before: NodeProto[] = [];
  graph.initializers = graph.initializers.map((it) => {
    if (it.type !== TYPE.float) return it;
    before.push(cast(`${nameOf(it)}/half`, nameOf(it), TYPE.float));
    return tensor(`${nameOf(it)}/half`, TYPE.float16, it.dims, Array.from(floatsOf(it), halfBits));
  });
  const after: NodeProto[] = [];
  if (edges) {
    const floats = (list: ValueProto[]) => list.filter((it) => elementOf(it) === TYPE.float);
    const rename = new Map<string, string>();
    for (const it of floats(graph.inputs)) before.push(cast(nameOf(it), `${nameOf(it)}/float`, TYPE.float));
    for (const it of floats(graph.inputs)) rename.set(nameOf(it), `${nameOf(it)}/float`);
    for (const it of floats(graph.outputs)) after.push(cast(`${nameOf(it)}/float`, nameOf(it), TYPE.float16));
    const outputs = new Map(floats(graph.outputs).map((it) => [nameOf(it), `${nameOf(it)}/float`]));
    for (const node of graph.nodes) {
      node.inputs = node.inputs.map((it) => rename.get(it) ?? outputs.get(it) ?? it);
      node.outputs = node.outputs.map((it) => outputs.get(it) ?? it);
    }
    for (const it of [...floats(graph.inputs), ...floats(graph.outputs)]) {
      if (it.type?.tensor) it.type.tensor.element = TYPE.float16;
    }
  }
  graph.nodes = [...before, ...graph.nodes, ...after];
  return writeModel(model);
}
