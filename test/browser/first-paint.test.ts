/** What the transcribe page costs before it is seen, as the server sends it: it compresses nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

const SCRIPT_BYTES = 100_000;
/** Text that says much the same as before without a font, or with another one, may move by so little. */
const MAX_SHIFT = 0.02;

interface Loaded {
  /** Path of the file. */
  name: string;
  bytes: number;
  /** It was asked for before the page could be used. */
  early: boolean;
}

describe('the first paint of the transcribe page', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let server: LiveServer;
  let browser: Browser;
  let page: Page;
  /** Cumulative layout shift of loading. What a test does to the page moves things too. */
  let shifted: number;

  before(async () => {
    server = await startLiveServer();
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.addInitScript(`
      globalThis.shifted = 0;
      new PerformanceObserver((list) => {
        for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifted += value;
      }).observe({ type: 'layout-shift', buffered: true });
    `);
    await page.goto(`${server.http}/static/index.html`);
    await page.waitForSelector('html[data-ready]');
    await page.evaluate('document.fonts.ready.then(() => 0)');
    // A shift is reported after the frame that made it.
    for (let i = 0; i < 3; i += 1) await page.evaluate('new Promise(requestAnimationFrame)');
    shifted = (await page.evaluate('shifted')) as number;
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const loaded = (pattern: RegExp): Promise<Loaded[]> =>
    page.evaluate(`
      const [{ startTime: shell }] = performance.getEntriesByName('shell');
      performance.getEntriesByType('resource')
        .map(({ name, encodedBodySize, startTime }) => ({ name: new URL(name).pathname, bytes: encodedBodySize, early: startTime < shell }))
        .filter(({ name }) => ${String(pattern)}.test(name));
    `) as Promise<Loaded[]>;
  const sum = (files: Loaded[]) => files.reduce((all, { bytes }) => all + bytes, 0);

  it('needs at most 100 KB of script; the client library and the recorder come after it', async () => {
    const scripts = await loaded(/\.js$/);
    const early = scripts.filter((file) => file.early);
    assert.ok(early.length > 0 && early.every(({ bytes }) => bytes > 0), 'they are measured');
    assert.ok(sum(early) <= SCRIPT_BYTES, `${sum(early)} bytes: ${early.map(({ name }) => name).join(' ')}`);
    const late = scripts.filter((file) => !file.early).map(({ name }) => name);
    for (const name of ['/static/websocket-client.js', '/static/audio-recorder.js', '/static/demo/deck.js'])
      assert.ok(late.includes(name), `${name} is loaded, and late`);
  });

  it('leaves code, history and export until they are asked for', async () => {
    assert.deepEqual(await loaded(/snippets\.js$|inspect|debug-tools/), []);
    await page.click('#tab-code');
    await page.locator('#code pre').first().waitFor();
    assert.equal((await loaded(/snippets\.js$/)).length, 1);
    await page.click('#tab-transcript');
  });

  it('is set in the font that the server has, and no other comes from elsewhere', async () => {
    await page.evaluate('document.fonts.ready.then(() => 0)');
    const fonts = await loaded(/\.woff2$/);
    assert.deepEqual(
      fonts.filter(({ early }) => early).map(({ name }) => name),
      ['/vendor/source-sans/source-sans-3-latin-wght-normal.woff2'],
    );
    assert.ok(sum(fonts) < 40_000, `${sum(fonts)} bytes`);
    assert.equal(await page.evaluate('document.fonts.check(\'16px "Source Sans 3"\')'), true);
    const answer = await fetch(`${server.http}${fonts[0]?.name}`);
    assert.equal(answer.headers.get('content-type'), 'font/woff2');
    const families = (await page.evaluate('getComputedStyle(document.body).fontFamily')) as string;
    assert.match(
      families,
      /^"Source Sans 3",.*\bsans-serif$/,
      'whatever is missing, no serif font takes its place',
    );
  });

  it('moves hardly anything when the font and the rest arrive', () => {
    assert.ok(shifted < MAX_SHIFT, `cumulative layout shift ${shifted}`);
  });
});
