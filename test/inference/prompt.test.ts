/** The number of a stream's language, on its way to the lane. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_INTS, PROMPT, slabLayout } from '../../src/inference/layout.js';
import { StreamTable } from '../../src/inference/stream-table.js';
import { fakeManifest } from '../helpers/fake-model.js';

const owner = { onStep() {}, onFlushed() {}, onFault() {} };

function multilingual() {
  const prompts = { auto: 7, languages: { en: 0, de: 3 } };
  const manifest = fakeManifest({ prompts, inputs: { audio: 'pcm', prompt: 'prompt' } });
  const table = new StreamTable(slabLayout(manifest, 2, 1), () => {});
  const slot = table.lease(owner);
  assert.ok(slot);
  const told = () => {
    slot.prepare();
    return new Int32Array(table.slab, table.layout.headerAt)[slot.index * HEADER_INTS + PROMPT];
  };
  return { table, slot, told };
}

test('a stream of which nothing is said leaves the language to the model', () => {
  assert.equal(multilingual().told(), 7);
});

test('a language holds from the next step on, until another one does', () => {
  const { slot, told } = multilingual();
  slot.setPrompt(3);
  assert.equal(told(), 3);
  assert.equal(told(), 3);
  slot.setPrompt(null);
  assert.equal(told(), 7);
});

test('the next tenant does not inherit a language', () => {
  const { table, slot, told } = multilingual();
  slot.setPrompt(3);
  assert.equal(told(), 3);
  table.release(slot);
  assert.equal(table.lease(owner), slot);
  assert.equal(told(), 7);
});

test('inputs.prompt and prompts go together', () => {
  assert.throws(() => fakeManifest({ inputs: { audio: 'pcm', prompt: 'prompt' } }), /prompts go together/);
});
