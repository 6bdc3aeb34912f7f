/** The transcribe page in Chromium with a scripted server, for tests. */
import assert from 'node:assert/strict';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { ServerMessage } from '../../src/protocol/types.js';
import { type FakeHttpServer, startFakeHttpServer } from './fake-http-server.js';
import type { FakeServerOptions } from './fake-server.js';

export interface DemoPage {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly server: FakeHttpServer;
  text(selector: string): Promise<string>;
  /** Starts the microphone and waits until the server records. */
  record(): Promise<void>;
  /** Sends a final with these words. */
  say(text: string): void;
  partial(text: string): void;
  /** Fails if the page has thrown an error or written one to the console. */
  close(): Promise<void>;
}

/** @param viewport of the window, CSS pixels */
export async function openDemo(
  browser: Browser,
  { viewport = { width: 1280, height: 800 }, ...options }: FakeServerOptions & { viewport?: Size } = {},
): Promise<DemoPage> {
  const server = await startFakeHttpServer(options);
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  // Refused sockets and requests are part of some tests; everything else on the console is a defect.
  page.on('console', (m) => {
    if (m.type() === 'error' && !/WebSocket|503|401|net::ERR/.test(m.text())) complaints.push(m.text());
  });
  await page.goto(`${server.url}/static/index.html`);
  await page.waitForSelector('html[data-ready]');
  let segment = 0;
  return {
    page,
    context,
    server,
    text: async (selector) => (await page.textContent(selector)) ?? '',
    async record() {
      await page.click('#record');
      await page.locator('#state-text', { hasText: /^Live$/ }).waitFor();
    },
    say(text) {
      segment += 1;
      const words = wordsOf(text);
      server.fake.broadcast({
        ...{ type: 'transcription', segment_id: segment, text, is_final: true, words, start: 0, duration: 1 },
        ...{ confidence: 0.9, reason: 'silence', processing_time_ms: 3, timestamp: '' },
      } as ServerMessage);
    },
    partial(text) {
      server.fake.broadcast({
        ...{ type: 'partial', segment_id: segment + 1, text, is_final: false, words: wordsOf(text) },
        ...{ stable_chars: 0, audio_end: 1, processing_time_ms: 3, timestamp: '' },
      } as ServerMessage);
    },
    async close() {
      await context.close();
      await server.close();
      assert.deepEqual(complaints, []);
    },
  };
}

interface Size {
  width: number;
  height: number;
}

function wordsOf(text: string) {
  const words = text.split(' ').filter((word) => word !== '');
  return words.map((word, i) => ({
    word,
    start: i / words.length,
    end: (i + 1) / words.length,
    confidence: 0.95,
  }));
}
