/** Nine small files as they came from the field, all of the first 2.6 s of the bundled sample. No program is needed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { decodeFile } from '../../../src/audio/file.js';
import { fixturesDir, sampleWavPath } from '../../helpers/fixtures.js';
import { likeness } from '../../helpers/likeness.js';

const folder = `${fixturesDir}field-files/`;
const maxSeconds = 60;
const SAMPLES = 2.6 * 16_000;
const MOST_DELAY = 1_800;
const sample = (await decodeFile({ bytes: await readFile(sampleWavPath), maxSeconds })).subarray(0, SAMPLES);
const hasFfmpeg = spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).status === 0;

/** Seconds of audio, least correlation, and whether ffmpeg decodes it. */
const FILES: Record<string, { seconds?: number; least?: number; ffmpeg?: true }> = {
  'aac.m4a': { ffmpeg: true },
  'chained_two_streams.ogg': { seconds: 5.2 },
  'eos_twice_telegram_swift.ogg': {},
  'mp3.mp3': {},
  'no_eos_telegram_android.ogg': {},
  'speex.ogg': { least: 0.5, ffmpeg: true },
  'w_adpcm_ms.wav': { seconds: 2.672 },
  'w_gsm610.wav': { least: 0.8 },
  'w_mp3.wav': { seconds: 2.7 },
};

test('every file of the folder is tested', async () => {
  assert.deepEqual((await readdir(folder)).sort(), Object.keys(FILES).sort());
});

for (const [name, { seconds = 2.6, least = 0.9, ffmpeg = false }] of Object.entries(FILES)) {
  test(`${name} gives all of its sound`, { skip: ffmpeg && !hasFfmpeg && 'needs ffmpeg' }, async () => {
    const samples = await decodeFile({ bytes: await readFile(folder + name), maxSeconds });
    assert.ok(Math.abs(samples.length / 16_000 - seconds) < 0.03, `${samples.length / 16_000} s`);
    const { correlation } = likeness(samples, sample, MOST_DELAY);
    assert.ok(correlation > least, `correlation ${correlation}`);
  });
}

test('the second stream of a chained file follows the first', async () => {
  const samples = await decodeFile({ bytes: await readFile(`${folder}chained_two_streams.ogg`), maxSeconds });
  const half = samples.length / 2;
  assert.ok(likeness(samples.subarray(half), samples.subarray(0, half), 10).correlation > 0.999);
});

test('without ffmpeg the answer names what was found and what is missing', async () => {
  const path = process.env.PATH;
  process.env.PATH = '';
  try {
    for (const [name, found] of [
      ['aac.m4a', /MP4 with AAC.*ffmpeg.*PATH/],
      ['speex.ogg', /Ogg with Speex.*ffmpeg.*PATH/],
    ] as const) {
      const decoded = decodeFile({ bytes: await readFile(folder + name), maxSeconds });
      await assert.rejects(decoded, (error: { code?: string; detail?: string }) => {
        assert.equal(error.code, 'UNSUPPORTED_MEDIA');
        assert.match(error.detail ?? '', found);
        return true;
      });
    }
  } finally {
    process.env.PATH = path;
  }
});
