import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  chunkMs, elements, frameMs, manifestSchema, resultTokens, STATE_TYPES, type StateTensor, type StateType, stateLayout, tensorBytes, windowOf,
} from '../../src/models/manifest.js'; // biome-ignore format: one source
import { fakeManifest } from '../helpers/fake-model.js';

const refuses = (changes: object) => !manifestSchema.safeParse({ ...fakeManifest(), ...changes }).success;

test('a manifest says how long a frame is and how many tokens a step may give', () => {
  const manifest = fakeManifest({ chunkSamples: 1_600, framesPerChunk: 4, symbolsPerFrame: 5 });
  assert.equal(frameMs(manifest), 25);
  assert.equal(resultTokens(manifest), 20);
});

test('other rates, unknown schemas, no files list, chunks of nothing and bad checksums are refused', () => {
  assert.ok(refuses({ sampleRate: 8_000 }));
  assert.ok(refuses({ schema: 2 }));
  assert.ok(refuses({ files: undefined }));
  assert.ok(refuses({ chunkSamples: 0 }));
  assert.ok(refuses({ framesPerChunk: 0 }));
  assert.ok(refuses({ files: [{ path: 'a', bytes: 1, sha256: 'abc' }] }));
  assert.ok(refuses({ state: [{ input: 'a', output: 'b', type: 'complex', shape: [1] }] }));
  assert.ok(refuses({ state: [{ input: 'a', output: 'b', type: 'int8', shape: [0] }] }));
});

test('a step may see further than it advances, and never less far', () => {
  assert.equal(windowOf(fakeManifest()), 1_600);
  assert.equal(windowOf(fakeManifest({ windowSamples: 2_000 })), 2_000);
  assert.equal(chunkMs(fakeManifest({ chunkSamples: 17_920 })), 1_120, 'the longest chunk of NeMo models');
  assert.ok(refuses({ windowSamples: 1_599 }));
  assert.ok(refuses({ windowSamples: 70_000 }));
  assert.ok(refuses({ chunkSamples: 40_000 }));
});

test('a manifest may say how its tokens are to be read', () => {
  assert.equal(fakeManifest().tokenStyle, undefined);
  assert.equal(fakeManifest({ tokenStyle: 'words', letterCase: 'keep' }).tokenStyle, 'words');
  assert.ok(refuses({ tokenStyle: 'runes' }));
  assert.ok(refuses({ letterCase: 'upper' }));
});

test('a graph that takes hotwords says how many edges, and one that does not says nothing', () => {
  const inputs = { audio: 'pcm', hotwords: 'phrases' };
  assert.ok(refuses({ inputs }));
  assert.ok(refuses({ hotwordEdges: 8 }));
  assert.equal(refuses({ inputs, hotwordEdges: 8 }), false);
});

test('a graph that shows a preview says of how many tokens, with their log-probabilities, or nothing of it', () => {
  const { tokens, logp } = fakeManifest().outputs;
  const outputs = { tokens, logp, preview: 'preview', previewLogp: 'preview_logp' };
  assert.equal(refuses({ outputs, previewTokens: 8 }), false);
  assert.ok(refuses({ outputs }));
  assert.ok(refuses({ previewTokens: 8 }));
  assert.ok(refuses({ outputs: { tokens, logp, preview: 'preview' }, previewTokens: 8 }));
  assert.ok(refuses({ outputs: { tokens, logp, previewLogp: 'preview_logp' }, previewTokens: 8 }));
  for (const previewTokens of [0, 1.5, 65])
    assert.ok(refuses({ outputs, previewTokens }), `${previewTokens}`);
  assert.equal(refuses({ outputs: { tokens, logp, times: 'times' } }), false, 'times need nothing else');
});

test('a model says from which voice activity on it hears speech; 0.5 if it does not say', () => {
  assert.equal(fakeManifest().vadThreshold, 0.5);
  assert.equal(fakeManifest({ vadThreshold: 0.3 }).vadThreshold, 0.3);
});

test('every type of a state has as many bytes as its array says', () => {
  for (const [type, { bytes, make }] of Object.entries(STATE_TYPES)) {
    assert.equal(make(new ArrayBuffer(64), 0, 4).byteLength, 4 * bytes, type);
  }
});

test('state tensors lie one after another, aligned to 16 bytes, without overlap', () => {
  const tensor = fc.record({
    input: fc.constant('i'),
    output: fc.constant('o'),
    type: fc.constantFrom(...(Object.keys(STATE_TYPES) as StateType[])),
    shape: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 8 }), (state: StateTensor[]) => {
      const { offsets, bytes } = stateLayout(fakeManifest({ state }));
      let end = 0;
      state.forEach((it, i) => {
        assert.equal(offsets[i]! % 16, 0);
        assert.ok(offsets[i]! >= end);
        assert.equal(tensorBytes(it), elements(it) * STATE_TYPES[it.type].bytes);
        end = offsets[i]! + tensorBytes(it);
      });
      assert.ok(bytes >= end && bytes < end + 16);
    }),
    { seed: 16 },
  );
});
