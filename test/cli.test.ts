import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileFormatsText } from '../src/audio/file-formats.js';
import { runCli } from '../src/cli.js';
import { envOf, flagOf, OPTION_NAMES } from '../src/config.js';
import { inPackage, packageVersion } from '../src/paths.js';
import { scriptedFile } from './helpers/scripted-file.js';

/** Runs the command as a user would; nothing of it starts a server. */
async function rnnt(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    timeout: 60_000,
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

test('--help lists the commands and exits with 0', async () => {
  const { status, stdout } = await rnnt(['--help']);
  assert.equal(status, 0);
  for (const command of ['start', 'mock', 'transcribe', 'import', 'models', 'machines', 'bench'])
    assert.match(stdout, new RegExp(`\\b${command}\\b`));
});

for (const args of [['--help'], ['--version'], ['start', '--help'], ['machines', '--format', 'json']]) {
  test(`"${args.join(' ')}" ends quietly when nobody reads what it prints`, async () => {
    const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), ...args], { timeout: 60_000 });
    child.stdout.destroy();
    const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    assert.deepEqual([status, stderr], [0, '']);
  });
}

test('start --help shows every option with its environment variable', async () => {
  const { status, stdout } = await rnnt(['start', '--help']);
  assert.equal(status, 0);
  const flat = stdout.replace(/\s+/g, ' ');
  for (const name of OPTION_NAMES) {
    assert.ok(flat.includes(`--${flagOf(name)} `), name);
    assert.ok(flat.includes(envOf(name)), name);
  }
});

test('key prints a key once, and the line of its hash and limits', async () => {
  const { status, stdout } = await rnnt(['key', 'anna', '--streams', '20', '--per-minute', '90']);
  const [key = '', line = ''] = stdout.split('\n');
  assert.equal(status, 0);
  assert.match(key, /^rnnt_[\w-]{43}$/);
  const hash = createHash('sha256').update(key).digest('hex');
  assert.equal(line, `anna sha256:${hash} streams=20 per-minute=90`);
});

test('--version prints the version of the package', async () => {
  assert.equal((await rnnt(['--version'])).stdout.trim(), packageVersion);
});

const bad: readonly (readonly [string[], Record<string, string>, RegExp])[] = [
  [['start', '--port', '70000'], {}, /--port/],
  [['start'], { RNNT_SERVER_LANES: 'many' }, /RNNT_SERVER_LANES/],
  [['start', '--no-such-option'], {}, /--no-such-option/],
  [['frobnicate'], {}, /unknown command 'frobnicate'[\s\S]*Commands:/],
  [['strat'], {}, /unknown command 'strat'\n\(Did you mean start\?\)/],
  [['start', 'nope'], {}, /too many arguments for 'start'/],
  [['machines', '--format', 'svg'], {}, /Allowed choices are mermaid, json/],
  [['transcribe'], {}, /inputs/],
  [['transcribe', '--format', 'docx', 'x.wav'], {}, /--format/],
  [['transcribe', '--format', 'srt', 'src', 'docs'], {}, /--out/],
  [['transcribe', '--encoding', 'opus', 'x.wav'], {}, /x.wav|encoding/],
  [['bench', '--connections', 'many'], {}, /--connections/],
  [['key', 'two words'], {}, /a name is/],
  [['start'], { RNNT_SERVER_TOKEN_SECRET: 'short' }, /RNNT_SERVER_TOKEN_SECRET/],
];
for (const [args, env, says] of bad) {
  test(`"${[...args, ...Object.keys(env)].join(' ')}" ends with exit code 2 and says what is wrong`, async () => {
    const { status, stderr } = await rnnt(args, env);
    assert.equal(status, 2, stderr);
    assert.match(stderr, says);
  });
}

test('options alone are options of start', async () => {
  const { status, stderr } = await rnnt(['--port', '70000']);
  assert.equal(status, 2);
  assert.match(stderr, /CONFIG_INVALID.*--port/);
});

test('choices are understood in upper case', async () => {
  const { status, stdout } = await rnnt(['machines', '--machine', 'SERVER', '--format', 'JSON']);
  assert.equal(status, 0);
  assert.equal(JSON.parse(stdout).id, 'server');
});

test('a model that is not there ends with exit code 1 and says where it was looked for', async () => {
  const { status, stderr } = await rnnt(['models', 'no-such-model']);
  assert.equal(status, 1);
  assert.match(stderr, /MODEL_MISSING.*no-such-model/);
});

test('transcribe --help names the formats that are understood', async () => {
  const { stdout } = await rnnt(['transcribe', '--help']);
  assert.ok(stdout.replace(/\s+/g, ' ').includes(`audio files (${fileFormatsText})`), stdout);
});

test('transcribe says of each file what is the matter with it, and exits with 1 for several kinds', async () => {
  const missing = inPackage('no', 'such.wav');
  const { status, stdout, stderr } = await rnnt(['transcribe', missing, inPackage('LICENSE')]);
  assert.equal(status, 1);
  assert.equal(stdout, '');
  const [first, second] = stderr.trim().split('\n');
  assert.equal(first, `${missing}: There is no such file.`);
  assert.match(second ?? '', /LICENSE: The audio format is not recognised\. The file is text\. WAV, FLAC/);
});

test('models lists what the package carries', async () => {
  const { status, stdout } = await rnnt(['models']);
  assert.equal(status, 0);
  assert.match(stdout, /\d+\.\d+\.\d+ {2}en/);
});

test('a command ends only when the last lines of its log are written', async () => {
  const { sink, take, fail, isAsked } = scriptedFile();
  sink.write('one\n');
  fail('ENOSPC');
  let ended = false;
  const running = runCli(['--version']).then(() => {
    ended = true;
  });
  while (!isAsked() && !ended) await new Promise(setImmediate);
  assert.equal(ended, false);
  take();
  await running;
});
