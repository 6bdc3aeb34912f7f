/** A browser's own recorder: Opus in WebM, as it comes, to the native socket and to Deepgram's address. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

/** Of the bundled sample, which the microphone plays over and over. */
const SAID = /\w+ \w+ \w+/;

interface Message {
  type: string;
  is_final: boolean;
  text: string;
}

/** In the page: records until three words are heard, then closes as Deepgram's clients do. */
const LISTEN = `(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const socket = new WebSocket('ws://' + location.host + '/v1/listen?interim_results=true', ['token', 'K']);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  const recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => data.size > 0 && socket.send(data);
  recorder.onstop = () => socket.send('{"type":"CloseStream"}');
  const messages = [];
  socket.onmessage = ({ data }) => {
    const { type, is_final, channel } = JSON.parse(data);
    const text = channel?.alternatives?.[0].transcript ?? '';
    messages.push({ type, is_final, text });
    if (!is_final && text.split(' ').length >= 3 && recorder.state === 'recording') recorder.stop();
  };
  const closed = new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  recorder.start(100);
  return { code: await closed, messages };
})()`;

describe('MediaRecorder in Chromium', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let server: LiveServer;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    server = await startLiveServer();
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(`${server.http}/examples/media-recorder.html`);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('is heard by the native socket while it records, and to its end', async () => {
    assert.deepEqual(await violations(page), []);
    await page.click('#button');
    await page.locator('#partial', { hasText: SAID }).waitFor();
    await page.click('#button');
    await page.locator('#status', { hasText: 'Not connected.' }).waitFor();
    assert.match((await page.locator('#finals').textContent()) ?? '', SAID);
    assert.deepEqual(complaints, []);
  });

  it("is heard at Deepgram's address without an encoding", async () => {
    const results = (await page.evaluate(LISTEN)) as { code: number; messages: Message[] };
    assert.equal(results.code, 1000);
    const finals = results.messages.filter(({ is_final }) => is_final).map(({ text }) => text);
    assert.match(finals.join(' '), SAID);
    assert.equal(results.messages.at(-1)?.type, 'Metadata');
  });
});
