/** The documentation in Chromium, below a proxy's sub-path: nothing may ask for an address outside it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchChromium, lookAt, skipWithoutChromium } from '../helpers/browser.js';
import { type PrefixProxy, startPrefixProxy } from '../helpers/prefix-proxy.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

describe('the documentation', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let server: ScriptedServer;
  let proxy: PrefixProxy;
  const complaints: string[] = [];

  before(async () => {
    server = await startScriptedServer();
    proxy = await startPrefixProxy(server.http, '/speech');
    browser = await launchChromium();
    context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.stop();
  });
  beforeEach(() => {
    proxy.strays.length = 0;
    complaints.length = 0;
  });

  async function open(path: string): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
    await page.goto(`${proxy.http}/docs/${path}`);
    await page.waitForSelector('html[data-ready]');
    return page;
  }
  async function close(page: Page): Promise<void> {
    await page.close();
    assert.deepEqual({ strays: proxy.strays, complaints }, { strays: [], complaints: [] });
  }

  for (const path of ['', 'ARCHITECTURE', 'WEBSOCKET_API', 'socket', 'api']) {
    it(`/docs/${path} is accessible and fits in light, in dark and on phones`, async () => {
      const page = await open(path);
      assert.deepEqual(await lookAt(page), []);
      await close(page);
    });
  }

  it('leads from page to page, and to places in them', async () => {
    const page = await open('');
    await page.click('article a:text-is("WebSocket and HTTP API")');
    await page.waitForURL(`${proxy.http}/docs/WEBSOCKET_API`);
    await page.waitForSelector('html[data-ready]');
    await page.click('#docs-contents a:text-is("Reconnecting")');
    await page.waitForURL(({ hash }) => hash === '#reconnecting');
    const top = await page.locator('#reconnecting').evaluate((node) => node.getBoundingClientRect().top);
    assert.ok(Math.abs(top) < 60, `the heading is at ${top} px`);
    await page.locator('#docs-contents a[aria-current]:text-is("Reconnecting")').waitFor();
    await close(page);
  });

  it('opens the menu on a phone', async () => {
    const page = await open('MODELS');
    await page.setViewportSize({ width: 320, height: 700 });
    await page.click('summary:text-is("All documents")');
    await page.locator('.docs-above a:visible', { hasText: 'Troubleshooting' }).click();
    await page.waitForURL(`${proxy.http}/docs/TROUBLESHOOTING`);
    await close(page);
  });

  it('copies code', async () => {
    const page = await open('README');
    const block = page.locator('.code', { hasText: 'npm start' }).first();
    await block.hover();
    await block.locator('button').click();
    await block.locator('button', { hasText: 'Copied' }).waitFor();
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), 'npm start');
    await close(page);
  });

  it('draws the diagrams, and draws them anew in the colours of another theme', async () => {
    const page = await open('MACHINES');
    assert.equal(await page.locator('.diagram svg[role="img"]').count(), 2);
    assert.equal(await page.locator('.diagram pre:visible').count(), 0);
    const first = await page.locator('.diagram svg').first().getAttribute('id');
    await page.click('[data-theme-toggle]');
    await page.waitForSelector(`.diagram:first-of-type svg:not([id="${first}"])`);
    await close(page);
  });

  it('scrolls a wide table within its box', async () => {
    const page = await open('WEBSOCKET_API');
    await page.setViewportSize({ width: 320, height: 700 });
    const widest = await page
      .locator('.wide')
      .evaluateAll((boxes) => Math.max(...boxes.map((box) => box.scrollWidth - box.clientWidth)));
    assert.ok(widest > 100, 'a table is wider than the phone');
    await close(page);
  });

  it('is read without scripts too', async () => {
    const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await page.goto(`${proxy.http}/docs/MACHINES`);
    assert.match(await page.locator('.diagram code').first().innerText(), /stateDiagram/);
    assert.ok(await page.locator('#docs-menu').isVisible());
    await page.context().close();
  });
});
