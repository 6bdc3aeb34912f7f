import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bankAt, HEADER_INTS, resultViews, slabLayout } from '../../src/inference/layout.js';
import type { StateTensor } from '../../src/models/manifest.js';
import { fakeManifest, WITH_PREVIEW } from '../helpers/fake-model.js';

test('the ring holds the seconds asked for, rounded up to whole chunks', () => {
  const layout = slabLayout(fakeManifest(), 1, 1.01);
  assert.equal(layout.ringSamples, 11 * 1_600);
});

test('the ring holds two windows, however short it is asked to be', () => {
  const layout = slabLayout(fakeManifest({ chunkSamples: 17_920, windowSamples: 20_000 }), 1, 1);
  assert.deepEqual([layout.ringSamples, layout.windowSamples], [3 * 17_920, 20_000]);
  assert.equal(slabLayout(fakeManifest(), 1, 1).windowSamples, 1_600, 'without a window the chunk is one');
});

test('a result holds a token and a log-probability a symbol, and activity and level a frame', () => {
  const layout = slabLayout(fakeManifest({ framesPerChunk: 4, symbolsPerFrame: 2 }), 2, 1);
  const views = resultViews(new SharedArrayBuffer(layout.bytes), layout, 1);
  assert.deepEqual(
    [views.tokens.length, views.logp.length, views.vad.length, views.rms.length],
    [8, 8, 4, 4],
  );
  assert.deepEqual([views.times.length, views.preview.length, views.previewLogp.length], [0, 0, 0]);
});

test('a result holds age and span of each token, and a preview, where the model gives them', () => {
  const { outputs } = WITH_PREVIEW;
  const manifest = fakeManifest({ framesPerChunk: 4, symbolsPerFrame: 2, outputs, previewTokens: 5 });
  const layout = slabLayout(manifest, 2, 1);
  const views = resultViews(new SharedArrayBuffer(layout.bytes), layout, 1);
  assert.deepEqual([views.times.length, views.preview.length, views.previewLogp.length], [16, 15, 5]);
});

const tensor = fc.record({
  type: fc.constantFrom('float32', 'float16', 'int32', 'int64', 'int8', 'uint8'),
  shape: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 0, maxLength: 3 }),
});

test('no two regions of the slab overlap, whatever the model', () => {
  fc.assert(
    fc.property(
      fc.array(tensor, { maxLength: 5 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom({}, WITH_PREVIEW),
      (tensors, slots, symbolsPerFrame, more) => {
        const state = tensors.map((it, i) => ({ ...it, input: `i${i}`, output: `o${i}` })) as StateTensor[];
        const layout = slabLayout(fakeManifest({ ...more, state, symbolsPerFrame }), slots, 1);
        const regions: [number, number][] = [[layout.headerAt, slots * HEADER_INTS * 4]];
        const slab = new SharedArrayBuffer(layout.bytes);
        for (let slot = 0; slot < slots; slot++) {
          regions.push([layout.ringAt + slot * layout.ringSamples * 2, layout.ringSamples * 2]);
          for (const bank of [0, 1])
            for (const { offset, bytes } of layout.state)
              regions.push([bankAt(layout, slot, bank) + offset, bytes]);
          for (const view of Object.values(resultViews(slab, layout, slot)))
            regions.push([view.byteOffset, view.byteLength]);
        }
        regions.sort((a, b) => a[0] - b[0]);
        let end = 0;
        for (const [at, bytes] of regions) {
          assert.ok(at >= end, `a region at ${at} begins before ${end}`);
          end = at + bytes;
        }
        assert.ok(end <= layout.bytes);
      },
    ),
    { seed: 3 },
  );
});
