/** A multilingual encoder: each stream is told its own language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { splitJoined } from '../../src/import/joined.js';
import { readModel } from '../../src/import/onnx.js';
import type { Source } from '../../src/import/step.js';
import { parseTokens } from '../../src/models/store.js';
import { expected, hear, openStep, recording, sourceOf } from '../helpers/foreign.js';
import { AUTO, GERMAN, nemoMultilingual, nemoPromptExport } from '../helpers/nemo-export.js';

const made = () => compose(sourceOf(nemoMultilingual()), { search: 'greedy' });
const opened = openStep(made());
const [first] = expected('nemo-80');
const ENGLISH = 0;

test('the languages and the number that leaves it to the model are those of its metadata', () => {
  assert.deepEqual(made().prompts, {
    auto: AUTO,
    languages: { 'en-US': ENGLISH, 'de-DE': GERMAN, auto: AUTO },
  });
});

test('streams of one batch are told different languages, and hear by their own', async () => {
  const audio = recording(first?.f ?? '');
  const prompts = [GERMAN, ENGLISH, AUTO, GERMAN];
  const { said } = await hear(await opened, [audio, audio, audio, audio], { prompts });
  const tokens = said.map((row) => row.map((it) => it.token));
  assert.deepEqual(tokens[1], first?.tokens);
  assert.deepEqual(tokens[2], first?.tokens);
  assert.notDeepEqual(tokens[0], first?.tokens);
  assert.deepEqual(tokens[3], tokens[0]);
});

test('a stream is the same to the bit, whatever its neighbour is told', async () => {
  const session = await opened;
  const audio = recording(first?.f ?? '').subarray(0, 24_000);
  const width = session.step.stateFloats;
  const alone = await hear(session, [audio], { prompts: [ENGLISH] });
  const among = await hear(session, [audio, audio], { prompts: [GERMAN, ENGLISH] });
  assert.deepEqual(among.said[1], alone.said[0]);
  alone.states.forEach((state, k) => {
    assert.deepEqual(among.states[k]?.slice(width, 2 * width), state, `step ${k}`);
  });
});

/** NeMo's own streaming of the checkpoint (PyTorch), with the features that the import computes. */
interface OfNemo {
  readonly f: string;
  readonly language: string;
  readonly tokens: readonly number[];
}
const ofNemo = expected<OfNemo>('nemo-prompt-560');

test('a checkpoint exported with the script of the documentation says what NeMo says in each language', async () => {
  const files = nemoPromptExport();
  const step = compose(splitSource(files), { search: 'greedy' });
  assert.deepEqual([step.chunkSamples, step.prompts?.auto], [8_960, AUTO]);
  const prompts = ofNemo.map((it) => step.prompts?.languages[it.language] ?? Number.NaN);
  const { said } = await hear(
    await openStep(step),
    ofNemo.map((it) => recording(it.f)),
    { prompts },
  );
  assert.deepEqual(
    said.map((row) => row.map((it) => it.token)),
    ofNemo.map((it) => it.tokens),
  );
  assert.equal(ofNemo.length, 24);
});

test('a chunk other than the exported one is refused although the language is added behind the cut', () => {
  const streaming = { chunkMs: 80, leftFrames: null };
  assert.throws(() => compose(splitSource(nemoPromptExport()), { search: 'greedy', streaming }), {
    code: 'MODEL_UNSUPPORTED',
    message: /chunks of 560 ms, not 80/,
  });
});

function splitSource(files: Readonly<Record<string, Uint8Array>>): Source {
  const read = (name: string) => readModel(files[name] ?? new Uint8Array());
  const text = Buffer.from(files['tokens.txt'] ?? []).toString();
  return {
    encoder: read('encoder-model.onnx'),
    ...splitJoined(read('decoder_joint-model.onnx')),
    tokens: parseTokens(text, 'tokens.txt'),
  };
}
