/** The header that all pages share. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

const PAGES = [
  'static/index.html',
  'static/status.html',
  'docs/',
  'compare',
  'static/inspect.html',
  'static/debug.html',
];

describe('the navigation', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let server: LiveServer;
  let browser: Browser;
  let page: Page;

  before(async () => {
    server = await startLiveServer();
    browser = await launchChromium();
    page = await browser.newPage();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const links = () =>
    page
      .locator('nav[aria-label="Pages"] a')
      .evaluateAll((all) =>
        all.map((link) => [link.textContent, (link as unknown as { href: string }).href]),
      );

  it('is the same on every page, says where one is, and leads somewhere', async () => {
    const seen: unknown[] = [];
    for (const path of PAGES) {
      await page.goto(`${server.http}/${path}`);
      seen.push(await links());
      assert.equal(await page.locator('nav[aria-label="Pages"] [aria-current="page"]').count(), 1, path);
    }
    for (const other of seen) assert.deepEqual(other, seen[0]);
    const first = seen[0] as [string, string][];
    assert.deepEqual(
      first.map(([name]) => name),
      ['Transcribe', 'Status', 'Docs', 'Compare', 'Inspect', 'Debug'],
    );
    for (const [name, address] of first) assert.equal((await fetch(address)).status, 200, name);
  });

  it('has a menu for developers that opens by keyboard, and closes by Escape, a click elsewhere and on leaving', async () => {
    await page.goto(`${server.http}/static/status.html`);
    const menu = page.locator('.nav-menu > div');
    await page.focus('.nav-menu summary');
    await page.keyboard.press('Enter');
    assert.equal(await menu.isVisible(), true);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Compare');
    await page.keyboard.press('Escape');
    assert.equal(await menu.isVisible(), false);
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Developers');
    await page.click('.nav-menu summary');
    await page.click('main');
    assert.equal(await menu.isVisible(), false);
    await page.click('.nav-menu summary');
    await page.focus('[data-theme-toggle]');
    assert.equal(await menu.isVisible(), false);
  });
});
