/** A call of two people, from a stereo file through the page and the real server and model. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { inPackage } from '../../src/paths.js';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { pcm16Wav } from '../helpers/wav.js';

/** The bundled sample on the left, and again on the right when the left has ended. */
function call(): Buffer {
  const wav = readFileSync(inPackage('static', 'sample.wav'));
  const said = new Int16Array(Uint8Array.from(wav.subarray(44)).buffer);
  const pairs = new Int16Array(4 * said.length);
  said.forEach((sample, i) => {
    pairs[2 * i] = sample;
    pairs[2 * (said.length + i) + 1] = sample;
  });
  return Buffer.from(pcm16Wav(pairs, 16_000, 2));
}

describe('a stereo call', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
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

  it('is transcribed per channel, each line with its speaker and its time', async () => {
    const page = await browser.newPage();
    await page.goto(`${server.http}/static/index.html`);
    await page.waitForSelector('html[data-ready]');
    await page.locator('summary', { hasText: 'Settings' }).click();
    await page.check('#apart');
    await page.setInputFiles('#file', { name: 'call.wav', mimeType: 'audio/wav', buffer: call() });
    await page.uncheck('#real-time');
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
    assert.deepEqual(await page.locator('.segment .speaker').allTextContents(), ['Agent', 'Customer']);
    const [agent = '', customer = ''] = await page.locator('.segment-text').allTextContents();
    assert.match(agent, /^in the old print/);
    assert.equal(customer, agent, 'the same words, whoever says them');
    const [first = '', second = ''] = await page.locator('.segment-time').allTextContents();
    assert.match(first, /^0:00\./);
    assert.match(second, /^0:0[67]\./);
  });
});
