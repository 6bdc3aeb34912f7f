import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { readTls, reloadTls } from '../../src/server/tls.js';
import { makeCertificate } from '../helpers/certificate.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const certificate = makeCertificate();
const skip = certificate === null ? 'openssl is not installed' : false;
const files = () => certificate ?? assert.fail('there is a certificate');

let server: ScriptedServer;
before(async () => {
  if (certificate !== null) server = await startScriptedServer({ ...certificate });
});
after(async () => {
  await server?.stop();
  certificate?.remove();
});

const port = () => server.server.port;

test('with a certificate the server speaks wss and https', { skip }, async () => {
  const ca = readFileSync(files().tlsCert);
  const client = await TestClient.open(`wss://localhost:${port()}/ws/transcribe`, { ca });
  await client.close();
  const status = await new Promise((resolve, reject) => {
    get(`https://localhost:${port()}/health`, { ca, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });
  assert.equal(status, 200);
});

test('an offer of HTTP/2 over TLS is passed over, as without', { skip }, async () => {
  const ca = readFileSync(files().tlsCert);
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
  const status = await new Promise((resolve, reject) => {
    get(`https://localhost:${port()}/health`, { ca, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });
  assert.equal(status, 200);
});

/** Whom the server says to be. */
const subject = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port: port(), host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    }).on('error', reject);
  });

test(
  'a renewed certificate is taken without a restart; a broken one leaves the old one',
  { skip },
  async () => {
    assert.equal(await subject(), 'localhost');
    const renewed = makeCertificate('renewed') ?? assert.fail('there is openssl');
    copyFileSync(renewed.tlsCert, files().tlsCert);
    const { app } = server.server;
    assert.throws(() => reloadTls(app.server, files()), { code: 'CONFIG_INVALID' }, 'another key');
    assert.equal(await subject(), 'localhost');
    copyFileSync(renewed.tlsKey, files().tlsKey);
    reloadTls(app.server, files());
    renewed.remove();
    assert.equal(await subject(), 'renewed');
  },
);

test('a certificate without its key, or none that can be read, is told at the start', () => {
  assert.equal(readTls({ tlsCert: '', tlsKey: '' }), null);
  for (const [tlsCert, tlsKey] of [
    ['a.pem', ''],
    ['', 'b.pem'],
    ['missing.pem', 'missing.pem'],
    ['package.json', 'package.json'],
  ] as const)
    assert.throws(() => readTls({ tlsCert, tlsKey }), { code: 'CONFIG_INVALID' });
});
