/** A multilingual encoder: each stream is told its own language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { expected, hear, openStep, recording, sourceOf } from '../helpers/foreign.js';
import { AUTO, GERMAN, nemoMultilingual } from '../helpers/nemo-export.js';

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
