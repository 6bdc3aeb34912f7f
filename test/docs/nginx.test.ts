/** deploy/nginx.conf in a real nginx, before two real servers. Skipped where nginx is not installed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

const noNginx = spawnSync('nginx', ['-v']).error === undefined ? false : 'nginx is not installed';

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

describe('nginx before two servers of one stream each', { skip: noNginx, timeout: 60_000 }, () => {
  let servers: LiveServer[];
  let folder: string;
  let nginx: ChildProcess;
  let port: number;

  before(async () => {
    const small = { maxStreams: 1, maxBatch: 1 };
    servers = await Promise.all([startLiveServer(small), startLiveServer(small)]);
    folder = await mkdtemp(join(tmpdir(), 'rnnt-nginx-'));
    port = await freePort();
    const shipped = await readFile(inPackage('deploy', 'nginx.conf'), 'utf8');
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
    const config = shipped
      .replace('speech-1:8000', `127.0.0.1:${servers[0]!.server.port}`)
      .replace('speech-2:8000', `127.0.0.1:${servers[1]!.server.port}`)
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replace('access_log /dev/stdout', `access_log ${folder}/access.log`)
      .replace('error_log /dev/stderr', `error_log ${folder}/error.log`)
      .replace('http {', `http { ${paths}`);
    const file = join(folder, 'nginx.conf');
    await writeFile(file, config);
    nginx = spawn('nginx', ['-p', folder, '-c', file, '-g', `daemon off; pid ${folder}/pid;`], {
      stdio: 'inherit',
    });
    await untilAnswers(`http://127.0.0.1:${port}/health`);
  });
  after(async () => {
    if (nginx?.kill()) await once(nginx, 'exit');
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  /** Bounded by the suite's time limit. */
  async function untilAnswers(url: string): Promise<void> {
    while (
      !(await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      ))
    );
  }

  it('sends a stream that one server refuses to the other, and passes the last refusal on', async () => {
    const url = `ws://127.0.0.1:${port}/ws/transcribe`;
    const clients = [await TestClient.recording(url), await TestClient.recording(url)];
    for (const { server } of servers) assert.equal(server.context.registry.size, 1);
    const { status, body } = await refusedUpgrade(url);
    assert.equal(status, 503);
    assert.equal(body.code, 'AT_CAPACITY');
    for (const client of clients) await client.close();
  });

  it('keeps access tokens out of its log', async () => {
    await refusedUpgrade(`ws://127.0.0.1:${port}/nowhere?token=secret-token`);
    const log = await readFile(join(folder, 'access.log'), 'utf8');
    assert.match(log, /GET \/nowhere" 404/);
    assert.doesNotMatch(log, /secret-token/);
  });
});
