/** The nginx configurations of deploy/ in a real nginx, before real servers. Skipped where nginx is not installed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { skipWithoutNginx, TestNginx } from '../helpers/nginx.js';
import { until } from '../helpers/redis.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

/** Nobody listens there: a server that is dead. */
const NOBODY = { server: { port: 1 } };
type Behind = LiveServer | typeof NOBODY;

/**
 * @param name of the configuration in deploy/
 * @param servers addresses that it names, and the servers that stand for them
 * @param healthPath what to ask until it answers
 */
const startNginx = (name: string, servers: Record<string, Behind>, healthPath: string): Promise<TestNginx> =>
  TestNginx.start(
    name,
    Object.entries(servers).map(([address, { server }]) => [
      `server ${address}`,
      `server 127.0.0.1:${server.port}`,
    ]),
    healthPath,
  );

describe(
  'nginx before two servers of one stream each and a dead one',
  { skip: skipWithoutNginx, timeout: 60_000 },
  () => {
    let servers: LiveServer[];
    let nginx: TestNginx;

    before(async () => {
      const small = { maxStreams: 1, maxBatch: 1 };
      servers = await Promise.all([startLiveServer(small), startLiveServer(small)]);
      const [first, second] = servers as [LiveServer, LiveServer];
      const behind = { 'speech-1:8000': NOBODY, 'speech-2:8000': first, 'speech-3:8000': second };
      nginx = await startNginx('nginx.conf', behind, '/health');
    });
    after(async () => {
      await nginx?.stop();
      await Promise.all((servers ?? []).map((server) => server.stop()));
    });

    it('sends a stream that one server refuses to the other, and passes the last refusal on', async () => {
      const url = `${nginx.ws}/ws/transcribe`;
      const clients = [await TestClient.recording(url), await TestClient.recording(url)];
      for (const { server } of servers) assert.equal(server.context.registry.size, 1);
      // Nor do refusals make nginx think that a server is down: each is the server's own, with its reason.
      for (let tries = 0; tries < 5; tries++) {
        const { status, body } = await refusedUpgrade(url);
        assert.deepEqual([status, body.code], [503, 'AT_CAPACITY'], `try ${tries}`);
      }
      for (const client of clients) await client.close();
    });

    it('passes streams of other vendors’ protocols on', async () => {
      const socket = new TestClient(`${nginx.ws}/v1/listen?encoding=linear16`);
      await once(socket.socket, 'open');
      socket.say({ type: 'CloseStream' });
      await socket.until('Metadata');
      await socket.close();
      for (const path of ['/v1/realtime', '/v3/ws', '/vosk']) {
        const client = new WebSocket(nginx.ws + path);
        await once(client, 'open');
        client.close();
        await once(client, 'close');
      }
    });

    it('gives an upload that one server has no room for, or that is dead, to another', async () => {
      const [first] = servers as [LiveServer];
      const { uploads } = first.server.context.recogniser ?? assert.fail();
      const leave = Array.from({ length: first.server.context.config.maxUploads }, () => uploads.enter());
      try {
        const body = await readFile(sampleWavPath);
        for (let tries = 0; tries < 3; tries++) {
          const answer = await fetch(`${nginx.http}/transcribe/file`, { method: 'POST', body });
          assert.equal(answer.status, 200, `try ${tries}`);
          await answer.arrayBuffer();
        }
      } finally {
        for (const each of leave) each();
      }
    });

    it('keeps access tokens out of its log', async () => {
      await refusedUpgrade(`${nginx.ws}/nowhere?token=secret-token`);
      await until('it is logged, after the answer', async () => /GET \/nowhere"/.test(await nginx.log()));
      const log = await nginx.log();
      assert.match(log, /GET \/nowhere" 404/);
      assert.doesNotMatch(log, /secret-token/);
    });
  },
);

describe('nginx with servers below sub-paths', { skip: skipWithoutNginx, timeout: 120_000 }, () => {
  let en: LiveServer;
  let de: LiveServer;

  before(async () => {
    [en, de] = await Promise.all([startLiveServer(), startLiveServer()]);
  });
  after(async () => {
    await Promise.all([en?.stop(), de?.stop()]);
  });

  async function withNginx(
    name: string,
    servers: Record<string, LiveServer>,
    healthPath: string,
    use: (nginx: TestNginx) => Promise<void>,
  ): Promise<void> {
    const nginx = await startNginx(name, servers, healthPath);
    try {
      await use(nginx);
    } finally {
      await nginx.stop();
    }
  }

  it('leads browsers to the page below /speech/, and serves pages, uploads and streams there alone', () =>
    withNginx('nginx-subpath.conf', { '127.0.0.1:8000': en }, '/speech/health', async ({ http, ws }) => {
      for (const path of ['/speech', '/speech/']) {
        const page = await fetch(http + path, { headers: { accept: 'text/html' } });
        assert.deepEqual([page.url, page.status], [`${http}/speech/static/index.html`, 200]);
        assert.match(await page.text(), /<html/);
      }
      const body = await readFile(sampleWavPath);
      const upload = await fetch(`${http}/speech/transcribe/file`, { method: 'POST', body });
      assert.equal(upload.status, 200);
      assert.match(((await upload.json()) as { text: string }).text, /\w+ \w+/);
      const client = await TestClient.recording(`${ws}/speech/ws/transcribe`);
      await client.close();
      // For SDKs, whose base URL has the path.
      assert.equal((await fetch(`${http}/speech/v1/models`)).status, 200);
      const deepgram = new TestClient(`${ws}/speech/v1/listen?encoding=linear16`);
      await once(deepgram.socket, 'open');
      deepgram.say({ type: 'CloseStream' });
      await deepgram.until('Metadata');
      await deepgram.close();
      assert.equal((await fetch(`${http}/speech/metrics`)).status, 200, 'operators are let in from inside');
      assert.equal((await fetch(`${http}/health`)).status, 404);
    }));

  it('sends each model its own clients, and keeps the routes of operators closed', () =>
    withNginx(
      'nginx-models.conf',
      { '127.0.0.1:8001': en, '127.0.0.1:8002': de },
      '/en/health',
      async ({ http, ws }) => {
        const client = await TestClient.recording(`${ws}/de/ws/transcribe`);
        assert.deepEqual([en, de].map(({ server }) => server.context.registry.size), [0, 1]); // biome-ignore format: short
        await client.close();
        for (const path of ['/en/metrics', '/de/metrics', '/de/health/extended'])
          assert.equal((await fetch(http + path)).status, 403, path);
        assert.equal((await fetch(`${http}/ws/transcribe`)).status, 404);
      },
    ));
});
