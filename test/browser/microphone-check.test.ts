/** The microphone's level before a recording, and what a full server means to somebody who waits. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium, skipWithoutChromium, until, watchElement } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';

const FULL = { code: 'AT_CAPACITY', error: 'The server is full.', retryable: true };
/** Notes every track, so that a test sees whether the microphone was given back. */
const NOTE_TRACKS = `
  globalThis.tracks = [];
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (constraints) => {
    const stream = await ask(constraints);
    tracks.push(...stream.getTracks());
    return stream;
  };
`;
const RUNNING = "tracks.filter(({ readyState }) => readyState === 'live').length";

describe('before a recording', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let demo: DemoPage;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());
  afterEach(() => demo.close());

  const level = () => demo.page.locator('#level:not([aria-valuenow="-60"])');
  const shown = (selector: string, hasText: string | RegExp) =>
    demo.page.locator(selector, { hasText }).waitFor();

  it('shows the microphone’s level on demand, and gives the microphone back', async () => {
    demo = await openDemo(browser);
    const { page } = demo;
    await page.evaluate(NOTE_TRACKS);
    assert.equal(await page.evaluate(RUNNING), 0, 'nobody listens unasked');
    await page.click('#check-level');
    await level().waitFor();
    await shown('#level-text', 'Good');
    assert.equal(await page.getAttribute('#check-level', 'aria-pressed'), 'true');
    await page.click('#check-level');
    await shown('#check-level', 'Check level');
    assert.equal(await page.evaluate(RUNNING), 0);
    assert.equal(await page.getAttribute('#level', 'aria-valuenow'), '-60');
    assert.deepEqual(demo.server.fake.audio, [], 'nothing was sent');
  });

  it('shows no level that the audio thread tells too late', async () => {
    demo = await openDemo(browser);
    const { page } = demo;
    await page.evaluate(`
      const Native = AudioWorkletNode;
      globalThis.AudioWorkletNode = class extends Native {
        constructor(...options) {
          super(...options);
          globalThis.port = this.port;
        }
      };
    `);
    /** The level that is shown after one more, loud, block. */
    const levelAfterBlock = () =>
      page.evaluate(`
        port.dispatchEvent(new MessageEvent('message', { data: new Float32Array(1_600).fill(0.9) }));
        document.getElementById('level').getAttribute('aria-valuenow');
      `);
    await page.click('#check-level');
    await level().waitFor();
    assert.equal(await levelAfterBlock(), '-1');
    await page.click('#check-level');
    await shown('#check-level', 'Check level');
    assert.equal(await levelAfterBlock(), '-60');
  });

  it('gives the microphone back when another source is chosen, and to the recording that starts', async () => {
    demo = await openDemo(browser);
    const { page } = demo;
    await page.evaluate(NOTE_TRACKS);
    await page.click('#check-level');
    await level().waitFor();
    await page.locator('#sources label', { hasText: 'Sample' }).click();
    assert.equal(await page.isVisible('#check-level'), false);
    await until(page, `${RUNNING} === 0`);
    await page.locator('#level[aria-valuenow="-60"]').waitFor();
    await page.locator('#sources label', { hasText: 'Microphone' }).click();
    await page.click('#check-level');
    await level().waitFor();
    await demo.record();
    assert.equal(await page.evaluate(RUNNING), 1);
    assert.equal(await page.evaluate('tracks.length'), 3);
  });

  it('offers the level only to those who have let the page use a microphone', async () => {
    demo = await openDemo(browser);
    const { page } = demo;
    await page.addInitScript(`
      const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
      globalThis.permitted = false;
      navigator.mediaDevices.enumerateDevices = async () =>
        (await list()).map(({ kind, deviceId, label }) => ({ kind, deviceId, label: permitted ? label : '' }));
    `);
    await page.reload();
    await page.waitForSelector('html[data-ready]');
    assert.equal(await page.isVisible('#check-level'), false);
    await page.evaluate('permitted = true');
    await demo.record();
    await page.click('#record');
    await page.locator('#state[data-state="idle"]').waitFor();
    await page.locator('#check-level').waitFor();
    assert.ok((await page.locator('#device option').count()) > 1);
  });

  it('says how many places a full server has, when it asks again, and stops asking on demand', async () => {
    demo = await openDemo(browser);
    const { page } = demo;
    await page.route('**/ws/status', (route) => route.fulfill({ json: { capacity: 50 } }));
    demo.server.refusal = { status: 503, body: FULL, retryAfter: '30' };
    await watchElement(page, 'state-text', 'textContent');
    await page.click('#record');
    await until(page, "seen.includes('Server full, trying again in 30 s')");
    await shown('#notice-text', 'All 50 places are taken. There is no waiting list');
    await page.click('#notice-stop');
    await shown('#state-text', /^Ready$/);
    assert.equal(await page.isVisible('#notice'), false);
    assert.equal(await page.getAttribute('#record', 'aria-pressed'), 'false');
    const asked = demo.server.asked.length;
    demo.server.refusal = null;
    await demo.record();
    assert.ok(demo.server.asked.length > asked, 'the next Start asks again');
  });
});
