/** One step of a scripted stream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultViews, slabLayout } from '../../src/inference/layout.js';
import { audioIn, mockModel, placeOf } from '../../src/mock/model.js';
import { parseScript } from '../../src/mock/script.js';
import { ScriptPlayer } from '../../src/mock/step.js';

const HOUR = 3_600 * 16_000;

test('the audio that a stream has taken stays exact over days: it is more samples than an int32 holds', () => {
  const script = parseScript({ utterances: [{ at: 0, text: 'hello' }], repeatEvery: 10 });
  const model = mockModel(script);
  const layout = slabLayout(model.manifest, 1, 1);
  const result = resultViews(new SharedArrayBuffer(layout.bytes), layout, 0);
  const player = new ScriptPlayer(script, model);
  const { chunkSamples } = model.manifest;
  for (const hours of [37, 38, 75, 120]) {
    const rounds = (hours * HOUR) / 160_000;
    let place = placeOf(hours * HOUR, 0, rounds); // one word in each round, all said
    let said = 0;
    for (let i = 0; i < 100; i++) {
      place = player.step(place, chunkSamples, result);
      said += result.tokens.filter((token) => token > 0).length;
    }
    assert.equal(audioIn(place), hours * HOUR + 160_000);
    assert.equal(said, 1, `the word of these ten seconds, after ${hours} hours`);
  }
});
