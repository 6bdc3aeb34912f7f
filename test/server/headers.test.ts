/** What answers tell browsers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer();
});
after(() => running.stop());

const PAGES = [
  '/static/index.html',
  '/static/status.html',
  '/static/inspect.html',
  '/static/compare.html',
  '/docs/',
  '/examples/simple-client.html',
];
const get = (path: string, init?: RequestInit) => fetch(running.http + path, init);

test('every answer keeps browsers from guessing types, leaking addresses and lending devices', async () => {
  const progress = { method: 'POST', body: 'x', headers: { accept: 'application/x-ndjson' } };
  const answers = [
    ...(await Promise.all(
      ['/', '/health', '/metrics', '/nothing', '/static/client/endpoint.js', ...PAGES].map((path) =>
        get(path),
      ),
    )),
    await get('/transcribe/file', progress),
    await get('/health', { method: 'DELETE' }),
  ];
  for (const { headers, url } of answers) {
    assert.equal(headers.get('x-content-type-options'), 'nosniff', url);
    assert.equal(headers.get('referrer-policy'), 'same-origin', url);
    assert.match(headers.get('permissions-policy') ?? '', /^microphone=\(self\), camera=\(\)/, url);
  }
});

for (const path of PAGES) {
  test(`${path} is bound to its own origin: scripts, frames, openers`, async () => {
    const { headers, status } = await get(path);
    assert.equal(status, 200);
    const policy = new Map(
      headers
        .get('content-security-policy')
        ?.split('; ')
        .map((part) => [part.split(' ')[0], part]),
    );
    assert.equal(policy.get('frame-ancestors'), "frame-ancestors 'self'");
    assert.equal(policy.get('object-src'), "object-src 'none'");
    assert.equal(policy.get('base-uri'), "base-uri 'self'");
    assert.equal(policy.get('script-src')?.includes('unsafe-inline'), path.startsWith('/examples/'));
    assert.ok(!policy.get('script-src')?.includes('unsafe-eval'));
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
  });
}

test('only the page that compares may connect elsewhere', async () => {
  const connects = async (path: string) =>
    /connect-src ([^;]*)/.exec((await get(path)).headers.get('content-security-policy') ?? '')?.[1];
  for (const path of PAGES) {
    const isCompare = path === '/static/compare.html';
    assert.equal(await connects(path), isCompare ? "'self' ws: wss: http: https:" : "'self'", path);
  }
});

test('data that is opened as a page can do nothing', async () => {
  for (const path of ['/health', '/ws/status', '/nothing-<script>']) {
    const policy = (await get(path)).headers.get('content-security-policy');
    assert.equal(policy, "default-src 'none'; frame-ancestors 'none'", path);
  }
});

test('the client library may be loaded by pages of other origins', async () => {
  const { headers } = await get('/static/client/endpoint.js');
  assert.equal(headers.get('cross-origin-resource-policy'), null);
  assert.equal(headers.get('content-security-policy'), null);
});
