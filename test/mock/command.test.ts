import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { runProgram } from '../helpers/run-program.js';

const BIN = inPackage('scripts', 'bin.mjs');

test('rnnt-server mock serves, says where, and ends when it is told to', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [BIN, 'mock', '--port', '0', '--log-level', 'silent']);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const [status] = /http:\S+\/ws\/status/.exec(said.toString()) ?? [];
  const answer = (await (await fetch(status ?? assert.fail(said.toString()))).json()) as {
    status: string;
    model: { name: string };
  };
  assert.deepEqual([answer.status, answer.model.name], ['ready', 'mock']);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('a script that cannot be used ends with code 2 and the reason', { timeout: 60_000 }, async () => {
  const { code, stderr } = await runProgram(process.execPath, [BIN, 'mock', '--script', 'package.json']);
  assert.equal(code, 2);
  assert.match(stderr, /CONFIG_INVALID: .*the script: utterances/);
});

test('options of a model are none of a mock server', { timeout: 60_000 }, async () => {
  const { code, stderr } = await runProgram(process.execPath, [BIN, 'mock', '--model', 'x']);
  assert.equal(code, 2);
  assert.match(stderr, /unknown option '--model'/);
});
