/** `rnnt-server transcribe` as a user runs it, with the model that the package carries. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { fixturesDir, sampleWavPath } from '../helpers/fixtures.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'command-'));
  await writeFile(join(folder, 'cut.wav'), (await readFile(sampleWavPath)).subarray(0, 60_000));
  await writeFile(join(folder, 'notes.txt'), 'nothing to hear here\n');
});
after(() => rm(folder, { recursive: true }));

async function transcribe(args: readonly string[], stdin?: Uint8Array) {
  const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), 'transcribe', ...args], {
    env: { PATH: process.env.PATH ?? '' },
    timeout: 120_000,
  });
  child.stdin.end(stdin);
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

const field = (name: string) => join(fixturesDir, 'field-files', name);

test('files of several formats give a line each, and no progress where there is no terminal', async () => {
  const files = ['mp3.mp3', 'no_eos_telegram_android.ogg', 'w_gsm610.wav'].map(field);
  const { status, stdout, stderr } = await transcribe(files);
  assert.deepEqual([status, stderr], [0, '']);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  for (const [i, line] of lines.entries())
    assert.ok(line.startsWith(`${files[i]}: `) && line.length > files[i]!.length + 10, line);
});

test('standard input becomes subtitles', async () => {
  const { status, stdout } = await transcribe(['-', '--format', 'srt'], await readFile(sampleWavPath));
  assert.equal(status, 0);
  assert.match(stdout, /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n\w+/);
});

test('scripts get a JSON object per file, failures included, and the exit code of their kind', async () => {
  const { status, stdout, stderr } = await transcribe(['--json', sampleWavPath, join(folder, 'cut.wav')]);
  assert.equal(status, 5);
  const [sound, cut] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(sound?.file, sampleWavPath);
  assert.ok((sound?.words as unknown[]).length > 3 && Number(sound?.real_time_factor) > 0);
  assert.equal((cut?.error as { code: string }).code, 'CORRUPT_AUDIO');
  assert.match(stderr, /cut\.wav: .*the file ends at byte 60000/);
});

test('each kind of failure ends with its own code', async () => {
  assert.equal((await transcribe([join(folder, 'none.wav')])).status, 3);
  assert.equal((await transcribe([join(folder, 'notes.txt')])).status, 4);
  assert.equal((await transcribe([sampleWavPath, '--max-upload-seconds', '2'])).status, 6);
  assert.equal((await transcribe([sampleWavPath, '--model', 'no-such-model'])).status, 7);
  assert.equal((await transcribe([join(folder, 'none.wav'), join(folder, 'cut.wav')])).status, 1);
});

test('a folder fills a folder with subtitles, and what is no audio is passed over', async () => {
  await writeFile(join(folder, 'talk.mp3'), await readFile(field('mp3.mp3')));
  await rm(join(folder, 'cut.wav'));
  const out = join(folder, 'out');
  const { status, stdout, stderr } = await transcribe([folder, '--out', out, '--format', 'vtt']);
  assert.deepEqual([status, stdout], [0, '']);
  assert.match(stderr, /notes\.txt: skipped/);
  assert.deepEqual(await readdir(out), ['talk.vtt']);
  assert.match(await readFile(join(out, 'talk.vtt'), 'utf8'), /^WEBVTT\n/);
});
