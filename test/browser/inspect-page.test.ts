import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createActor } from 'xstate';
import { serverMachine } from '../../machines/server.js';
import { InspectHub } from '../../src/inspect/hub.js';
import { launchChromium, skipWithoutChromium, until, violations, watchElement } from '../helpers/browser.js';
import { FakeDirectory } from '../helpers/fake-directory.js';
import { type InspectServer, startInspectServer } from '../helpers/inspect-server.js';
import { recordingConfig } from '../helpers/recording-config.js';

const MARKUP = '<img src=x onerror="globalThis.hurt=1">';
const LOOKS = [
  ['light', 1280, 'light'],
  ['dark', 1280, 'dark'],
  ['phone', 390, 'light'],
  ['narrow', 320, 'dark'],
] as const;
/** For looking at the page by eye: a folder that screenshots are written to. */
const SHOTS = process.env.INSPECT_SHOTS;

describe('the inspector page', { skip: skipWithoutChromium, timeout: 300_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let server: InspectServer;
  let directory: FakeDirectory;
  let complaints: string[];
  const effects = { openGates() {}, announceDrain() {}, stop() {}, effectFailed() {} };

  // One context for all: it keeps Mermaid, which is large, compiled.
  before(async () => {
    browser = await launchChromium();
    context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
  });
  after(() => browser?.close());
  beforeEach(async () => {
    directory = new FakeDirectory();
    const lifecycle = createActor(serverMachine, { input: { effects, drainTimeoutMs: 1_000 } }).start();
    lifecycle.send({ type: 'MODEL_READY' });
    server = await startInspectServer(new InspectHub({ directory, server: lifecycle }));
    complaints = [];
    page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => {
      if (m.type() === 'error' && !/WebSocket/.test(m.text())) complaints.push(m.text());
    });
    await page.goto(`${server.url}/static/inspect.html`);
    await page.waitForSelector('html[data-ready]');
  });
  afterEach(async () => {
    await page.close();
    await server.close();
    assert.deepEqual(complaints, []);
  });

  const lit = (): Promise<string[]> =>
    page
      .locator('#machine .node.lit')
      .evaluateAll((nodes) => nodes.map((node) => node.id.replace(/^machine-state-|-\d+$/g, '')).sort());
  const active = () => page.locator('#active li').allTextContents();
  const untilActive = (name: string) => page.locator('#active li', { hasText: name }).waitFor();

  it('says that nobody is connected, and draws the machine all the same', async () => {
    await page.locator('#no-sessions').waitFor();
    assert.match(await page.locator('#followed').innerText(), /No session is/);
    assert.equal(await page.locator('#machine .node.statediagram-state').count(), 6);
    assert.deepEqual(await lit(), []);
  });

  it('shows the sessions and their events above the diagram, whose text can be read at every width', async () => {
    const top = (selector: string) =>
      page.locator(selector).evaluate((node) => node.getBoundingClientRect().top);
    /** Of a state's name, as drawn. */
    const size = async () =>
      (await page.evaluate(`(() => {
        const node = document.querySelector('#machine .nodeLabel');
        const scale = node.getBoundingClientRect().width / node.offsetWidth;
        return parseFloat(getComputedStyle(node).fontSize) * scale;
      })()`)) as number;
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 1000 });
      await page.waitForSelector('#machine .nodeLabel');
      assert.ok((await top('#sessions')) < (await top('#canvas')), `${width} px`);
      assert.ok((await top('#events')) < (await top('#canvas')), `${width} px`);
      assert.ok((await size()) >= 11.5, `${width} px: text of ${await size()} px`);
    }
  });

  it('follows the newest session, and lights its states as they change', async () => {
    const session = directory.open('session-a');
    await untilActive('activity.idle');
    assert.deepEqual(await lit(), ['session_open_activity_idle', 'session_open_transport_attached']);
    session.send('START');
    await untilActive('activity.recording');
    assert.deepEqual(await lit(), ['session_open_activity_recording', 'session_open_transport_attached']);
    session.send('STOP', 'DETACHED');
    await untilActive('transport.detached');
    assert.deepEqual(await active(), ['activity.flushing', 'transport.detached']);
  });

  it('shows the arrow that was taken', async () => {
    const session = directory.open('session-a');
    await untilActive('activity.idle');
    session.send('START');
    await page.waitForSelector('#machine path.taken');
    const taken = await page.locator('#machine g.label.taken').allTextContents();
    assert.deepEqual(
      taken.map((text) => text.trim()),
      ['START'],
    );
  });

  it('numbers every arrow of both machines as Mermaid does', async () => {
    await page.click('#details');
    await page.locator('#machine', { hasText: 'beginFlush(stop)' }).waitFor();
    for (const machine of ['session', 'server'] as const) {
      await page.check(`input[value="${machine}"]`, { force: true });
      await page.locator(`#machine[aria-label="The ${machine} machine"]`).waitFor();
      const texts = await page
        .locator('#machine g.label[data-id]')
        .evaluateAll((labels) =>
          labels.map((label) => [Number(label.getAttribute('data-id')?.slice(4)), label.textContent?.trim()]),
        );
      const { machines } = await firstMessage();
      const mermaid = machines.find(({ name }) => name === machine)?.mermaid.full.LR ?? '';
      const arrows = mermaid.split('\n').filter((line) => line.includes(' --> '));
      for (const [index, text] of texts) {
        const label = (arrows[Number(index)] ?? '').split(' : ')[1] ?? '';
        assert.equal(text, label.replaceAll('<br/>', ''), `arrow ${index} of ${machine}`);
      }
    }
  });

  it('lists events with their guards and actions, and marks the ignored', async () => {
    const session = directory.open('session-a');
    await untilActive('activity.idle');
    session.send('FLUSHED', 'DETACHED', 'ATTACHED', 'STOP');
    await page.locator('.event').nth(3).waitFor();
    const rows = await page.locator('.event').allInnerTexts();
    assert.match(rows[0] ?? '', /STOP[\s\S]*→ refuse\(NOT_RECORDING\)/);
    assert.match(rows[1] ?? '', /ATTACHED[\s\S]*detached → attached[\s\S]*→ attach/);
    assert.match(rows[2] ?? '', /DETACHED[\s\S]*attached → detached[\s\S]*canResume ✓ passed/);
    assert.match(rows[3] ?? '', /FLUSHED[\s\S]*ignored in this state/);
  });

  it('holds new events back while paused', async () => {
    const session = directory.open('session-a');
    await untilActive('activity.idle');
    await page.click('#pause');
    session.send('STOP', 'STOP');
    await page.locator('#pause', { hasText: 'Resume (2 new)' }).waitFor();
    assert.equal(await page.locator('.event').count(), 0);
    await page.click('#pause');
    assert.equal(await page.locator('.event').count(), 2);
  });

  it('follows a chosen session by keyboard, and remembers it in the address', async () => {
    directory.open('older-one', { openedAt: 1 }).send('START');
    directory.open('newer-one', { openedAt: 2 });
    await untilActive('activity.idle');
    await page.focus('button[aria-label="Follow session older-one"]');
    await page.keyboard.press('Enter');
    await untilActive('activity.recording');
    assert.equal(
      await page.getAttribute('button[aria-label="Follow session older-one"]', 'aria-pressed'),
      'true',
    );
    assert.equal(new URL(page.url()).hash, '#session=older-one');
    await page.reload();
    await untilActive('activity.recording');
  });

  it('filters the table by state and by text', async () => {
    directory.open('aaaa', { clientId: 'kitchen' }).send('START');
    directory.open('bbbb', { clientId: 'hall' });
    const visible = page.locator('#rows tr:visible');
    await visible.nth(1).waitFor();
    await page.check('input[value="recording"]', { force: true });
    assert.match((await visible.allInnerTexts()).join(), /kitchen/);
    assert.equal(await visible.count(), 1);
    await page.check('input[value="all"]', { force: true });
    await page.fill('#find', 'HALL');
    assert.equal(await visible.count(), 1);
    assert.equal(await page.locator('#session-total').innerText(), '1 of 2');
  });

  it('counts the transitions of all sessions', async () => {
    for (const id of ['a', 'b', 'c']) directory.open(id).send('START');
    await page.locator('#rows tr').nth(2).waitFor();
    for (const { harness } of directory.sessions.values()) harness.send('FINALIZE');
    const row = page.locator('#counts tr', { hasText: 'Close the segment without waiting' });
    await row.locator('.times', { hasText: /^3$/ }).waitFor();
    assert.match(await row.innerText(), /recording\s+FINALIZE\s+stays\s+3\s+finalizeSegment/);
  });

  it('says so when the followed session has closed', async () => {
    const session = directory.open('session-a');
    await untilActive('activity.idle');
    session.send({ type: 'FAULT', code: 'ENGINE_FAILED' });
    await page.locator('#followed', { hasText: 'has closed' }).waitFor();
    assert.deepEqual(await lit(), ['session_closed']);
    assert.match(await page.locator('.event').first().innerText(), /FAULT[\s\S]*close/);
  });

  it('shows the machine of the server', async () => {
    await page.check('input[value="server"]', { force: true });
    await untilActive('ready');
    assert.deepEqual(await lit(), ['server_ready']);
    assert.match(await page.locator('#counts').innerText(), /MODEL_READY/);
  });

  it('comes back after a lost connection', async () => {
    directory.open('session-a').send('START');
    await untilActive('activity.recording');
    await watchElement(page, 'link', 'dataset.state');
    server.drop();
    await until(page, "seen.includes('reconnecting') && seen.at(-1) === 'live'");
    await untilActive('activity.recording');
    assert.equal(server.sockets(), 1);
  });

  it('shows names and fields as text, whatever they contain', async () => {
    const session = directory.open(MARKUP, { clientId: MARKUP });
    await untilActive('activity.idle');
    session.send({ type: 'START', config: recordingConfig(MARKUP) });
    await page.locator('.event').first().waitFor();
    assert.ok((await page.locator('#rows').innerText()).includes(MARKUP));
    assert.equal(await page.evaluate('globalThis.hurt'), undefined);
    assert.equal(await page.locator('main img').count(), 0);
  });

  it('shows every column of the sessions at 1280 pixels', async () => {
    const clientId = '3f857df0-8dba-4472-a457-27aae51648fd';
    directory.open('b20e44d9-11aa', { clientId, openedAt: Date.now() - 3_940_000 }).send('START', 'DETACHED');
    await page.setViewportSize({ width: 1280, height: 800 });
    const cell = page.locator('#rows td[data-label="Client"]');
    await cell.waitFor();
    assert.equal(await cell.getAttribute('title'), clientId);
    const table = page.locator('.inspect-sessions .table-scroll');
    assert.equal(await table.evaluate((node) => node.scrollWidth - node.clientWidth), 0);
  });

  it('is accessible and fits in light, in dark and on a phone', async () => {
    const base = Date.now();
    const live = directory.open('3f9a2c71-7b1e', { clientId: 'reception-desk', openedAt: base - 754_000 });
    directory.open('b20e44d9-11aa', { clientId: 'kiosk-4', openedAt: base - 3_940_000 }).send('START');
    const lost = directory.open('77c1d5aa-90ef', { clientId: 'phone-lena', openedAt: base - 61_000 });
    lost.send('START', 'DETACHED');
    directory.open('e5d0930b-2c4d', { clientId: 'captions', openedAt: base - 90_000 }).send('START', 'STOP');
    await page.click('button[aria-label="Follow session 3f9a2c71-7b1e"]');
    live.send('START', 'FINALIZE', 'START', 'DETACHED', 'ATTACHED', 'STOP', 'FLUSHED', 'START', 'STOP');
    live.send('FLUSHED', 'START');
    await untilActive('activity.recording');
    await page.locator('#counts .times', { hasText: /^2$/ }).first().waitFor();
    for (const [name, width, colorScheme] of LOOKS) {
      await page.setViewportSize({ width, height: 1000 });
      await page.emulateMedia({ colorScheme });
      await page.locator('#machine .node.lit').first().waitFor();
      if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      assert.ok(Number(overflow) <= 0, `${name} is ${overflow} px too wide`);
      assert.deepEqual(await violations(page), [], name);
    }
  });

  /** What the page is told first, by a socket of our own. */
  async function firstMessage(): Promise<{
    machines: { name: string; mermaid: { full: { LR: string } } }[];
  }> {
    const text = await page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(url);
          socket.onmessage = ({ data }) => {
            resolve(data);
            socket.close();
          };
        }),
      `${server.url.replace('http', 'ws')}/ws/inspect`,
    );
    return JSON.parse(text);
  }
});
