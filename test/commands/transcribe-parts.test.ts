import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT, failureOf, joinExitCodes } from '../../src/commands/exit-codes.js';
import { findInputs } from '../../src/commands/inputs.js';
import { ProgressBar, progressLine } from '../../src/commands/progress-bar.js';
import { Results, targetOf } from '../../src/commands/results.js';
import { ERRORS, type ErrorCode, ServerError } from '../../src/errors.js';
import { renderFile } from '../../src/protocol/file-result.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transcribe-'));
  await mkdir(join(folder, 'sub'));
  for (const name of ['b.wav', 'a.mp3', 'a.wav', '.hidden.wav', 'sub/a.wav'])
    await writeFile(join(folder, name), name);
  await symlink(folder, join(folder, 'sub', 'circle'));
});
after(() => rm(folder, { recursive: true }));

async function* nothing(): AsyncGenerator<Uint8Array> {}

test('folders are searched in order of names, hidden files and circles of links apart', async () => {
  const inputs = await findInputs([folder], nothing());
  const names = inputs
    .map(({ name }) => name.slice(folder.length + 1))
    .filter((name) => !name.includes('circle'));
  assert.deepEqual(names, ['a.mp3', 'a.wav', 'b.wav', 'sub/a.wav']);
  assert.ok(inputs.every(({ found }) => found) && inputs.length < 200);
});

test('results of files with one name do not meet', async () => {
  const paths = ['a.mp3', 'a.wav', 'sub/a.wav'].map((name) => join(folder, name));
  const inputs = await findInputs([...paths, '-'], nothing());
  assert.deepEqual(inputs.map(({ outName }) => outName), ['a', 'a.wav', 'a.wav-2', 'stdin']); // biome-ignore format: short
  assert.ok(inputs.every(({ found }) => !found));
});

test('standard input is read to its end, a file that is not there is told when it is read', async () => {
  async function* stdin() {
    yield Buffer.from('ab');
    yield Buffer.from('c');
  }
  const [first, second] = await findInputs(['-', join(folder, 'none.wav')], stdin());
  assert.equal(Buffer.from(await first!.read()).toString(), 'abc');
  const failure = failureOf(await second!.read().catch((error: unknown) => error));
  assert.deepEqual(failure, {
    exitCode: EXIT.unreadable,
    code: 'UNREADABLE',
    message: 'There is no such file.',
  });
});

test('each kind of failure has its exit code, several kinds are 1', () => {
  const codeOf = (code: ErrorCode) => failureOf(new ServerError(code)).exitCode;
  assert.deepEqual(
    (
      [
        'UNSUPPORTED_MEDIA',
        'CORRUPT_AUDIO',
        'UPLOAD_TOO_LONG',
        'MODEL_MISSING',
        'CONFIG_INVALID',
        'ENGINE_FAILED',
      ] as const
    ).map(codeOf),
    [4, 5, 6, 7, 2, 1],
  );
  for (const code of Object.keys(ERRORS) as ErrorCode[]) assert.ok(codeOf(code) > 0, code);
  assert.deepEqual([[], [0, 0], [0, 5, 5], [4, 5]].map(joinExitCodes), [0, 0, 5, 1]);
});

test('the progress line tells the share, the speed and the file, or the seconds where no share is known', () => {
  assert.equal(
    progressLine('x.wav', 80_000, 160_000, 500),
    '[##########..........]  50 %  10.0× real time  x.wav',
  );
  assert.equal(progressLine('x.wav', 80_000, null, 500), '5 s  10.0× real time  x.wav');
});

test('progress is shown on a terminal only, ten times a second at most, within its width', () => {
  const written: string[] = [];
  let nowMs = 0;
  const terminal = { isTTY: true, columns: 30, write: (text: string) => written.push(text) };
  const bar = new ProgressBar(terminal, 'a-long-name.wav', () => nowMs);
  bar.clear();
  for (nowMs = 10; nowMs <= 250; nowMs += 10) bar.update(16_000, 32_000);
  bar.clear();
  assert.equal(written.length, 4);
  for (const text of written) assert.ok(text.length <= 30 + '\r\x1b[K'.length);
  new ProgressBar({ ...terminal, isTTY: false }, 'x', () => nowMs).update(1, 2);
  assert.equal(written.length, 4);
});

const word = { text: 'hi', startSamples: 0, endSamples: 8_000, tokens: 1, logpSum: -0.1 };
const file = renderFile(
  {
    channels: [{ segments: [{ id: 1, words: [word], reason: 'stop' }], text: 'hi' }],
    samples: 16_000,
    warnings: [],
  },
  { scale: 1, bias: 0 },
);

test('several results on standard output are lines: text with its file, JSON with failures among them', async () => {
  const [input] = await findInputs([join(folder, 'a.mp3')], nothing());
  const lines: string[] = [];
  const stdout = { write: (text: string) => lines.push(text) };
  await new Results(await targetOf(undefined, 2, 'text'), 'text', 'en', true, stdout).write(input!, file, {});
  assert.deepEqual(lines.splice(0), [`${input!.name}: hi\n`]);
  const json = new Results(await targetOf('-', 2, 'json'), 'json', 'en', true, stdout);
  await json.write(input!, file, { model: 'm' });
  json.fail(input!, { exitCode: 5, code: 'CORRUPT_AUDIO', message: 'cut' });
  const [result, failure] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([result?.file, result?.text, result?.model], [input!.name, 'hi', 'm']);
  assert.deepEqual(failure, { file: input!.name, error: { code: 'CORRUPT_AUDIO', detail: 'cut' } });
  await assert.rejects(targetOf(undefined, 2, 'srt'), { code: 'CONFIG_INVALID' });
});

test('results go into a folder that is made, or into one file', async () => {
  const [input] = await findInputs([join(folder, 'sub', 'a.wav')], nothing());
  const stdout = { write: () => assert.fail('nothing goes to standard output') };
  const out = join(folder, 'out', 'deep');
  await new Results(await targetOf(`${out}/`, 1, 'vtt'), 'vtt', 'en', false, stdout).write(input!, file, {});
  assert.match(await readFile(join(out, 'a.vtt'), 'utf8'), /^WEBVTT/);
  const single = join(folder, 'one.txt');
  await new Results(await targetOf(single, 1, 'text'), 'text', 'en', false, stdout).write(input!, file, {});
  assert.equal(await readFile(single, 'utf8'), 'hi\n');
  await assert.rejects(targetOf(single, 2, 'text'), { code: 'CONFIG_INVALID' });
});
