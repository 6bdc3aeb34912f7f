import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { inPackage } from '../../src/paths.js';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

describe('simple-client.html in Chromium', { skip: skipWithoutChromium, timeout: 300_000 }, () => {
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

  it('shows what the microphone hears, and the last words after Stop', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(`${server.http}/examples/simple-client.html`);
    assert.deepEqual(await violations(page), []);

    await page.click('#button');
    await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
    await page.click('#button');
    await page.locator('#finals', { hasText: /\w+ \w+/ }).waitFor();
    await page.locator('#button', { hasText: /^Start$/ }).waitFor();
    assert.equal(await page.locator('#partial').textContent(), '');
    assert.deepEqual(complaints, []);
  });

  /** A place on this machine where a server was and another one can be. */
  async function freePort(): Promise<number> {
    const first = await startLiveServer();
    const { port } = first.server;
    await first.stop();
    return port;
  }

  /** Empties the transcript, so that what comes next is new. */
  const forget = (page: Page) =>
    page.evaluate("for (const id of ['finals', 'partial']) document.getElementById(id).textContent = ''");

  it('goes on listening when the server is restarted in the middle of a recording', async () => {
    const port = await freePort();
    let restarted = await startLiveServer({ port, drainTimeout: 1 });
    const page = await browser.newPage();
    try {
      await page.goto(`${restarted.http}/examples/simple-client.html`);
      await page.click('#button');
      await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
      await restarted.stop();
      await page.locator('#status', { hasText: 'reconnecting' }).waitFor();
      restarted = await startLiveServer({ port });
      await page.locator('#status', { hasText: 'live' }).waitFor();
      await forget(page);
      await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
      await page.click('#button');
      await page.locator('#finals', { hasText: /\w+ \w+/ }).waitFor();
      await page.locator('#button', { hasText: 'Start' }).waitFor();
    } finally {
      await restarted.stop();
      await page.close();
    }
  });

  it('starts again after the server was restarted between two recordings', async () => {
    const port = await freePort();
    let restarted = await startLiveServer({ port });
    const page = await browser.newPage();
    const words = (id: string) => page.locator(id, { hasText: /\w+ \w+/ }).waitFor();
    try {
      await page.goto(`${restarted.http}/examples/simple-client.html`);
      await page.click('#button');
      await words('#partial');
      await page.click('#button');
      await words('#finals');
      await restarted.stop();
      await page.locator('#status', { hasText: 'reconnecting' }).waitFor();
      restarted = await startLiveServer({ port });
      await page.locator('#status', { hasText: 'live' }).waitFor();
      await page.click('#button');
      await words('#partial');
    } finally {
      await restarted.stop();
      await page.close();
    }
  });

  it('goes on listening when the server is killed and started again', async () => {
    const port = await freePort();
    const start = async () => {
      const args = [inPackage('scripts', 'bin.mjs'), 'start', '--port', String(port), '--lanes', '1'];
      const child = spawn(process.execPath, [...args, '--admission', 'slots'], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, LOG_LEVEL: 'silent' },
      });
      for await (const text of child.stdout) if (String(text).includes('ready')) break;
      return child;
    };
    const kill = async (child: ChildProcess) => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    let running = await start();
    const page = await browser.newPage();
    try {
      await page.goto(`http://127.0.0.1:${port}/examples/simple-client.html`);
      await page.click('#button');
      await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
      await kill(running);
      await page.locator('#status', { hasText: 'reconnecting' }).waitFor();
      running = await start();
      await page.locator('#status', { hasText: 'live' }).waitFor();
      await forget(page);
      await page.locator('#partial', { hasText: /\w+ \w+/ }).waitFor();
      await page.click('#button');
      await page.locator('#finals', { hasText: /\w+ \w+/ }).waitFor();
    } finally {
      await kill(running);
      await page.close();
    }
  });
});
