import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clips, loadClip } from './fixtures.js';

test('there are 33 clips of 2–6 s, all CC0 or public domain', () => {
  assert.equal(clips.length, 33);
  for (const clip of clips) {
    assert.match(clip.licence, /^(CC0-1\.0|Public domain)$/);
    assert.ok(clip.seconds >= 2 && clip.seconds <= 6, clip.file);
    assert.match(clip.text, /^[a-z' ]+$/);
  }
});

test('every clip decodes to as many samples as it says, and is not silence', async () => {
  for (const clip of clips) {
    const samples = await loadClip(clip.file);
    assert.ok(Math.abs(samples.length - clip.seconds * 16_000) <= 16, clip.file); // seconds are in ms
    assert.ok(
      samples.some((sample) => Math.abs(sample) > 1_000),
      clip.file,
    );
  }
});
