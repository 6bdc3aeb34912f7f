/** What can be done with a transcript: correct its words, search it, tell two channels apart. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import type { ServerMessage } from '../../src/protocol/types.js';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';
import { pcm16Wav } from '../helpers/wav.js';

describe('the transcript', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
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

  const lines = async () =>
    (await demo.page.locator('.segment-text').allTextContents()).map((text) => text.trim());
  const words = () => demo.page.locator('#transcript .word');
  const shown = (selector: string, hasText: string | RegExp) =>
    demo.page.locator(selector, { hasText }).waitFor();
  /** A finished recording of these sentences. */
  async function recordOf(...sentences: string[]): Promise<void> {
    await demo.record();
    for (const sentence of sentences) {
      demo.say(sentence);
      await shown('.segment-text', sentence);
    }
    await demo.page.click('#record');
    await demo.page.locator('#state[data-state="idle"]').waitFor();
  }
  async function correct(index: number, text: string): Promise<void> {
    await words().nth(index).click();
    await demo.page.fill('.word-editor input', text);
    await demo.page.keyboard.press('Enter');
    await demo.page.locator('.word-editor').waitFor({ state: 'hidden' });
  }
  async function saved(format: string): Promise<string> {
    const [download] = await Promise.all([
      demo.page.waitForEvent('download'),
      demo.page.click(`[data-export="${format}"]`),
    ]);
    return readFile(await download.path(), 'utf8');
  }

  describe('corrected by hand', () => {
    it('shows a corrected word as such and has it in every export', async () => {
      await recordOf('the old prince', 'of wales');
      await correct(2, 'print');
      assert.deepEqual(await lines(), ['the old print', 'of wales']);
      assert.match((await words().nth(2).getAttribute('class')) ?? '', /\bedited\b/);
      await words().nth(2).hover();
      await shown('.word-tip', 'heard as “prince”');
      assert.equal(await saved('txt'), 'the old print\nof wales\n');
      for (const format of ['times', 'srt', 'vtt']) assert.match(await saved(format), /the old print/);
      assert.match(await saved('json'), /"word": "print",[^}]*"heard": "prince"/);
    });

    it('takes corrections back one by one, and a word to what was heard', async () => {
      await recordOf('the old prince');
      await correct(2, 'print');
      await correct(0, 'an');
      await demo.page.locator('#notice-retry', { hasText: 'Undo' }).click();
      assert.deepEqual(await lines(), ['the old print']);
      await words().nth(0).focus();
      await demo.page.keyboard.press('Control+z');
      assert.deepEqual(await lines(), ['the old prince']);
      await correct(2, 'print');
      await words().nth(2).click();
      await demo.page.click('.word-editor button:has-text("Back to “prince”")');
      assert.deepEqual(await lines(), ['the old prince']);
      assert.doesNotMatch((await words().nth(2).getAttribute('class')) ?? '', /\bedited\b/);
    });

    it('removes a word that is emptied, and leaves everything on Escape', async () => {
      await recordOf('the the old print');
      await correct(1, '');
      assert.equal(await saved('txt'), 'the old print\n');
      assert.equal(await demo.page.locator('.word.removed').textContent(), 'the');
      await words().nth(3).click();
      await demo.page.fill('.word-editor input', 'nonsense');
      await demo.page.keyboard.press('Escape');
      assert.equal(await demo.page.evaluate('document.activeElement.textContent'), 'print');
      assert.equal(await saved('txt'), 'the old print\n');
    });

    it('keeps what was typed when another word is clicked, also while recording', async () => {
      await demo.record();
      demo.say('one too three');
      await shown('.segment-text', 'one too three');
      await words().nth(1).click();
      await demo.page.fill('.word-editor input', 'two');
      await words().nth(0).click();
      assert.deepEqual(await lines(), ['one two three']);
      demo.say('four');
      await shown('.segment-text', 'four');
      await demo.page.keyboard.press('Escape');
      await demo.page.click('#record');
      await demo.page.locator('#state[data-state="idle"]').waitFor();
      assert.equal(await saved('txt'), 'one two three\nfour\n');
    });

    it('is kept in the history', async () => {
      const { page } = demo;
      await page.locator('summary', { hasText: 'History' }).click();
      await page.check('#keep');
      await recordOf('the old prince');
      await page.locator('.kept-open').waitFor();
      await page.fill('#kept-find', 'old print');
      await page.locator('.kept-open').waitFor({ state: 'detached' });
      await correct(2, 'print');
      await page.locator('.kept-open').waitFor(); // Found by its new word: it is stored.
      await page.reload();
      await page.waitForSelector('html[data-ready]');
      await page.locator('summary', { hasText: 'History' }).click();
      await page.click('.kept-open');
      await shown('.segment-text', 'the old print');
      assert.match((await words().nth(2).getAttribute('class')) ?? '', /\bedited\b/);
    });
  });

  it('is searched: every place marked and counted, next and previous around the end', async () => {
    const { page } = demo;
    await recordOf('the old print', 'and the other one');
    await page.keyboard.press('Alt+Shift+F');
    await page.keyboard.type('the');
    await shown('#find-count', '1 of 3');
    assert.deepEqual(await page.locator('.word.found').allTextContents(), ['the', 'the', 'other']);
    await page.keyboard.press('Enter');
    await shown('#find-count', '2 of 3');
    await page.click('#find-next');
    assert.equal(await page.locator('.word.current').textContent(), 'other');
    await page.click('#find-next');
    await page.click('#find-previous');
    await shown('#find-count', '3 of 3');
    await page.fill('#find', 'PRINT');
    await shown('#find-count', '1 of 1');
    await page.fill('#find', 'nowhere');
    await shown('#find-count', 'Not found');
    assert.equal(await page.isDisabled('#find-next'), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('#find-bar'), false);
    assert.equal(await page.locator('.word.found').count(), 0);
  });

  it('finds words that are said while the search is open', async () => {
    await demo.record();
    demo.say('one');
    await shown('.segment-text', 'one');
    await demo.page.click('#find-open');
    await demo.page.fill('#find', 'one');
    await shown('#find-count', '1 of 1');
    demo.say('another one');
    await shown('#find-count', '1 of 2');
  });

  describe('of two channels', () => {
    const separate = async () => {
      await demo.page.locator('summary', { hasText: 'Settings' }).click();
      await demo.page.check('#apart');
    };
    const say = (channel: number, id: number, start: number, text: string) =>
      demo.server.fake.broadcast({
        ...{ type: 'transcription', segment_id: id, channel, text, is_final: true, words: [], start },
        ...{ duration: 1, confidence: 0.9, reason: 'silence', processing_time_ms: 3, timestamp: '' },
      } as ServerMessage);
    const config = () =>
      demo.server.fake.received.find(({ type }) => type === 'start_recording')?.config as Record<
        string,
        unknown
      >;

    it('comes as lines in order of time, each with its speaker, in exports too', async () => {
      await separate();
      await demo.page.fill('#channel-1', 'Caller');
      await demo.record();
      assert.deepEqual([config().channels, config().multichannel], [2, true]);
      say(0, 1, 0.5, 'good morning');
      say(0, 2, 8, 'your number please');
      say(1, 1, 4, 'my parcel is lost');
      await shown('.segment', 'my parcel is lost');
      demo.server.fake.broadcast({
        ...{ type: 'partial', segment_id: 2, channel: 1, text: 'it is four', is_final: false, words: [] },
        ...{ stable_chars: 5, audio_end: 11, processing_time_ms: 3, timestamp: '' },
      } as ServerMessage);
      await shown('.partial', /Caller.*it is four/);
      assert.deepEqual(await demo.page.locator('.segment .speaker').allTextContents(), [
        'Agent',
        'Caller',
        'Agent',
      ]);
      say(1, 2, 10, 'it is four');
      await shown('.segment', 'it is four');
      assert.equal(await demo.page.isVisible('.partial'), false);
      assert.equal(
        await saved('txt'),
        'Agent: good morning\nCaller: my parcel is lost\nAgent: your number please\nCaller: it is four\n',
      );
    });

    it('is made of a stereo file, whose channels are sent as they are', async () => {
      await separate();
      const pairs = Int16Array.from({ length: 2 * 16_000 }, (_, i) => (i % 2 === 0 ? 8_000 : -4_000));
      const buffer = Buffer.from(pcm16Wav(pairs, 16_000, 2));
      await demo.page.setInputFiles('#file', { name: 'call.wav', mimeType: 'audio/wav', buffer });
      await demo.page.uncheck('#real-time');
      await demo.page.click('#record');
      await demo.page.locator('#state[data-state="idle"]').waitFor();
      await shown('#state-text', /^No words recognised$/);
      const heard = Buffer.from(demo.server.fake.heard('session-1'));
      assert.equal(heard.length, 2 * 2 * 16_000);
      assert.ok(Math.abs(heard.readInt16LE(400) - 8_000) < 3 && Math.abs(heard.readInt16LE(402) + 4_000) < 3);
      assert.equal(await demo.text('#clock'), '0:01.0');
    });

    it('is one, and the page says so, where the file or the microphone has one channel', async () => {
      await separate();
      await demo.page.setInputFiles('#file', 'static/sample.wav');
      await demo.page.click('#record');
      await shown('#notice-text', 'This file has one channel');
      assert.equal(config().multichannel, undefined);
      await demo.page.click('#record');
      await demo.page.locator('#state[data-state="idle"]').waitFor();
      await demo.page.evaluate(`
        const { getSettings } = MediaStreamTrack.prototype;
        MediaStreamTrack.prototype.getSettings = function () {
          return { ...getSettings.call(this), channelCount: 1 };
        };
      `);
      await demo.page.locator('#sources label', { hasText: 'Microphone' }).click();
      await demo.page.click('#record');
      await shown('#notice-text', 'This microphone has one channel');
    });
  });
});
