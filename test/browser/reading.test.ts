/** The words that are being spoken stay on the screen, and a reader who looks back is left alone. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium, skipWithoutChromium } from '../helpers/browser.js';
import { type DemoPage, openDemo } from '../helpers/demo-page.js';

const LINES = 60;

describe('reading along', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let demo: DemoPage;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());
  afterEach(() => demo.close());

  const bottomOf = (selector: string) =>
    demo.page.locator(selector).evaluate((node) => node.getBoundingClientRect().bottom);
  async function talk(): Promise<void> {
    for (let i = 1; i <= LINES; i += 1) demo.say(`sentence number ${i}`);
    demo.partial('these are the newest words');
    await demo.page.locator('.partial', { hasText: 'newest words' }).waitFor();
  }

  for (const [name, viewport] of [
    ['on a laptop', { width: 1280, height: 800 }],
    ['on a phone', { width: 390, height: 844 }],
    ['on the narrowest phone', { width: 320, height: 568 }],
  ] as const) {
    it(`keeps the newest words and Stop in sight ${name}`, async () => {
      demo = await openDemo(browser, { viewport });
      await demo.record();
      await talk();
      assert.ok((await bottomOf('.partial')) <= viewport.height);
      assert.ok((await bottomOf('#record')) <= viewport.height);
      assert.equal(await demo.page.evaluate('document.documentElement.scrollTop'), 0);
    });

    it(`has no blank space below a long transcript ${name}`, async () => {
      demo = await openDemo(browser, { viewport });
      await demo.record();
      await talk();
      await demo.page.click('#record');
      await demo.page.locator('#state-text', { hasText: /Done|No words/ }).waitFor();
      const height = (await demo.page.evaluate('document.documentElement.scrollHeight')) as number;
      const content = await bottomOf('.side > :last-child');
      assert.ok(
        height - Math.max(content, viewport.height) < 60,
        `${height} px high, content ends at ${content}`,
      );
    });
  }

  it('leaves a reader who has scrolled up alone, and jumps back to live on demand', async () => {
    demo = await openDemo(browser);
    await demo.record();
    await talk();
    assert.equal(await demo.page.isVisible('#jump'), false);
    await demo.page.evaluate("document.getElementById('transcript').scrollTop = 200");
    await demo.page.locator('#jump').waitFor();
    demo.say('one more sentence');
    demo.partial('and newer words');
    await demo.page.locator('.partial', { hasText: 'newer words' }).waitFor();
    assert.equal(await demo.page.evaluate("document.getElementById('transcript').scrollTop"), 200);
    await demo.page.click('#jump');
    await demo.page.locator('#jump').waitFor({ state: 'hidden' });
    demo.partial('and the newest of all');
    await demo.page.locator('.partial', { hasText: 'newest of all' }).waitFor();
    assert.ok((await bottomOf('.partial')) <= 800);
  });

  it('shows the live words on a phone to a reader who has scrolled up', async () => {
    demo = await openDemo(browser, { viewport: { width: 390, height: 844 } });
    await demo.record();
    await talk();
    await demo.page.evaluate("document.getElementById('transcript').scrollTop = 100");
    await demo.page.locator('#jump').waitFor();
    assert.ok((await bottomOf('.partial')) <= (await bottomOf('#transcript')) + 1);
  });

  it('does not flash when the words are taken back for a moment', async () => {
    demo = await openDemo(browser);
    await demo.record();
    demo.partial('');
    demo.partial('hello');
    await demo.page.locator('.partial', { hasText: 'hello' }).waitFor();
    demo.partial('');
    await demo.page.locator('.partial .stable:empty').waitFor({ state: 'attached' });
    assert.equal(await demo.page.isVisible('.partial'), true);
    assert.equal(await demo.page.isVisible('#empty'), false);
  });
});
