/**
 * The Python examples. They need python3 with the packages of examples/backend/flask/requirements.txt; `.ci/run`
 * installs them into a virtual environment and names its interpreter in RNNT_PYTHON.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { runProgram } from '../helpers/run-program.js';

const python = process.env.RNNT_PYTHON ?? 'python3';

/** Why the tests cannot run here, or false. */
function missing(...modules: string[]): string | false {
  const { status, error } = spawnSync(python, ['-c', `import ${modules.join(', ')}`]);
  if (error !== undefined) return `${python} is not installed`;
  return status === 0
    ? false
    : `${python} lacks ${modules.join(' or ')}: pip install -r examples/backend/flask/requirements.txt`;
}

describe('python-client.py', { skip: missing('websockets'), timeout: 60_000 }, () => {
  let server: LiveServer;
  before(async () => {
    server = await startLiveServer();
  });
  after(() => server?.stop());

  const client = (...args: string[]) => runProgram(python, ['examples/python-client.py', ...args]);

  it('streams a file and prints partials, finals and word times', async () => {
    const run = await client('--url', server.ws, '--file', 'static/sample.wav', '--duration', '3');
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^… \w+/m);
    assert.match(run.stdout, /^ {4}\d\.\d\d \w+ {2}\d\.\d\d \w+/m);
  });

  it('streams the microphone for as long as it is told', async () => {
    const run = await runProgram(
      python,
      ['examples/python-client.py', '--url', server.ws, '--duration', '4'],
      { PYTHONPATH: inPackage('test', 'examples', 'fake-microphone'), PYTHONDONTWRITEBYTECODE: '1' },
    );
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^ {4}\d\.\d\d \w+ {2}\d\.\d\d \w+/m);
  });

  it('says what to do where nobody listens', async () => {
    const run = await client('--url', 'ws://127.0.0.1:9/', '--file', 'static/sample.wav');
    assert.equal(run.code, 1);
    assert.match(run.stderr, /No server is listening/);
  });

  it('prints the refusal of the server', async () => {
    const run = await client(
      '--url',
      `${server.http.replace('http', 'ws')}/nowhere`,
      '--file',
      'static/sample.wav',
    );
    assert.equal(run.code, 1);
    assert.match(run.stderr, /NOT_FOUND/);
  });
});

const noFlask = missing('websockets', 'flask', 'asgiref');

describe('the Flask backend', { skip: noFlask, timeout: 60_000 }, () => {
  let server: LiveServer;
  let flask: ChildProcess;
  let url: string;

  before(async () => {
    server = await startLiveServer();
    flask = spawn(python, ['-m', 'flask', '--app', 'app', 'run', '--port', '0'], {
      cwd: inPackage('examples', 'backend', 'flask'),
      env: { ...process.env, RNNT_URL: server.ws, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const line of createInterface(flask.stderr!)) {
      const found = /Running on (http:\S+)/.exec(line);
      if (found) {
        url = `${found[1]}/transcribe`;
        break;
      }
    }
    flask.stderr?.resume();
  });
  after(async () => {
    if (flask?.kill()) await once(flask, 'exit');
    await server?.stop();
  });

  async function expectTranscript(response: Response): Promise<void> {
    assert.equal(response.status, 200);
    const { text, words, duration } = (await response.json()) as {
      text: string;
      words: { word: string }[];
      duration: number;
    };
    assert.equal(duration, 6.96);
    assert.ok(text.length > 0);
    assert.equal(words.map(({ word }) => word).join(' '), text);
  }

  // curl --data-binary says that its body is a form; other programs say what it is, or nothing.
  for (const type of ['application/x-www-form-urlencoded', 'audio/wav', '']) {
    it(`answers a WAV as the body, called "${type}", with its transcript`, async () => {
      const body = new Blob([await readFile(inPackage('static', 'sample.wav'))], { type });
      await expectTranscript(await fetch(url, { method: 'POST', body }));
    });
  }

  for (const field of ['audio', 'file']) {
    it(`answers a WAV in the field \`${field}\` of a form with its transcript`, async () => {
      const form = new FormData();
      form.append('language', 'en');
      form.append(field, new Blob([await readFile(inPackage('static', 'sample.wav'))]), 'sample.wav');
      await expectTranscript(await fetch(url, { method: 'POST', body: form }));
    });
  }

  it('answers a form without a file with 415', async () => {
    const form = new FormData();
    form.append('audio', 'not a file');
    assert.equal((await fetch(url, { method: 'POST', body: form })).status, 415);
  });

  it('answers anything else with 415', async () => {
    const response = await fetch(url, { method: 'POST', body: 'not a WAV' });
    assert.equal(response.status, 415);
  });
});
