/** The pages of a real server that a proxy has below `/speech/`: nothing may ask for an address outside it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { type PrefixProxy, startPrefixProxy } from '../helpers/prefix-proxy.js';

describe("pages below a proxy's sub-path", { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let live: LiveServer;
  let proxy: PrefixProxy;
  const complaints: string[] = [];

  before(async () => {
    live = await startLiveServer({ allowedOrigins: ['https://app.example'] });
    proxy = await startPrefixProxy(live.http, '/speech');
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await live?.stop();
  });

  beforeEach(() => {
    proxy.strays.length = 0;
    complaints.length = 0;
  });

  async function open(path: string): Promise<Page> {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
    await page.goto(proxy.http + path);
    return page;
  }
  const assertStayed = () =>
    assert.deepEqual({ strays: proxy.strays, complaints }, { strays: [], complaints: [] });

  it('/ leads to the demo page, which connects and transcribes the sample', async () => {
    const page = await open('/');
    await page.waitForSelector('html[data-ready]');
    assert.equal(page.url(), `${proxy.http}/static/index.html`);
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.uncheck('#real-time');
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
    const finals = (await page.locator('#transcript .segment-text').allTextContents()).join(' ');
    assert.ok(finals.split(/\s+/).length > 10, finals);
    await page.click('#tab-code');
    const code = (await page.locator('#code pre').first().textContent()) ?? '';
    assert.ok(code.includes(`${proxy.http}/static/websocket-client.js`), code);
    assert.ok(code.includes(`${proxy.http.replace('http', 'ws')}/ws/transcribe`), code);
    await page.close();
    assertStayed();
  });

  it('the status page shows what the server says', async () => {
    const page = await open('/static/status.html');
    await page.locator('#state-text', { hasText: /^Ready$/ }).waitFor();
    assert.ok(Number(await page.textContent('#left')) > 0);
    await page.close();
    assertStayed();
  });

  it('the inspector connects', async () => {
    const page = await open('/static/inspect.html');
    await page.locator('#link[data-state="live"]').waitFor();
    await page.close();
    assertStayed();
  });

  it('the debug tools find the server, its status included', async () => {
    const page = await open('/static/debug.html');
    await page.addScriptTag({ url: `${proxy.http}/static/debug-tools.js` });
    const { ok, findings } = await page.evaluate(async () => {
      const { RNNTDebugTools } = globalThis as unknown as {
        RNNTDebugTools: new () => { testConnection(): Promise<{ ok: boolean; findings: unknown[] }> };
      };
      return new RNNTDebugTools().testConnection();
    });
    assert.ok(ok, JSON.stringify(findings));
    await page.close();
    assertStayed();
  });

  it('the simplest client loads and connects', async () => {
    const page = await open('/examples/simple-client.html');
    await page.click('#button');
    await page.locator('#button', { hasText: 'Stop' }).waitFor();
    await page.close();
    assertStayed();
  });
});
