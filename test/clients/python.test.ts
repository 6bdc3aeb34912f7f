/**
 * The Python client in clients/python: its own tests, its installation by pip, and a recording on the real server. They
 * need python3 with the packages of clients/python/tests/requirements.txt, see test/examples/python.test.ts.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { runProgram } from '../helpers/run-program.js';

const python = process.env.RNNT_PYTHON ?? 'python3';
const folder = inPackage('clients', 'python');
const quiet = { PYTHONDONTWRITEBYTECODE: '1' };

/** Why the tests cannot run here, or false. */
function missing(): string | false {
  const check = 'import sys, websockets.asyncio.client; sys.exit(0 if sys.version_info >= (3, 11) else 2)';
  const { status, error } = spawnSync(python, ['-c', check]);
  if (error !== undefined) return `${python} is not installed`;
  if (status === 2) return `${python} is older than 3.11`;
  return status === 0 ? false : `${python} lacks websockets: pip install ./clients/python`;
}

const PROGRAM = `
import json, sys
from websocket_client.sync import RNNTClient
client = RNNTClient(sys.argv[1])
print(json.dumps([client.transcribe("static/sample.wav"), client.transcribe("static/sample.wav", silence_duration=0.2)]))
`;

describe('the Python client', { skip: missing(), timeout: 120_000 }, () => {
  let server: LiveServer;
  before(async () => {
    server = await startLiveServer();
  });
  after(() => server?.stop());

  it('passes its own tests', async () => {
    const tests = join(folder, 'tests');
    const run = await runProgram(python, ['-m', 'unittest', 'discover', '-s', tests], {
      ...quiet,
      PYTHONPATH: folder,
    });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /Ran [1-9]\d* tests/);
  });

  it('hears what an upload hears, with the same words at the same times', async () => {
    const run = await runProgram(python, ['-c', PROGRAM, server.ws], { ...quiet, PYTHONPATH: folder });
    assert.equal(run.code, 0, run.stderr);
    const [plain, cut] = JSON.parse(run.stdout);
    const body = await readFile(inPackage('static', 'sample.wav'));
    const response = await fetch(`${server.http}/transcribe/file`, { method: 'POST', body });
    const upload = (await response.json()) as { text: string; words: unknown[] };
    assert.ok(upload.text.length > 0);
    assert.equal(plain.text, upload.text);
    assert.deepEqual(plain.words, upload.words);
    assert.equal(plain.duration, 6.96);
    assert.ok(cut.segments.length >= plain.segments.length);
  });

  it('has types that mypy finds no fault with', async (t) => {
    const cache = await mkdtemp(join(tmpdir(), 'rnnt-mypy-'));
    t.after(() => rm(cache, { recursive: true, force: true }));
    const args = ['-m', 'mypy', '--strict', '--cache-dir', cache, join(folder, 'websocket_client')];
    const run = await runProgram(python, args, quiet);
    if (/No module named mypy/.test(run.stderr)) return t.skip('mypy is not installed');
    assert.equal(run.code, 0, run.stdout);
  });

  it('is installed by pip from its folder', async (t) => {
    const target = await mkdtemp(join(tmpdir(), 'rnnt-pip-'));
    t.after(() => rm(target, { recursive: true, force: true }));
    const copy = join(target, 'source');
    const install = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', join(target, 'site'), copy];
    await cp(folder, copy, { recursive: true }); // pip leaves a build folder beside what it installs
    const run = await runProgram(python, install, quiet);
    if (/No module named pip|No matching distribution found for setuptools/.test(run.stderr)) {
      return t.skip('pip or its build tool cannot be had here');
    }
    assert.equal(run.code, 0, run.stderr);
    const check =
      'import importlib.metadata as m, websocket_client as w; print(m.version("rnnt-server-client"), w.__file__)';
    const found = await runProgram(python, ['-c', check], { ...quiet, PYTHONPATH: join(target, 'site') });
    assert.match(found.stdout, /^\d+\.\d+\.\d+ .*site\/websocket_client\/__init__\.py\n$/);
  });
});
