/** The routes of the documentation. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apiPage } from '../../src/docs/api-page.js';
import { DocsLibrary } from '../../src/docs/library.js';
import { socketPage } from '../../src/docs/socket-page.js';
import { openApi } from '../../src/server/openapi.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer();
});
after(() => running.stop());

const get = (path: string, init: RequestInit = {}) =>
  fetch(running.http + path, { redirect: 'manual', ...init });
const type = ({ headers }: Response) => headers.get('content-type');

test('/docs leads to /docs/, by an address that holds below a sub-path too', async () => {
  const answer = await get('/docs');
  assert.deepEqual([answer.status, answer.headers.get('location')], [302, 'docs/']);
});

for (const path of ['/docs/', '/docs/README', '/docs/WEBSOCKET_API']) {
  test(`${path} is a page, as strict as the others, and names its Markdown`, async () => {
    const answer = await get(path);
    assert.deepEqual([answer.status, type(answer)], [200, 'text/html; charset=utf-8']);
    const policy = answer.headers.get('content-security-policy') ?? '';
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /object-src 'none'/);
    const name = path.slice('/docs/'.length) || 'index';
    assert.match(
      answer.headers.get('link') ?? '',
      new RegExp(`^<${name}\\.md>; rel="alternate"; type="text/markdown"`),
    );
    assert.match(
      await answer.text(),
      new RegExp(`<link rel="alternate" href="${name}\\.md" type="text/markdown">`),
    );
    const markdown = await get(`/docs/${name}.md`);
    assert.deepEqual([markdown.status, type(markdown)], [200, 'text/markdown; charset=utf-8']);
    assert.match(await markdown.text(), /^# /);
  });
}

test('every page that /llms.txt lists is there', async () => {
  const answer = await get('/llms.txt');
  assert.deepEqual([answer.status, type(answer)], [200, 'text/plain; charset=utf-8']);
  const paths = [...(await answer.text()).matchAll(/\]\((docs\/[^)]+)\)/g)].map(([, path = '']) => path);
  assert.ok(paths.length > 15);
  for (const path of paths) assert.equal((await get(`/${path}`)).status, 200, path);
});

test('every page is the one that its document gives, as HTML and as Markdown', async () => {
  const library = new DocsLibrary([apiPage(openApi), socketPage]);
  const names = ['index', ...library.pages.map(({ name }) => name)];
  const served = async (path: string) => (await get(`/docs/${path}`)).text();
  const pages = await Promise.all(
    names.map(async (name) => [name, await served(name), await served(`${name}.md`)] as const),
  );
  for (const [name, html, markdown] of pages)
    assert.deepEqual([html, markdown], [library.html(name), library.markdown(name)], name);
});

test('a name in another case is led to the page', async () => {
  assert.equal((await get('/docs/websocket_api')).headers.get('location'), 'WEBSOCKET_API');
  assert.equal((await get('/docs/models.MD')).status, 404);
  assert.equal((await get('/docs/models.md')).headers.get('location'), 'MODELS.md');
});

test('what is no page is not found, wherever it may lie on the disk', async () => {
  for (const path of [
    'nothing',
    'package.json',
    '..%2fpackage',
    '%2e%2e%2fLICENSE',
    '..%2f..%2fetc%2fpasswd.md',
  ])
    assert.equal((await get(`/docs/${path}`)).status, 404, path);
});

test('pictures of the documents are served', async () => {
  const answer = await get('/docs/images/transcriber.png');
  assert.deepEqual([answer.status, type(answer)], [200, 'image/png']);
});

test('a page that is asked for again is the same, and other methods are refused', async () => {
  assert.equal(await (await get('/docs/MODELS')).text(), await (await get('/docs/MODELS')).text());
  assert.equal((await get('/docs/MODELS', { method: 'HEAD' })).status, 200);
  assert.equal((await get('/docs/MODELS', { method: 'POST' })).status, 405);
});

test('/openapi.json leads to the description', async () => {
  assert.equal((await get('/openapi.json')).headers.get('location'), 'docs/openapi.json');
});

test('/asyncapi.json describes the socket of this server', async () => {
  const answer = await get('/asyncapi.json');
  const { asyncapi, channels } = (await answer.json()) as {
    asyncapi: string;
    channels: Record<string, { address: string }>;
  };
  assert.deepEqual([answer.status, asyncapi, channels.transcribe?.address], [200, '3.0.0', '/ws/transcribe']);
});

test('the socket reference has every message with its fields and examples', async () => {
  const text = await (await get('/docs/socket.md')).text();
  for (const name of ['start_recording', 'configure', 'transcription', 'resumed', 'audio'])
    assert.match(text, new RegExp(`^### \`${name}\`$`, 'm'));
  assert.match(text, /\| `words\[\]\.confidence` \| number 0–1 \| 0–1 \| /);
  assert.match(text, /^ {2}"type": "transcription",$/m);
  assert.match(text, /\| `silence_duration` \| number 0\.1–10 \| s \| /);
  assert.equal(text.match(/`vad_threshold`/g)?.length, 1, 'the settings are told once');
});

test('the HTTP reference has every route with its parameters, answers and schemas', async () => {
  const text = await (await get('/docs/api.md')).text();
  const { paths, components } = (await (await get('/docs/openapi.json')).json()) as {
    paths: Record<string, object>;
    components: { schemas: object };
  };
  for (const [path, methods] of Object.entries(paths))
    for (const method of Object.keys(methods))
      assert.ok(text.includes(`### \`${method.toUpperCase()} ${path}\``));
  for (const name of Object.keys(components.schemas)) assert.ok(text.includes(`### ${name}\n`), name);
  assert.match(text, /\| `silence_duration` \| number 0\.1–10 \| Seconds of silence/);
  assert.match(text, /\[UploadResult\]\(#uploadresult\)/);
});

test('/compare leads to its page with the addresses, below a sub-path too', async () => {
  const answer = await get('/compare?a=ws://one&b=two');
  assert.deepEqual(
    [answer.status, answer.headers.get('location')],
    [302, 'static/compare.html?a=ws://one&b=two'],
  );
});

test('whoever asks for Markdown gets it at the page’s own address', async () => {
  const answer = await get('/docs/MODELS', { headers: { accept: 'text/markdown, */*;q=0.1' } });
  assert.equal(type(answer), 'text/markdown; charset=utf-8');
  assert.match(answer.headers.get('vary') ?? '', /accept/i);
});

test('the service card links the descriptions, all of which are there', async () => {
  const link = (await get('/')).headers.get('link') ?? '';
  const addresses = [...link.matchAll(/<([^>]+)>; rel="(service-desc|service-doc|describedby)"/g)];
  assert.equal(addresses.length, 4);
  for (const [, address] of addresses) assert.equal((await get(`/${address}`)).status, 200, address);
});
