/** No transcript and no setting is lost without a warning. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';

describe('nothing is lost on the transcriber', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let demo: DemoPage;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());
  beforeEach(async () => {
    demo = await openDemo(browser);
  });
  afterEach(() => demo.close());

  const transcript = async () =>
    (await demo.page.locator('#transcript .segment-text').allTextContents()).map((text) => text.trim());
  const shows = (text: string) => demo.page.locator('.segment-text', { hasText: text }).waitFor();
  /** A finished recording of these words. */
  async function recordOf(text: string): Promise<void> {
    await demo.record();
    demo.say(text);
    await shows(text);
    await stop();
  }
  async function stop(): Promise<void> {
    await demo.page.click('#record');
    await demo.page.locator('#record[aria-pressed="false"]').waitFor();
    await demo.page.locator('#state[data-state="idle"]').waitFor();
  }
  async function drop(name: string, type: string): Promise<void> {
    const dataTransfer = await demo.page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['no audio'], '${name}', { type: '${type}' }));
      return transfer;
    })()`);
    await demo.page.dispatchEvent('main', 'drop', { dataTransfer });
  }

  it('keeps the transcript when a new recording cannot start', async () => {
    await recordOf('words worth keeping');
    demo.server.refusal = { status: 503, body: { code: 'AT_CAPACITY', error: 'Full.', retryable: true } };
    await demo.page.click('#record');
    await demo.page.locator('#state[data-state="refused"]').waitFor();
    assert.deepEqual(await transcript(), ['words worth keeping']);
    await stop();
    assert.deepEqual(await transcript(), ['words worth keeping']);
  });

  it('keeps the transcript when what was dropped is no audio', async () => {
    await recordOf('words worth keeping');
    await drop('notes.txt', 'text/plain');
    await demo.page.locator('#notice-text', { hasText: 'cannot read this file' }).waitFor();
    assert.deepEqual(await transcript(), ['words worth keeping']);
  });

  it('clears the old transcript once the new recording runs', async () => {
    await recordOf('the old words');
    await recordOf('the new words');
    assert.deepEqual(await transcript(), ['the new words']);
  });

  it('brings a cleared transcript back, also in the middle of a recording', async () => {
    await demo.record();
    demo.say('first');
    await shows('first');
    await demo.page.click('#clear');
    assert.deepEqual(await transcript(), []);
    demo.say('second');
    await shows('second');
    await demo.page.locator('#notice-retry', { hasText: 'Undo' }).click();
    assert.deepEqual(await transcript(), ['first', 'second']);
    await stop();
    await demo.page.click('#clear');
    assert.equal(await demo.page.isVisible('#empty'), true);
    await demo.page.locator('#notice-retry', { hasText: 'Undo' }).click();
    assert.deepEqual(await transcript(), ['first', 'second']);
    assert.equal(await demo.page.isEnabled('#play'), true);
  });

  it('asks before a running recording is left, and never else', async () => {
    const leaves = () =>
      demo.page.evaluate(
        "dispatchEvent(new Event('beforeunload', { cancelable: true }))",
      ) as Promise<boolean>;
    assert.equal(await leaves(), true);
    await demo.record();
    assert.equal(await leaves(), false);
    await stop();
    assert.equal(await leaves(), true);
  });

  it('keeps transcripts where that is wanted: found, opened, renamed, deleted', async () => {
    const { page } = demo;
    await page.locator('summary', { hasText: 'History' }).click();
    await recordOf('nobody asked to keep this');
    await page.check('#keep');
    await recordOf('the quick brown fox');
    await page.locator('.kept-open', { hasText: 'the quick brown fox' }).waitFor();
    await recordOf('a lazy dog');
    await page.locator('.kept-open', { hasText: 'a lazy dog' }).waitFor();
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    await page.locator('summary', { hasText: 'History' }).click();
    await page.locator('.kept-open').nth(1).waitFor();
    assert.equal(await page.locator('.kept-open').count(), 2);
    await page.fill('#kept-find', 'brown');
    await page.locator('.kept-open', { hasText: 'lazy' }).waitFor({ state: 'detached' });
    await page.click('.kept-open');
    await shows('the quick brown fox');
    assert.equal(await page.isEnabled('#play'), true);
    page.once('dialog', (dialog) => void dialog.accept('Foxes'));
    await page.click('.kept button:has-text("Rename")');
    await page.locator('.kept-open', { hasText: 'Foxes' }).waitFor();
    await page.click('.kept button:has-text("Delete")');
    await page.locator('.kept', { hasText: 'No saved transcript contains these words.' }).waitFor();
  });

  it('forgets the oldest beyond twenty', async () => {
    const left = await demo.page.evaluate(async () => {
      const path = '/static/demo/history.js';
      const { TranscriptHistory } = (await import(path)) as typeof import('#static/demo/history.js');
      const history = new TranscriptHistory();
      for (let id = 1; id <= 22; id += 1) {
        const kept = { id, name: String(id), language: '', segments: [], rate: 16_000, seconds: 1 };
        await history.add(kept, Int16Array.of(id));
      }
      const ids = (await history.list()).map((kept) => kept.id);
      return { ids, oldAudio: (await history.audio(2)).length, audio: [...(await history.audio(3))] };
    });
    assert.equal(left.ids.length, 20);
    assert.deepEqual([left.ids[0], left.ids[19]], [22, 3]);
    assert.deepEqual([left.oldAudio, left.audio], [0, [3]]);
  });

  it('keeps the settings over a reload', async () => {
    const { page } = demo;
    await page.locator('summary', { hasText: 'Settings' }).click();
    await page.fill('#hotwords', 'definite:4\nKubernetes');
    await page.fill('#silence', '1.1');
    await page.uncheck('#marks');
    await page.uncheck('#partials');
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    assert.equal(await page.inputValue('#hotwords'), 'definite:4\nKubernetes');
    assert.equal(await demo.text('#silence-value'), '1.1 s');
    assert.equal(await page.getAttribute('body', 'class'), 'demo-page unmarked');
    await demo.record();
    const start = demo.server.fake.received.find((message) => message.type === 'start_recording');
    const { hotwords, silence_duration, partials } = start?.config as Record<string, unknown>;
    assert.deepEqual(hotwords, [
      { phrase: 'definite', boost: 4 },
      { phrase: 'Kubernetes', boost: 2 },
    ]);
    assert.deepEqual([silence_duration, partials], [1.1, false]);
  });
});
