/** The same files and recordings through sherpa-onnx itself, where it can be installed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { importModel } from '../../src/import/importer.js';
import { findSherpa } from '../../src/import/sherpa.js';
import { fixture, hear, openStep, recording, SHERPA_WAITS, sourceOf } from '../helpers/foreign.js';
import {
  fixtureFiles,
  SHERPA_FOLDER,
  sherpaHears,
  sherpaProblem,
  withDoubledLogits,
  withFiles,
} from '../helpers/sherpa.js';
import { TINY_KINDS, tinyTransducer } from '../helpers/tiny-transducer.js';

const problem = sherpaProblem();
const skip = problem ?? false;
const folder = mkdtempSync(join(tmpdir(), 'rnnt-sherpa-'));
after(() => rmSync(folder, { recursive: true }));

const PARTS = ['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt'];
const FILES = Array.from({ length: 8 }, (_, i) => `digits-${i}.wav`);
const SOURCES: Record<string, () => Record<string, Uint8Array>> = {
  'the digits recogniser': () => fixtureFiles('zipformer2-digits', PARTS),
  'NeMo with chunks of 80 ms': () => fixtureFiles('nemo-digits-80', PARTS),
  'NeMo with chunks of 560 ms': () => fixtureFiles('nemo-digits-560', PARTS),
  ...Object.fromEntries(TINY_KINDS.map((kind) => [`a tiny ${kind}`, () => tinyTransducer(kind)])),
};

for (const [name, read] of Object.entries(SOURCES)) {
  test(
    `${name}: sherpa-onnx finds the same tokens in the same frames, with the same probabilities`,
    { skip },
    async () => {
      const place = join(folder, name.replaceAll(' ', '-'));
      const isNemo = name.startsWith('NeMo');
      // It divides icefall's logits by a temperature, and leaves NeMo's as they are.
      (isNemo ? withFiles : withDoubledLogits)(read(), place);
      const theirs = await sherpaHears({ folder: place, frameMs: isNemo ? 80 : 40, files: FILES });
      const session = await openStep(compose(sourceOf(read()), { search: 'greedy' }));
      const { said } = await hear(session, FILES.map(recording), { waits: SHERPA_WAITS });
      for (const [i, { f, tokens, frames, logp }] of theirs.entries()) {
        const ours = said[i] ?? [];
        assert.deepEqual(ours.map((it) => it.token), tokens, f); // biome-ignore format: short
        assert.deepEqual(ours.map((it) => it.frame), frames, f); // biome-ignore format: short
        const worst = Math.max(...ours.map((it, k) => Math.abs(it.logp - (logp[k] ?? Number.NaN))));
        assert.ok(worst < 1e-3, `${f}: log-probabilities differ by ${worst}`);
      }
    },
  );
}

test(
  'four hypotheses: sherpa-onnx’s modified_beam_search finds the same tokens in the same frames',
  { skip },
  async () => {
    const read = SOURCES['the digits recogniser'] as () => Record<string, Uint8Array>;
    const place = fixture('zipformer2-digits');
    const theirs = await sherpaHears({ folder: place, method: 'modified_beam_search', files: FILES });
    const session = await openStep(compose(sourceOf(read()), { search: 'beam' }));
    for (const { f, tokens, frames } of theirs) {
      // One recording each: it ends where sherpa-onnx decides (beam.test.ts).
      const heard = await hear(session, [recording(f)], { waits: SHERPA_WAITS });
      const end = session.step.framesPerChunk * (heard.states.length - 1);
      const ours = [...(heard.said[0] ?? []), ...(heard.previews[0]?.at(-1) ?? [])].filter(
        (it) => it.frame < end,
      );
      assert.deepEqual(ours.map((it) => it.token), tokens.filter((_, i) => (frames[i] ?? 0) < end), f); // biome-ignore format: short
      assert.deepEqual(ours.map((it) => it.frame), frames.filter((it) => it < end), f); // biome-ignore format: short
    }
  },
);

test('an import asks sherpa-onnx where it is at hand, and tells what that hears', { skip }, async () => {
  const [file = ''] = FILES;
  const clip = { path: fixture('wavs', file), samples: recording(file).subarray(0, 64_000) };
  const told = await importModel({
    source: fixture('zipformer2-digits'), out: join(folder, 'models'), name: null, precision: 'auto', search: 'greedy',
    language: null, clip, sherpa: findSherpa(SHERPA_FOLDER), onProgress: () => {},
  }); // biome-ignore format: a plain list
  assert.deepEqual(told.heardBySherpa, told.heard);
  assert.ok(told.heard.length > 3);
});
