/**
 * Every page in every state that a user meets: nothing is wider than the window, down to 320 px, and axe-core finds
 * nothing, in light and in dark.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { ServerMessage } from '../../src/protocol/types.js';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';
import { fleetOf, statusAnswer } from '../helpers/status-answer.js';

const WIDTHS = [1280, 390, 320];
const FULL = { code: 'AT_CAPACITY', error: 'The server is full.', retryable: true };
const NO_TOKEN = { code: 'UNAUTHORIZED', error: 'A valid access token is required.', retryable: false };
const LONG = 'supercalifragilisticexpialidocious'.repeat(3);

type Step = (demo: DemoPage) => Promise<unknown>;
const shows = (demo: DemoPage, selector: string, hasText: string | RegExp) =>
  demo.page.locator(selector, { hasText }).waitFor();
const refused =
  (status: number, body: Record<string, unknown>, selector: string): Step =>
  async (demo) => {
    demo.server.refusal = { status, body, retryAfter: '30' };
    await demo.page.click('#record');
    await demo.page.locator(selector).waitFor();
  };
const spoken: Step = async (demo) => {
  await demo.record();
  demo.say('the old print, and every figure of it');
  demo.say(LONG);
  demo.partial('words that are still open');
  await shows(demo, '.partial', 'still open');
};
const finished: Step = async (demo) => {
  await spoken(demo);
  await demo.page.click('#record');
  await demo.page.locator('#state[data-state="idle"]').waitFor();
  await demo.page.locator('#transcript .word').nth(3).waitFor();
};
const openAll: Step = ({ page }) =>
  page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true;");
const result = (channel: number, text: string) =>
  ({
    ...{ type: 'transcription', segment_id: 1, channel, text, is_final: true, words: [], start: channel },
    ...{ duration: 1, confidence: 1, reason: 'silence', processing_time_ms: 1, timestamp: '' },
  }) as ServerMessage;

/** What the transcribe page can look like. */
const TRANSCRIBE: Record<string, Step> = {
  'at rest': async () => {},
  'with the menu open': ({ page }) => page.click('.nav-menu summary'),
  'with its settings, figures and history open': async (demo) => {
    await openAll(demo);
    await demo.page.check('#apart');
  },
  'with the code': async ({ page }) => {
    await page.click('#tab-code');
    await page.locator('#code pre').first().waitFor();
  },
  'with the list of shortcuts': ({ page }) => page.evaluate("document.getElementById('keys').showModal()"),
  'that waits for the microphone': async (demo) => {
    await demo.page.evaluate('navigator.mediaDevices.getUserMedia = () => new Promise(() => {})');
    await demo.page.click('#record');
    await shows(demo, '#state-text', 'Waiting for the microphone');
  },
  'that checks the level': async ({ page }) => {
    await page.click('#check-level');
    await page.locator('#level-text', { hasText: /./ }).waitFor();
  },
  'while recording': spoken,
  'while recording two channels': async (demo) => {
    await openAll(demo);
    await demo.page.check('#apart');
    await demo.record();
    demo.server.fake.broadcast(result(0, 'thank you for calling'));
    demo.server.fake.broadcast(result(1, LONG));
    await demo.page.locator('.segment[data-channel="1"]').waitFor();
  },
  'after a recording': finished,
  'in captions': async (demo) => {
    await finished(demo);
    await demo.page.click('#captions');
  },
  'with the search open': async (demo) => {
    await finished(demo);
    await demo.page.click('#find-open');
    await demo.page.fill('#find', 'the');
  },
  'with a word being corrected': async (demo) => {
    await finished(demo);
    await demo.page.locator('#transcript .word').nth(1).click();
    await demo.page.locator('.word-editor').waitFor();
  },
  'with words corrected and removed': async (demo) => {
    await finished(demo);
    for (const text of ['older', '']) {
      await demo.page
        .locator('#transcript .word')
        .nth(text === '' ? 2 : 1)
        .click();
      await demo.page.fill('.word-editor input', text);
      await demo.page.keyboard.press('Enter');
    }
  },
  'of a full server': async (demo) => {
    await demo.page.route('**/ws/status', (route) => route.fulfill({ json: { capacity: 1_500 } }));
    await refused(503, FULL, '#notice-stop')(demo);
    await shows(demo, '#notice-text', 'All 1500 places are taken');
  },
  'of a server that wants a token': refused(401, NO_TOKEN, '#token'),
  'of a server that is away': async (demo) => {
    await demo.server.close();
    await demo.page.click('#record');
    await shows(demo, '#state-text', 'Server unreachable');
  },
  'with a blocked microphone': async (demo) => {
    await demo.page.evaluate(
      "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }",
    );
    await demo.page.click('#record');
    await shows(demo, '#notice-text', 'blocked');
  },
  'with a file that is no audio': async (demo) => {
    await demo.page.setInputFiles('#file', {
      name: `${LONG}.txt`,
      mimeType: 'text/plain',
      buffer: Buffer.from('x'),
    });
    await demo.page.click('#record');
    await shows(demo, '#notice-text', 'cannot read this file');
  },
  'that asks whether to undo a clear': async (demo) => {
    await finished(demo);
    await demo.page.click('#clear');
    await shows(demo, '#notice-text', 'cleared');
  },
};

describe('every state of every page', { skip: skipWithoutChromium, timeout: 600_000 }, () => {
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  /** At every width, in light, and once in dark. */
  async function look(page: Page, audit = true): Promise<void> {
    const found: string[] = [];
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width > 500 ? 800 : 720 });
      await page.evaluate(
        'new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))',
      );
      const excess = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
      if (excess > 0) found.push(`${width} px: ${excess} px too wide`);
      const dark = width === 390;
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });
      if (audit && width !== 1280)
        found.push(...(await violations(page)).map((text) => `${width} px: ${text}`));
    }
    assert.deepEqual(found, []);
  }

  for (const [name, step] of Object.entries(TRANSCRIBE)) {
    it(`the transcribe page ${name}`, async () => {
      const demo = await openDemo(browser);
      try {
        await step(demo);
        await look(demo.page);
      } finally {
        await demo.context.close();
        await demo.server.close();
      }
    });
  }

  for (const [name, answer] of [
    ['of one server', statusAnswer()],
    ['of a fleet', statusAnswer({ cluster: fleetOf(3) })],
    ['of a fleet whose store is away', statusAnswer({ cluster: { ...fleetOf(2), available: false } })],
    ['of a server that starts', statusAnswer({ status: 'starting', model: null, capacity: 0, lanes: [] })],
  ] as const) {
    it(`the status page ${name}`, async () => {
      const demo = await openDemo(browser);
      demo.server.status = () => answer;
      await demo.page.goto(`${demo.server.url}/static/status.html`);
      await demo.page.waitForSelector('html[data-ready]');
      await openAll(demo);
      await look(demo.page);
      await demo.close();
    });
  }

  it('the debug page, on every tab, empty and after a session', async () => {
    const demo = await openDemo(browser);
    demo.server.status = () => statusAnswer();
    await demo.page.goto(`${demo.server.url}/static/debug.html`);
    await demo.page.waitForSelector('html[data-ready]');
    const tabs = ['Console', 'Metrics', 'Audio', 'Tests'];
    for (const name of tabs) {
      await demo.page.getByRole('tab', { name }).click();
      await look(demo.page);
    }
    await demo.page.evaluate('tools.testConnection()');
    for (const name of tabs) {
      await demo.page.getByRole('tab', { name }).click();
      await look(demo.page, name === 'Console');
    }
    await demo.close();
  });
});
