/** The pages on a server that wants a token and lists other origins: they are its own, and pass `?token=` on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

describe('the pages of a guarded server', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let server: ScriptedServer;

  before(async () => {
    server = await startScriptedServer({ authToken: 'secret', allowedOrigins: ['https://app.example'] });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** In a tab of its own. */
  async function open(name: string, query = '?token=secret'): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${server.http}/static/${name}.html${query}`);
    return page;
  }

  it('transcribe', async () => {
    const page = await open('index');
    await page.waitForSelector('html[data-ready]');
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Live$/ }).waitFor();
    await page.close();
  });

  it('say that a token is needed, once, where it is missing', async () => {
    const page = await open('index', '');
    await page.waitForSelector('html[data-ready]');
    await page.click('#record');
    await page.locator('#notice-text', { hasText: 'A valid access token is required.' }).waitFor();
    assert.equal(await page.locator('#state-text').textContent(), 'Not connected');
    await page.locator('#record[aria-pressed="false"]').waitFor(); // The microphone is given back first.
    await page.close();
  });

  it('show the status, also behind a link without the token', async () => {
    const page = await open('index');
    await page.goto(`${server.http}/static/status.html`);
    await page.locator('#state-text', { hasText: 'Ready' }).waitFor();
    await page.close();
  });

  it('inspect', async () => {
    const page = await open('inspect');
    await page.locator('#link-text', { hasText: 'Live' }).waitFor();
    await page.close();
  });

  it('debug', async () => {
    const page = await open('debug');
    await page.waitForSelector('html[data-ready]');
    const check = (await page.evaluate('tools.testConnection()')) as { ok: boolean; findings: unknown[] };
    assert.equal(check.ok, true, JSON.stringify(check.findings));
    await page.close();
  });
});
