/**
 * The files of docs/FORMATS.md that this machine's ffmpeg and sox can make: what should come out does. Without the
 * programs this is skipped; the core formats have fixtures of their own.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasTool, makeVariant, measure, writeClip } from '../../../benchmarks/formats/make.js';
import { VARIANTS } from '../../../benchmarks/formats/variants.js';
import { loadClip } from '../../helpers/fixtures.js';

console.error = () => {}; // decoders print what they also return
console.warn = () => {};

const folder = mkdtempSync(join(tmpdir(), 'formats-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const clip = (await loadClip('cathy-a0280')).subarray(0, 20_000);
const input = join(folder, 'clip.wav');
writeClip(input, clip);

for (const tool of ['ffmpeg', 'sox'] as const) {
  const skip = !hasTool(tool) && `${tool} is not installed`;
  // Every other one: `npm run formats` goes through all.
  const variants = VARIANTS.filter(
    (it, i) => it.tool === tool && i % 2 === 0 && (it.byFfmpeg !== true || hasTool('ffmpeg')),
  );
  test(`what ${tool} makes is read, or refused for what it is`, { skip }, async () => {
    let made = 0;
    for (const variant of variants) {
      const bytes = makeVariant(variant, folder, input);
      if (bytes === undefined) continue; // an encoder that this build lacks
      made += 1;
      const outcome = await measure(variant, bytes, clip);
      assert.ok(outcome.asExpected, `${variant.name}: ${JSON.stringify(outcome)}`);
    }
    assert.ok(made > variants.length / 2, `${made} of ${variants.length} could be made`);
  });
}
