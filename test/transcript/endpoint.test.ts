import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpointer, type EndpointRules } from '../../src/transcript/endpoint.js';

const FRAME = 800;
const rules = (changes: Partial<EndpointRules> = {}): EndpointRules => ({
  vadThreshold: null,
  silenceSamples: 3 * FRAME,
  ...changes,
});

/** Feeds frames given as [vad, rms]; returns "frame: change" for each change. */
function changes(endpointer: Endpointer, frames: readonly (readonly [number, number])[]): string[] {
  const seen: string[] = [];
  frames.forEach(([vad, rms], i) => {
    const change = endpointer.frame(vad, rms, i * FRAME, (i + 1) * FRAME);
    if (change !== null) seen.push(`${i}: ${change}`);
  });
  return seen;
}

const SPEECH = [0.9, 0.1] as const;
const SILENCE = [0.1, 0] as const;

test('speech begins with the second loud frame in a row, at the first', () => {
  const endpointer = new Endpointer(rules(), 0.5);
  assert.deepEqual(changes(endpointer, [SILENCE, SPEECH, SPEECH]), ['2: started']);
  assert.equal(endpointer.speechStart, FRAME);
});

test('a single loud frame is a click', () => {
  assert.deepEqual(changes(new Endpointer(rules(), 0.5), [SPEECH, SILENCE, SPEECH, SILENCE]), []);
});

test('speech ends after the silence asked for, at its last loud frame', () => {
  const endpointer = new Endpointer(rules(), 0.5);
  const frames = [SPEECH, SPEECH, SPEECH, SILENCE, SILENCE, SILENCE, SILENCE];
  assert.deepEqual(changes(endpointer, frames), ['1: started', '5: ended']);
  assert.equal(endpointer.speechEnd, 3 * FRAME);
  assert.equal(endpointer.silence(7 * FRAME), 4 * FRAME);
});

test('a pause shorter than that is part of the speech', () => {
  const frames = [SPEECH, SPEECH, SILENCE, SILENCE, SPEECH, SILENCE, SILENCE];
  assert.deepEqual(changes(new Endpointer(rules(), 0.5), frames), ['1: started']);
});

test('with a threshold the energy decides, not the model', () => {
  const endpointer = new Endpointer(rules({ vadThreshold: 0.2 }), 0.5);
  assert.deepEqual(changes(endpointer, [[0.9, 0.1], [0.9, 0.1], [0, 0.3], [0, 0.3]]), ['3: started']); // biome-ignore format: pairs
});

test('without one the model decides, at its own threshold', () => {
  const frames = [[0.6, 0.5], [0.6, 0.5]] as const; // biome-ignore format: pairs
  assert.deepEqual(changes(new Endpointer(rules(), 0.5), frames), ['1: started']);
  assert.deepEqual(changes(new Endpointer(rules(), 0.7), frames), []);
});

test('a model without voice activity falls back on energy', () => {
  const endpointer = new Endpointer(rules(), 0.5);
  assert.deepEqual(changes(endpointer, [[-1, 0.001], [-1, 0.02], [-1, 0.02]]), ['2: started']); // biome-ignore format: pairs
});

test('a threshold of 0 takes everything for speech', () => {
  assert.deepEqual(changes(new Endpointer(rules({ vadThreshold: 0 }), 0.5), [SILENCE, SILENCE]), [
    '1: started',
  ]);
});

test('rules that change are in force from the next frame on', () => {
  const now = rules();
  const endpointer = new Endpointer(now, 0.5);
  changes(endpointer, [SPEECH, SPEECH, SILENCE]);
  now.silenceSamples = FRAME;
  assert.equal(endpointer.frame(0, 0, 3 * FRAME, 4 * FRAME), 'ended');
});
