/** NeMo's own export of the digits recogniser: decoder and joiner in one file, no metadata anywhere. */
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/import/builder.js';
import { dimsOf, elementOf, graphInputs, nameOf, TYPE, value, writeModel } from '../../src/import/onnx.js';
import { call } from '../../src/import/step.js';
import { fixture, nemoDigits } from './foreign.js';

const HIDDEN = 64;

/** The files that `model.export("model.onnx")` makes with `cache_support`, and a tokens.txt without the blank. */
export function nemoExport(chunkMs: 80 | 560): Record<string, Uint8Array> {
  const { encoder, decoder, joiner } = nemoDigits(chunkMs);
  const tokens = readFileSync(fixture(`nemo-digits-${chunkMs}`, 'tokens.txt'), 'utf8');
  return {
    'encoder-model.onnx': writeModel({ ...encoder, meta: [] }),
    'decoder_joint-model.onnx': joined(decoder, joiner),
    'tokens.txt': Buffer.from(tokens.replace(/^<blk> .*\n/m, '')),
  };
}

type Model = ReturnType<typeof nemoDigits>['decoder'];

function joined(decoder: Model, joiner: Model): Uint8Array {
  const g = new GraphBuilder(17);
  const [encoded = value('', 0, [])] = graphInputs(joiner.graph);
  const state = (name: string) => value(name, TYPE.float, [1, 'states_dim', HIDDEN]);
  const inputs = [
    value('encoder_outputs', elementOf(encoded), dimsOf(encoded)),
    value('targets', TYPE.int32, ['targets_dim_0', 'targets_dim_1']),
    value('target_length', TYPE.int32, ['target_length_dim']),
    state('input_states_1'),
    state('input_states_2'),
  ];
  const typed = (list: typeof inputs) => list.map((it) => ({ value: nameOf(it), element: elementOf(it) }));
  const [told = '', length = '', h = '', c = ''] = call(g, decoder, 'decoder', typed(inputs.slice(1)));
  const heard = [...typed(inputs.slice(0, 1)), { value: told, element: TYPE.float }];
  const [logits = ''] = call(g, joiner, 'joint', heard);
  g.output(logits, 'outputs');
  g.output(length, 'prednet_lengths');
  g.output(h, 'output_states_1');
  g.output(c, 'output_states_2');
  const outputs = [
    value('outputs', TYPE.float, ['B', 'T', 'U', 16]),
    value('prednet_lengths', TYPE.int32, ['B']),
    state('output_states_1'),
    state('output_states_2'),
  ];
  const graph = g.finish('main_graph', inputs, outputs, { outermost: true });
  return writeModel({ ir: 8, producer: 'pytorch', opsets: [{ domain: '', version: 17 }], meta: [], graph });
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
