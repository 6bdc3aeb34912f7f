import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

describe('simple-client.html in Chromium', { skip: skipWithoutChromium, timeout: 120_000 }, () => {
  let server: LiveServer;
  let browser: Browser;

  before(async () => {
    server = await startLiveServer();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('shows what the microphone hears, and the last words after Stop', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(`${server.http}/examples/simple-client.html`);
    assert.deepEqual(await violations(page), []);

    await page.click('#button');
    await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
    await page.click('#button');
    await page.locator('#finals', { hasText: /\w+ \w+/ }).waitFor();
    assert.equal(await page.locator('#button').textContent(), 'Start');
    assert.equal(await page.locator('#partial').textContent(), '');
    assert.deepEqual(complaints, []);
  });
});
