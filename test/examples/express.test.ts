import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

/** A folder as a user would have it after `npm install`: the example, and beside it what it depends on. */
async function installed(example: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rnnt-express-'));
  await cp(inPackage('examples', 'backend', example), folder, { recursive: true });
  await mkdir(join(folder, 'node_modules'));
  await symlink(inPackage('node_modules', 'express'), join(folder, 'node_modules', 'express'));
  await symlink(inPackage(), join(folder, 'node_modules', 'rnnt-server'));
  return folder;
}

describe('the Express backend', { timeout: 60_000 }, () => {
  let server: LiveServer;
  let folder: string;
  let backend: ChildProcess;
  let url: string;

  before(async () => {
    server = await startLiveServer();
    folder = await installed('express');
    backend = spawn(process.execPath, ['server.js'], {
      cwd: folder,
      env: { ...process.env, RNNT_URL: server.ws, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(backend.stdout!)) {
      url = line.replace('Listening on ', '');
      break;
    }
  });
  after(async () => {
    if (backend?.kill()) await once(backend, 'exit');
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers a WAV with its transcript', async () => {
    const body = await readFile(inPackage('static', 'sample.wav'));
    const response = await fetch(url, { method: 'POST', body });
    const answer = (await response.json()) as { text: string; words: { word: string }[]; duration: number };
    assert.equal(response.status, 200, JSON.stringify(answer));
    assert.ok(Math.abs(answer.duration - 6.96) < 0.01);
    assert.ok(answer.text.length > 0);
    assert.equal(answer.words.map(({ word }) => word).join(' '), answer.text);
  });

  it('answers a WAV in a form with its transcript, whatever its field is called', async () => {
    for (const field of ['audio', 'file']) {
      const form = new FormData();
      form.append('language', 'en');
      form.append(field, new Blob([await readFile(inPackage('static', 'sample.wav'))]), 'sample.wav');
      const response = await fetch(url, { method: 'POST', body: form });
      const answer = (await response.json()) as { text: string };
      assert.equal(response.status, 200, JSON.stringify(answer));
      assert.ok(answer.text.length > 0);
    }
  });

  it('answers anything else with 415', async () => {
    const response = await fetch(url, { method: 'POST', body: 'not a WAV' });
    assert.equal(response.status, 415);
  });
});
