/** NeMo's own export of the digits recogniser: decoder and joiner in one file, no metadata anywhere. */
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/import/builder.js';
import { nameOf, readModel, TYPE, value, writeModel } from '../../src/import/onnx.js';
import { fixture, nemoDigits, readFixture } from './foreign.js';

const EXPORT = 'nemo-digits-export';

/**
 * The files that `model.export("model.onnx")` makes with `cache_support`, and a tokens.txt without the blank. The
 * encoder is that of the three files without its metadata: NeMo writes the same graph for both.
 */
export function nemoExport(chunkMs: 80 | 560): Record<string, Uint8Array> {
  const { encoder } = nemoDigits(chunkMs);
  const tokens = readFileSync(fixture(`nemo-digits-${chunkMs}`, 'tokens.txt'), 'utf8');
  return {
    'encoder-model.onnx': writeModel({ ...encoder, meta: [] }),
    'decoder_joint-model.onnx': readFileSync(fixture(EXPORT, 'decoder_joint-model.onnx')),
    'tokens.txt': Buffer.from(tokens.replace(/^<blk> .*\n/m, '')),
  };
}

/**
 * The pair of a multilingual checkpoint, as the script of docs/MODELS.md exports it: the graph that adds the language
 * behind the encoder. English and `auto` leave the frames unchanged, German silences them.
 */
export function nemoPromptExport(): Record<string, Uint8Array> {
  const files = nemoExport(560);
  const encoder = readModel(files['encoder-model.onnx'] ?? new Uint8Array());
  const [encoded, ...caches] = encoder.graph.outputs;
  const prompt = readFixture(EXPORT, 'prompt.onnx').graph;
  const inner = (name: string) => (name === 'encoded' ? nameOf(encoded ?? {}) : name && `prompt/${name}`);
  const graph = {
    ...encoder.graph,
    inputs: [...encoder.graph.inputs, value(inner('prompt_index'), TYPE.int64, ['B'])],
    outputs: [value(inner('prompted'), TYPE.float, ['B', 64, 'T']), ...caches],
    nodes: [
      ...encoder.graph.nodes,
      ...prompt.nodes.map((node) => ({
        ...node,
        name: inner(node.name ?? ''),
        inputs: node.inputs.map(inner),
        outputs: node.outputs.map(inner),
      })),
    ],
    initializers: [
      ...encoder.graph.initializers,
      ...prompt.initializers.map((it) => ({ ...it, name: inner(nameOf(it)) })),
    ],
  };
  const languages = { 'en-US': 0, en: 0, 'de-DE': GERMAN, de: GERMAN, auto: AUTO };
  const meta = [
    { key: 'prompt_dictionary', value: JSON.stringify(languages) },
    { key: 'auto_prompt_id', value: String(AUTO) },
  ];
  return { ...files, 'encoder-model.onnx': writeModel({ ...encoder, graph, meta }) };
}

/**
 * The digits recogniser as a multilingual model: told German it recognises nothing, told anything else it works
 * normally.
 */
export function nemoMultilingual(): Record<string, Uint8Array> {
  const { encoder, decoder, joiner } = nemoDigits(80);
  const g = new GraphBuilder(17);
  const [encoded = value('', 0, [])] = encoder.graph.outputs;
  const isGerman = g.equal('prompt_index', g.int64(GERMAN));
  const gate = g.cast(g.reshape(g.not(isGerman), -1, 1, 1), TYPE.float);
  g.nodes.push({
    op: 'Mul',
    name: 'gate',
    inputs: ['heard', gate],
    outputs: [nameOf(encoded)],
    attributes: [],
  });
  const nodes = encoder.graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((it) => (it === nameOf(encoded) ? 'heard' : it)),
  }));
  const graph = {
    ...encoder.graph,
    nodes: [...nodes, ...g.nodes],
    initializers: [...encoder.graph.initializers, ...g.initializers],
    inputs: [...encoder.graph.inputs, value('prompt_index', TYPE.int64, ['B'])],
  };
  const meta = [
    ...encoder.meta,
    { key: 'prompt_dictionary', value: JSON.stringify({ 'en-US': 0, 'de-DE': GERMAN, auto: AUTO }) },
    { key: 'auto_prompt_id', value: String(AUTO) },
  ];
  return {
    'encoder.onnx': writeModel({ ...encoder, graph, meta }),
    'decoder.onnx': writeModel(decoder),
    'joiner.onnx': writeModel(joiner),
    'tokens.txt': readFileSync(fixture('nemo-digits-80', 'tokens.txt')),
  };
}

export const GERMAN = 1;
export const AUTO = 5;
