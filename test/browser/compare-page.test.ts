/** The page that compares two servers, in Chromium, below a proxy's sub-path, with mock servers behind it. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, lookAt, skipWithoutChromium } from '../helpers/browser.js';
import { type RunningMock, startMockServer } from '../helpers/mock-server.js';
import { type PrefixProxy, startPrefixProxy } from '../helpers/prefix-proxy.js';

const TOKEN = 'secret-of-a';
const scriptOf = (text: string) => ({ utterances: [{ at: 0.2, text }], settle: 0.1 });
describe('comparing two servers', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let page: Page;
  let a: RunningMock;
  let b: RunningMock;
  let proxy: PrefixProxy;
  const complaints: string[] = [];
  const askedOfB: string[] = [];

  before(async () => {
    a = await startMockServer(scriptOf('the cat sat on the mat'), { authToken: TOKEN });
    b = await startMockServer(scriptOf('a cat sat on the hat'));
    b.server.app.server.prependListener('upgrade', ({ url = '', headers }) =>
      askedOfB.push(`${url} ${JSON.stringify(headers)}`),
    );
    proxy = await startPrefixProxy(a.http, '/speech');
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await a?.stop();
    await b?.stop();
  });
  afterEach(async () => {
    await page.close();
    assert.deepEqual({ strays: proxy.strays, complaints }, { strays: [], complaints: [] });
  });

  async function open(query: string): Promise<void> {
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    // A server that is not there is part of a test.
    page.on(
      'console',
      (m) => m.type() === 'error' && !/net::ERR/.test(m.text()) && complaints.push(m.text()),
    );
    await page.goto(`${proxy.http}/compare?token=${TOKEN}${query}`);
    await page.waitForSelector('html[data-ready]');
  }
  const side = (name: 'a' | 'b') => page.locator(`[data-side="${name}"]`);
  const textOf = async (name: 'a' | 'b') => (await side(name).locator('.side-text').innerText()).trim();
  const marksOf = (name: 'a' | 'b') => side(name).locator('mark').allInnerTexts();
  const isLive = (name: 'a' | 'b') =>
    side(name)
      .locator('.state-text', { hasText: /^Live$/ })
      .waitFor();
  async function untilSaid(name: 'a' | 'b', text: string): Promise<void> {
    await side(name).locator('.side-text', { hasText: text }).waitFor();
  }

  it('sends the same microphone to both, and marks the words in which they differ', async () => {
    await open(`&b=${b.ws}`);
    await page.click('#start');
    await Promise.all([untilSaid('a', 'the mat'), untilSaid('b', 'the hat')]);
    await page.click('#start');
    await page.locator('#start', { hasText: /^Start/ }).waitFor();
    assert.deepEqual(
      [await textOf('a'), await textOf('b')],
      ['the cat sat on the mat', 'a cat sat on the hat'],
    );
    assert.deepEqual(
      [await marksOf('a'), await marksOf('b')],
      [
        ['the', 'mat'],
        ['a', 'hat'],
      ],
    );
    assert.equal(await page.textContent('#summary'), '2 of 6 words differ.');
    for (const name of ['a', 'b'] as const) {
      assert.match((await side(name).locator('.side-word').textContent()) ?? '', /^-?\d+ ms$/);
      assert.match((await side(name).locator('.side-final').textContent()) ?? '', /^\d+ ms$/);
      assert.equal(await side(name).locator('.side-model').textContent(), 'Model: mock');
    }
  });

  it('says before the start where the audio will go, and sends nothing there by itself', async () => {
    askedOfB.length = 0;
    await open(`&b=${b.ws}`);
    const host = new URL(b.ws).host;
    assert.equal(
      await page.textContent('#elsewhere'),
      `The audio goes to ${host}, which is not this server.`,
    );
    assert.equal(await page.textContent('#start'), `Start, and send to ${host}`);
    assert.deepEqual(askedOfB, []);
    await side('b').locator('input').fill('');
    assert.equal(await page.textContent('#start'), 'Start');
    assert.equal(await page.isVisible('#elsewhere'), false);
  });

  it('keeps this server’s token from the other one', async () => {
    askedOfB.length = 0;
    await open(`&b=${b.ws}`);
    await page.click('#start');
    await Promise.all([isLive('a'), isLive('b')]);
    await page.click('#start');
    await page.locator('#start', { hasText: /^Start/ }).waitFor();
    assert.ok(askedOfB.length > 0);
    for (const asked of askedOfB) assert.ok(!asked.includes(TOKEN), asked);
  });

  it('compares this server with itself where nothing is said, with the bundled sample', async () => {
    await open('');
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.click('#start');
    await Promise.all([untilSaid('a', 'the mat'), untilSaid('b', 'the mat')]);
    await page.click('#start');
    await page.locator('#summary', { hasText: 'Both have the same words.' }).waitFor();
  });

  it('goes on with one where the other is not there, and says why', async () => {
    await open('&b=ws://127.0.0.1:9/ws/transcribe');
    await page.click('#start');
    await untilSaid('a', 'the mat');
    await side('b')
      .locator('.state-chip[data-state="failed"], .state-chip[data-state="reconnecting"]')
      .waitFor();
    await page.click('#start');
    await page.locator('#start', { hasText: /^Start/ }).waitFor();
    assert.equal(await textOf('a'), 'the cat sat on the mat');
  });

  it('refuses what is no address, and starts nothing', async () => {
    await open('&b=javascript://x');
    await page.locator('#notice', { hasText: 'ws, wss, http or https' }).waitFor();
    await page.click('#start');
    await page.locator('#start', { hasText: /^Start$/ }).waitFor();
    assert.equal(await side('a').locator('.state-text').textContent(), 'Ready');
  });

  it('says what to do about a microphone that is blocked, and connects to nobody', async () => {
    await open('');
    await page.evaluate(() => {
      const { mediaDevices } = (globalThis as unknown as { navigator: { mediaDevices: object } }).navigator;
      const blocked = async () => {
        throw new DOMException('no', 'NotAllowedError');
      };
      Object.assign(mediaDevices, { getUserMedia: blocked });
    });
    await page.click('#start');
    await page.locator('#notice', { hasText: 'Allow it in the browser’s site settings' }).waitFor();
    assert.equal(await page.textContent('#start'), 'Start');
    assert.equal(await side('a').locator('.state-text').textContent(), 'Ready');
  });

  it('keeps the addresses in its own, without keys', async () => {
    await open('');
    await side('b').locator('input').fill(`${b.ws}?token=other`);
    await page.click('#start');
    await isLive('b');
    await page.click('#start');
    const kept = new URL(page.url()).searchParams;
    assert.deepEqual([kept.get('a'), kept.get('b')], [null, b.ws]);
  });

  it('is the one page that may talk to other servers', async () => {
    await open('');
    const asks = (url: string) =>
      page.evaluate(
        (at) =>
          fetch(at, { mode: 'no-cors' }).then(
            () => true,
            () => false,
          ),
        url,
      );
    assert.equal(await asks(`${b.http}/health`), true);
    for (const path of ['static/index.html', 'static/debug.html', 'docs/']) {
      await page.goto(`${proxy.http}/${path}`);
      assert.equal(await asks(`${b.http}/health`), false, path);
      complaints.splice(0); // Chromium writes each to the console
    }
  });

  it('is accessible and fits, at rest and with transcripts, in light, in dark and on phones', async () => {
    await open(`&b=${b.ws}`);
    await page.click('#start');
    await Promise.all([untilSaid('a', 'the mat'), untilSaid('b', 'the hat')]);
    await page.click('#start');
    await page.locator('#summary', { hasText: 'differ' }).waitFor();
    assert.deepEqual(await lookAt(page, process.env.COMPARE_SHOTS), []);
  });
});
