/** What the transcriber offers beside the recording: the sample, code, playback, captions, shortcuts, and its errors. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium, skipWithoutChromium, until, violations, watchElement } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';
import { sampleWords } from '../helpers/fake-http-server.js';

const FULL = { code: 'AT_CAPACITY', error: 'The server is full.', retryable: true };
const GUARDED = {
  status: 401,
  body: { code: 'UNAUTHORIZED', error: 'A valid access token is required.', retryable: false },
};

describe('the views of the transcriber', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let demo: DemoPage;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());
  beforeEach(async () => {
    demo = await openDemo(browser, { words: sampleWords() });
  });
  afterEach(() => demo.close());

  const shown = (selector: string, hasText: RegExp) => demo.page.locator(selector, { hasText }).waitFor();
  async function sample(): Promise<void> {
    await demo.page.evaluate("document.getElementById('real-time').checked = false");
    await demo.page.click('#try-sample');
    await shown('#state-text', /^Done$/);
  }

  it('says what it is, which model it has, and lets a first visitor try the sample', async () => {
    assert.match(await demo.text('h1'), /speech to text/i);
    await shown('#server-model', /^fake$/);
    await shown('#server-language', /^English$/);
    assert.equal(await demo.page.isVisible('#legend'), false);
    await sample();
    assert.match(await demo.text('.segment-text'), /^in the old print/);
    assert.equal(await demo.page.isVisible('#empty'), false);
    assert.equal(await demo.page.isVisible('#legend'), true);
    await shown('#fig-words', /^\d+\.\d\d\ss$/);
    await shown('#fig-connection', /^(Good|Slow), \d[\d,]* ms$/);
  });

  it('shows the settings as code with the server’s address, for what the server speaks', async () => {
    const { page } = demo;
    await page.locator('summary', { hasText: 'Settings' }).click();
    await page.fill('#hotwords', 'definite:4');
    await page.click('#tab-code');
    await shown('#code pre', /hotwords: \[\{phrase: "definite",boost: 4\}\]/);
    assert.ok((await demo.text('#code pre')).includes(`${demo.server.url}/static/websocket-client.js`));
    const offered = await page.locator('#code .segmented span').allTextContents();
    assert.deepEqual(offered, ['JavaScript', 'Python', 'curl', 'OpenAI']);
    await page.locator('#code label', { hasText: 'curl' }).click();
    await shown('#code pre', /hotwords=definite%3A4/);
    await demo.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('#code button:has-text("Copy code")');
    await shown('#notice-text', /copied/);
    assert.match((await page.evaluate('navigator.clipboard.readText()')) as string, /^curl --data-binary/);
    await page.focus('#tab-code');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.isVisible('#empty'), true);
    assert.equal(await page.isVisible('#code'), false);
  });

  it('plays the recording in step with its words, and pauses', async () => {
    await sample();
    await demo.page.evaluate(`
      globalThis.sounded = [];
      new MutationObserver((changes) => {
        for (const { target } of changes) if (target.matches('.sounding')) sounded.push(target.textContent);
      }).observe(document.getElementById('transcript'), { attributes: true, subtree: true });
    `);
    await demo.page.click('#play');
    assert.equal(await demo.text('#play'), 'Pause');
    while (((await demo.page.evaluate('sounded.length')) as number) < 4) {
      await demo.page.evaluate('new Promise(requestAnimationFrame)');
    }
    // In order; a busy machine may skip one.
    const sounded = [...new Set((await demo.page.evaluate('sounded')) as string[])];
    const words = sampleWords().map(({ word }) => word);
    assert.deepEqual(
      sounded,
      words.slice(0, words.indexOf(sounded.at(-1) ?? '') + 1).filter((word) => sounded.includes(word)),
    );
    await demo.page.click('#play');
    assert.equal(await demo.text('#play'), 'Play');
    assert.equal(await demo.page.locator('.word.sounding').count(), 0);
  });

  it('shows captions alone, and leaves them by Escape', async () => {
    await sample();
    await demo.page.click('#captions');
    assert.equal(await demo.page.isVisible('#record'), false);
    assert.equal(await demo.page.isVisible('.segment-text'), true);
    await demo.page.keyboard.press('Escape');
    await demo.page.locator('#record').waitFor();
    assert.equal(await demo.page.evaluate('document.activeElement.id'), 'captions');
  });

  it('starts and stops by keyboard, and lists the shortcuts', async () => {
    const { page } = demo;
    await page.keyboard.press('Control+Enter');
    await shown('#state-text', /^Live$/);
    await page.keyboard.press('Control+Enter');
    await page.locator('#record[aria-pressed="false"]').waitFor();
    await page.click('#keys-open');
    assert.equal(await page.locator('#keys kbd').count(), 23);
    assert.deepEqual(await violations(page), []);
    await page.click('#keys button');
    assert.equal(await page.isVisible('#keys'), false);
  });

  it('counts down to the next attempt in a place that was kept for it, and tries at once on demand', async () => {
    const { page } = demo;
    const top = () => page.locator('#transcript').evaluate((node) => node.getBoundingClientRect().top);
    const before = await top();
    demo.server.refusal = { status: 503, body: FULL, retryAfter: '30' };
    await watchElement(page, 'state-text', 'textContent');
    await page.click('#record');
    await until(page, "seen.some((text) => text.includes('trying again in 30 s'))");
    assert.equal(await top(), before);
    await until(page, "seen.some((text) => text.includes('trying again in 28 s'))");
    demo.server.refusal = null;
    await page.click('#notice-retry');
    await shown('#state-text', /^Live$/);
    assert.equal(await page.isVisible('#notice'), false);
    assert.equal(await top(), before);
  });

  it('asks for an access token where the server wants one, and goes on with it', async () => {
    const { page } = demo;
    demo.server.refusal = GUARDED;
    await page.click('#record');
    await page.locator('#token').waitFor();
    demo.server.refusal = null;
    await page.fill('#token', 'secret');
    await page.keyboard.press('Enter');
    await shown('#state-text', /^Live$/);
    assert.ok(demo.server.asked.some((url) => /\/ws\/transcribe\?.*token=secret/.test(url)));
    assert.equal(await page.isVisible('#token'), false);
  });

  it('takes an access token while the microphone is still being given back', async () => {
    const { page } = demo;
    await page.evaluate(`
      const { close } = AudioContext.prototype;
      AudioContext.prototype.close = async function () {
        await new Promise((go) => { globalThis.closeNow = go; });
        return close.call(this);
      };
    `);
    demo.server.refusal = GUARDED;
    await page.click('#record');
    await page.locator('#token').waitFor();
    await until(page, "typeof closeNow === 'function'");
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'true');
    demo.server.refusal = null;
    await page.fill('#token', 'secret');
    await page.keyboard.press('Enter');
    await page.locator('#token').waitFor({ state: 'hidden' });
    await page.evaluate('closeNow()');
    await shown('#state-text', /^Live$/);
  });

  for (const [name, width, colorScheme] of [
    ['light', 1280, 'light'],
    ['dark', 1280, 'dark'],
    ['on a phone', 390, 'light'],
  ] as const) {
    it(`has no accessibility violation in any view, ${name}`, async () => {
      const { page } = demo;
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      assert.deepEqual(await violations(page), []);
      await page.click('#tab-code');
      assert.deepEqual(await violations(page), []);
      await page.click('#tab-transcript');
      demo.server.refusal = { status: 503, body: FULL, retryAfter: '30' };
      await page.click('#record');
      await page.locator('#state[data-state="refused"]').waitFor();
      assert.deepEqual(await violations(page), []);
    });
  }
});
