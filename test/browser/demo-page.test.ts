import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium, until, violations, watchElement } from '../helpers/browser.js';
import { type FakeHttpServer, sampleWords, startFakeHttpServer } from '../helpers/fake-http-server.js';

const TRANSCRIPT = sampleWords()
  .map((w) => w.word)
  .join(' ');

describe('the demo page', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let server: FakeHttpServer;
  let page: Page;
  let complaints: string[];

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());
  beforeEach(async () => {
    server = await startFakeHttpServer({ words: sampleWords() });
    context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    page = await context.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    // Failed sockets are part of some tests; everything else on the console is a defect.
    page.on('console', (m) => {
      if (m.type() === 'error' && !/WebSocket|503|net::ERR/.test(m.text())) complaints.push(m.text());
    });
    await page.goto(`${server.url}/static/index.html`);
    await page.waitForSelector('html[data-ready]');
  });
  afterEach(async () => {
    await context.close();
    await server.close();
    assert.deepEqual(complaints, []);
  });

  const text = (selector: string): Promise<string> =>
    page.locator(selector).evaluate((node) => node.textContent ?? '');
  const finals = async (): Promise<string> =>
    (await page.locator('#transcript .segment-text').allTextContents()).join(' ').trim();

  /** Filled in at the next frame; its part of the page is closed. */
  const figure = (selector: string) =>
    page.locator(selector, { hasText: /^\d[\d,]* ms$/ }).waitFor({ state: 'attached' });

  async function streamSample(): Promise<void> {
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.uncheck('#real-time');
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
  }

  it('streams the bundled sample and shows every word', async () => {
    await streamSample();
    assert.equal(await finals(), TRANSCRIPT);
    assert.equal(await text('#clock'), '0:07.0');
    await figure('#fig-chunk');
    assert.equal(server.fake.heard('session-1').length, 2 * 111_360);
  });

  it('listens to the microphone and shows partials with the stable part set apart', async () => {
    await page.click('#record');
    await page.locator('.partial .stable', { hasText: /.{6}/ }).waitFor();
    assert.equal(await text('#state-text'), 'Live');
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'true');
    await page.locator('#level:not([aria-valuenow="-60"])').waitFor();
    await page.click('#record');
    await page.locator('#transcript .word').nth(1).waitFor();
    const start = server.fake.received.find((m) => m.type === 'start_recording');
    assert.deepEqual(start?.config, { ...(start?.config as object), sample_rate: 16_000, encoding: 'pcm16' });
    assert.ok(TRANSCRIPT.startsWith(await finals()));
  });

  /** Breaks something of the browser before the page loads again, then starts the microphone. */
  async function recordWith(breakage: string): Promise<void> {
    await page.addInitScript(breakage);
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    await page.click('#record');
  }
  const startConfig = (): Record<string, unknown> =>
    server.fake.received.find((m) => m.type === 'start_recording')?.config as Record<string, unknown>;

  it('sends the device’s own rate where the browser refuses 16 kHz', async () => {
    await recordWith(`
      const Native = AudioContext;
      globalThis.AudioContext = class extends Native {
        constructor(options) {
          if (options?.sampleRate) throw new DOMException('no', 'NotSupportedError');
          super(options);
        }
      };
    `);
    await page.locator('.partial .stable', { hasText: /.{6}/ }).waitFor();
    const deviceRate = await page.evaluate('new AudioContext().sampleRate');
    assert.equal(startConfig().sample_rate, deviceRate);
    assert.notEqual(deviceRate, 16_000);
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
  });

  it('falls back to a ScriptProcessor where there is no AudioWorklet', async () => {
    await recordWith(
      "Object.defineProperty(BaseAudioContext.prototype, 'audioWorklet', { value: undefined });",
    );
    await page.locator('.partial .stable', { hasText: /.{6}/ }).waitFor();
    assert.equal(startConfig().sample_rate, 16_000);
  });

  for (const [error, state, words] of [
    ['NotAllowedError', 'Microphone blocked', /blocked/],
    ['NotFoundError', 'No microphone', /No microphone was found/],
    ['NotReadableError', 'Microphone in use', /in use by another program/],
  ] as const) {
    it(`says what to do after ${error}`, async () => {
      await recordWith(
        `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', '${error}'); };`,
      );
      await page.locator('#notice-text', { hasText: words }).waitFor();
      assert.equal(await text('#state-text'), state);
      assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
    });
  }

  const shown = (id: string, words: RegExp | string) => page.locator(id, { hasText: words }).waitFor();

  it('says that the server is away, not that the microphone is in use, and records all the same', async () => {
    const { port } = new URL(server.url);
    await server.close();
    await page.click('#record');
    await shown('#state-text', 'Server unreachable, trying again');
    assert.match(await text('#notice-text'), /server cannot be reached/);
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'true');
    server = await startFakeHttpServer({ words: sampleWords() }, Number(port));
    await page.locator('.partial .stable', { hasText: /.{6}/ }).waitFor();
    assert.equal(await text('#state-text'), 'Live');
  });

  it('says that the sample cannot be loaded while the server is away', async () => {
    await server.close();
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.click('#record');
    await shown('#notice-text', /sample cannot be loaded\. The server cannot be reached/);
    assert.equal(await text('#state-text'), 'Not connected');
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
  });

  it('can be stopped while the browser asks for the microphone', async () => {
    await recordWith(`
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      globalThis.tracks = [];
      mediaDevices.getUserMedia = async (constraints) => {
        await new Promise((allow) => { globalThis.allow = allow; });
        const stream = await ask(constraints);
        tracks.push(...stream.getTracks());
        return stream;
      };
    `);
    await shown('#state-text', 'Waiting for the microphone');
    await page.click('#record');
    await shown('#state-text', /^Ready$/);
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
    await page.evaluate('allow()');
    await until(page, "tracks.length > 0 && tracks.every((track) => track.readyState === 'ended')");
    assert.equal(await text('#state-text'), 'Ready');
  });

  it('shows no live recording while a restarting server records nothing, and goes on after it', async () => {
    await watchElement(page, 'state-text', 'textContent');
    await page.click('#record');
    await page.locator('.partial .stable', { hasText: /.{6}/ }).waitFor();
    server.fake.endRecordings();
    server.fake.drop(1001, 'DRAINING');
    server.fake.expire();
    await until(page, "seen.includes('Resumed in a new session') && seen.at(-1) === 'Live'");
    const seen = (await page.evaluate('seen')) as string[];
    const ended = seen.indexOf('Recording ended by the server, continuing');
    assert.ok(ended >= 0 && ended < seen.indexOf('Resumed in a new session'), seen.join());
    await page.click('#record');
    await shown('#state-text', /^Done$/);
  });

  it('passes its access token on with everything that it asks', async () => {
    await page.goto(`${server.url}/static/index.html?token=secret`);
    await page.waitForSelector('html[data-ready]');
    await streamSample();
    await page.goto(`${server.url}/static/status.html`);
    await page.waitForSelector('html[data-ready]');
    const asked = server.asked.filter((url) => url.startsWith('/ws/'));
    assert.ok(
      asked.every((url) => new URL(url, server.url).searchParams.get('token') === 'secret'),
      asked.join(),
    );
  });

  it('measures words to their painting', async () => {
    await streamSample();
    await figure('#fig-word');
  });

  it('transcribes a file that was chosen', async () => {
    await page.setInputFiles('#file', 'static/sample.wav');
    assert.equal(await text('#file-name'), 'sample.wav');
    await page.uncheck('#real-time');
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
    assert.equal(await finals(), TRANSCRIPT);
  });

  it('says in words that a file is no audio', async () => {
    await page.setInputFiles('#file', 'package.json');
    await page.click('#record');
    await page.waitForSelector('#notice:not([hidden])');
    assert.match(await text('#notice'), /cannot read this file/);
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
  });

  it('survives a lost connection: reconnecting, resumed, and no word missing', async () => {
    await watchElement(page, 'state', 'dataset.state');
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.click('#record');
    await page.locator('.partial', { hasText: /.{10}/ }).waitFor();
    server.fake.drop();
    await page.locator('#state-text', { hasText: /^Done$/ }).waitFor();
    assert.equal(await finals(), TRANSCRIPT);
    assert.equal(server.fake.heard('session-1').length, 2 * 111_360);
    const seen = (await page.evaluate('seen')) as string[];
    for (const state of ['live', 'reconnecting', 'resumed'])
      assert.ok(seen.includes(state), `${state} in ${seen}`);
  });

  it('shows the server’s reason when it refuses', async () => {
    const error = 'The server is at its rated capacity.';
    server.refusal = { status: 503, body: { error, code: 'AT_CAPACITY', retryable: true }, retryAfter: '30' };
    await page.locator('label', { hasText: 'Sample' }).click();
    await watchElement(page, 'state-text', 'textContent');
    await page.click('#record');
    await page.locator('#state[data-state="refused"]').waitFor();
    await until(page, "seen.some((text) => text.includes('trying again in 30 s'))");
    assert.match(await text('#notice'), /rated capacity/);
  });

  it('can be stopped while it is refused, and given up while it waits for the last words', async () => {
    server.refusal = { status: 503, body: { code: 'AT_CAPACITY', error: 'Full.', retryable: true } };
    await page.locator('label', { hasText: 'Sample' }).click();
    await page.click('#record');
    await page.locator('#state[data-state="refused"]').waitFor();
    await page.click('#record');
    await page.locator('#state-text', { hasText: /^Ready$/ }).waitFor();
    server.refusal = null;
    await page.click('#record');
    await page.locator('.partial', { hasText: /.{10}/ }).waitFor();
    server.refusal = { status: 503, body: { code: 'AT_CAPACITY', error: 'Full.', retryable: true } };
    server.fake.drop();
    await page.locator('#state[data-state="refused"]').waitFor();
    await page.click('#record');
    await page.locator('#record-text', { hasText: 'Give up' }).waitFor();
    await page.click('#record');
    await page.locator('#record-text', { hasText: 'Start' }).waitFor();
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
    // The words that were open stay, still and to be copied.
    await page.locator('.partial.settled', { hasText: /.{10}/ }).waitFor();
    assert.equal(await page.locator('#copy').isEnabled(), true);
  });

  it('starts with a file that is dropped on the page', async () => {
    const wav = (await readFile('static/sample.wav')).toString('base64');
    const transfer = await page.evaluateHandle(`(() => {
      const bytes = Uint8Array.from(atob('${wav}'), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], 'dropped.wav', { type: 'audio/wav' }));
      return transfer;
    })()`);
    await page.dispatchEvent('main', 'dragover', { dataTransfer: transfer });
    assert.equal(await page.isVisible('#drop-hint'), true);
    await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
    await page.locator('.partial', { hasText: /in the old/ }).waitFor();
    assert.equal(await text('#file-name'), 'dropped.wav');
    assert.equal(await page.isVisible('#drop-hint'), false);
  });

  it('tells the time and confidence of a word, and plays it, by mouse and by keyboard', async () => {
    await streamSample();
    await page.evaluate(`
      globalThis.played = [];
      const { start } = AudioBufferSourceNode.prototype;
      AudioBufferSourceNode.prototype.start = function (...args) {
        played.push(this.buffer.duration);
        start.apply(this, args);
      };
    `);
    await page.hover('#transcript .word >> nth=3');
    assert.match(await text('.word-tip'), /^0:01\.\d–0:01\.\d · 35% · doubtful$/);
    await page.click('#transcript .word >> nth=3');
    await page.focus('#transcript .word[tabindex="0"]');
    await page.keyboard.press('End');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'other');
    await page.keyboard.press('Enter');
    await until(page, 'played.length === 2');
    const played = (await page.evaluate('played')) as number[];
    assert.ok(
      played.every((seconds) => seconds > 0.2 && seconds < 0.6),
      String(played),
    );
  });

  for (const [format, pattern] of [
    ['txt', /^in the old print/],
    ['times', /^\[00:00:00\.300 → /],
    ['json', /"confidence": 0\.95/],
    ['srt', /^1\n00:00:00,300 --> /],
    ['vtt', /^WEBVTT\n/],
  ] as const) {
    it(`saves the transcript as ${format}`, async () => {
      await streamSample();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.click(`[data-export="${format}"]`),
      ]);
      const saved = await readFile(await download.path(), 'utf8');
      assert.match(saved, pattern);
      assert.match(download.suggestedFilename(), /^transcript-.*\.(txt|json|srt|vtt)$/);
    });
  }

  it('announces finals once, as plain text, in a polite live region', async () => {
    await streamSample();
    const region = page.locator('[aria-live="polite"][role="log"]');
    assert.deepEqual(await region.locator('p').allTextContents(), [TRANSCRIPT]);
    assert.equal(await page.locator('.partial').getAttribute('aria-live'), null);
    assert.equal(await page.locator('.segment-text').first().getAttribute('dir'), 'auto');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no accessibility violation that axe knows, ${colorScheme}`, async () => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await streamSample();
      await page.locator('summary', { hasText: 'Settings' }).click();
      assert.deepEqual(await violations(page), []);
    });
  }

  it('fits a phone without scrolling sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await streamSample();
    const overflow = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
    assert.ok(overflow <= 0, `${overflow} px too wide`);
  });

  it('remembers the theme that was chosen', async () => {
    await page.click('[data-theme-toggle]');
    await page.click('[data-theme-toggle]');
    await page.reload();
    await page.waitForSelector('html[data-theme="dark"]');
    assert.equal(await page.getAttribute('[data-theme-toggle]', 'aria-label'), 'Theme: dark');
  });
});
