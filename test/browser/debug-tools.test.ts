import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type FakeHttpServer, sampleWords, startFakeHttpServer } from '../helpers/fake-http-server.js';

const TRANSCRIPT = sampleWords()
  .map((w) => w.word)
  .join(' ');

describe('the debug tools', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
  let browser: Browser;
  let server: FakeHttpServer;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    server = await startFakeHttpServer({ words: sampleWords() });
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
    await page.goto(`${server.url}/static/debug.html`);
    await page.waitForSelector('html[data-ready]');
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    assert.deepEqual(complaints, []);
  });

  it('says on every tab what an empty one is for', async () => {
    for (const [name, text] of [
      ['Metrics', /Nothing recorded yet/],
      ['Audio', /Nothing to show yet/],
      ['Tests', /No test has run yet/],
      ['Console', /Nothing has happened yet/],
    ] as const) {
      await page.getByRole('tab', { name }).click();
      await page.getByRole('tabpanel', { name }).getByText(text).waitFor();
    }
  });

  it('tests the connection, step by step', async () => {
    const check = (await page.evaluate('tools.testConnection()')) as {
      ok: boolean;
      findings: { name: string }[];
    };
    assert.equal(check.ok, true, JSON.stringify(check));
    assert.deepEqual(
      check.findings.map((f) => f.name),
      ['Status over HTTP', 'WebSocket and greeting', 'Round trip', 'Start, audio, stop'],
    );
  });

  it('reports a server that is not there as a finding, not as an exception', async () => {
    const check = (await page.evaluate("tools.testConnection('http://127.0.0.1:9')")) as {
      ok: boolean;
      findings: { ok: boolean; detail: string }[];
    };
    assert.equal(check.ok, false);
    assert.match(check.findings[1]?.detail ?? '', /cannot be reached/);
    complaints.length = 0; // The browser itself logs the refused connections.
  });

  it('sends every audio format and compares the length that was heard', async () => {
    const check = (await page.evaluate('tools.testAudioFormat()')) as { ok: boolean; findings: unknown[] };
    assert.equal(check.ok, true, JSON.stringify(check));
    assert.equal(check.findings.length, 7);
  });

  it('generates a tone of the frequency and length that was asked for', async () => {
    const [length, crossings] = (await page.evaluate(`(() => {
      const tone = tools.generateTestAudio(500, 1);
      let crossings = 0;
      for (let i = 1; i < tone.length; i += 1) if (tone[i - 1] < 0 && tone[i] >= 0) crossings += 1;
      return [tone.length, crossings];
    })()`)) as [number, number];
    assert.equal(length, 16_000);
    assert.ok(Math.abs(crossings - 500) <= 1, String(crossings));
  });

  it('runs a load of speech and reports percentiles and identical transcripts', async () => {
    const heardBefore = server.fake.audio.length;
    const report = (await page.evaluate('tools.runLoadTest(4, 2)')) as {
      completed: number;
      failures: unknown[];
      chunkMs: { count: number; p50: number; p95: number };
      finalMs: { count: number };
      distinctTranscripts: number;
    };
    assert.equal(report.completed, 4);
    assert.deepEqual(report.failures, []);
    assert.ok(report.chunkMs.count > 0 && report.chunkMs.p50 <= report.chunkMs.p95);
    assert.equal(report.finalMs.count, 4);
    assert.equal(report.distinctTranscripts, 1);
    const heard = Buffer.concat(server.fake.audio.slice(heardBefore).map((a) => a.bytes));
    assert.equal(heard.length, 4 * 2 * 32_000);
  });

  it('counts failures by their code when the server refuses', async () => {
    server.refusal = { status: 503, body: { code: 'AT_CAPACITY', error: 'Full.', retryable: true } };
    const report = (await page.evaluate('tools.runLoadTest(3, 1)')) as {
      completed: number;
      failures: unknown[];
    };
    server.refusal = null;
    assert.equal(report.completed, 0);
    assert.deepEqual(report.failures, [{ code: 'AT_CAPACITY', text: 'Full.', count: 3 }]);
    complaints.length = 0; // As above.
  });

  it('keeps the figures of a recording when the connection is tested after it', async () => {
    const samples = "tools.client.stats.chunkMs.count + ' ' + tools.client.sessionId";
    await page.evaluate('tools.streamSample()');
    const before = await page.evaluate(samples);
    await page.evaluate('tools.testConnection()');
    assert.equal(await page.evaluate(samples), before);
  });

  it('shows the messages of a session in its console, and hides resume tokens', async () => {
    await page.getByRole('button', { name: 'Stream the sample' }).click();
    await page.locator('.log-check', { hasText: TRANSCRIPT }).waitFor();
    const log = (await page.evaluate('tools.exportLog()')) as string;
    const entries = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; what: string });
    assert.ok(entries.some((e) => e.kind === 'out' && e.what === 'start_recording'));
    assert.ok(entries.some((e) => e.kind === 'in' && e.what === 'partial'));
    assert.doesNotMatch(log, /token-session/);
  });

  it('shows the partials of a segment as one line with the newest words, and logs all of them', async () => {
    const partials = page.locator('.log-row', { hasText: /^[^{]*partial/ });
    assert.equal(
      await page.evaluate("tools.log.clear(); document.querySelector('.log-empty').hidden"),
      false,
    );
    await page.evaluate('tools.streamSample()');
    assert.equal(await partials.count(), 1);
    const count = Number(/× (\d+)/.exec((await partials.locator('b').textContent()) ?? '')?.[1]);
    const logged = "tools.log.entries.filter(({ what }) => what === 'partial').length";
    assert.equal(count, await page.evaluate(logged));
    assert.ok(count > 5, String(count));
    const newest = (await page.evaluate(
      "tools.log.entries.filter(({ what }) => what === 'partial').at(-1).detail.text",
    )) as string;
    assert.ok((await partials.locator('.log-text').textContent())?.includes(newest.slice(0, 60)));
    await partials.locator('summary').click();
    assert.match((await partials.locator('pre').textContent()) ?? '', /in the\n[\s\S]*in the old\n/);
  });

  it('shows a warning as a warning, not as an error that would frighten', async () => {
    server.fake.onStart = {
      type: 'warning',
      warning: 'Unknown message type.',
      code: 'UNKNOWN_MESSAGE',
      retryable: false,
      timestamp: '',
    };
    await page.evaluate('tools.log.clear(); tools.streamSample()');
    server.fake.onStart = null;
    const kinds = await page.evaluate(
      "tools.log.entries.filter((e) => e.what === 'UNKNOWN_MESSAGE').map((e) => e.kind)",
    );
    assert.deepEqual(kinds, ['warning']);
    assert.equal(await page.evaluate("tools.log.entries.filter((e) => e.kind === 'error').length"), 0);
  });

  it('passes the page’s token on with everything it asks', async () => {
    const other = await browser.newPage();
    await other.goto(`${server.url}/static/debug.html?token=secret`);
    await other.waitForSelector('html[data-ready]');
    const from = server.asked.length;
    await other.evaluate('tools.testConnection()');
    const asked = server.asked.slice(from).filter((url) => url.startsWith('/ws/'));
    await other.close();
    assert.equal(asked.length, 2);
    assert.ok(
      asked.every((url) => new URL(url, server.url).searchParams.get('token') === 'secret'),
      asked.join(),
    );
  });

  it('filters the console by text', async () => {
    await page.getByLabel('Filter by text').fill('recording_stopped');
    const shown = await page.locator('.log-row b').allTextContents();
    assert.ok(shown.length > 0 && shown.every((what) => what === 'recording_stopped'), shown.join());
    await page.getByLabel('Filter by text').fill('no such message');
    assert.equal(await page.locator('.log-empty').textContent(), 'No entry matches the filter.');
    await page.getByLabel('Filter by text').fill('');
  });

  it('shows the figures of the session', async () => {
    await page.getByRole('tab', { name: 'Metrics' }).click();
    await page.locator('tr', { hasText: 'Round trip' }).locator('td', { hasText: /^\d/ }).first().waitFor();
    assert.match((await page.locator('.figures').textContent()) ?? '', /Dropped audio0 s/);
    const left = (selector: string) =>
      page.locator(selector).evaluate((node) => node.getBoundingClientRect().left);
    assert.ok((await left('.metrics .figures')) > (await left('.metrics table')) + 300, 'in two columns');
  });

  it('judges a tone and the microphone', async () => {
    await page.getByRole('tab', { name: 'Audio' }).click();
    await page.getByRole('button', { name: 'Show a tone' }).click();
    await page.locator('.findings .pass', { hasText: 'Level -15 dBFS' }).waitFor();
    await page.getByText('Start the microphone').click();
    await page.locator('.findings', { hasText: 'Sample rate 16000 Hz' }).waitFor();
    await page.getByText('Stop the microphone').click();
    await page.getByText('Start the microphone').waitFor();
  });

  it('runs all tests and shows their findings, and saves a report', async () => {
    await page.getByRole('tab', { name: 'Tests' }).click();
    await page.getByText('Run all tests').click();
    await page.getByText('Load test: 3 of 3 streams of 4 s completed').waitFor();
    assert.equal(await page.locator('.check h2.pass').count(), 4);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('Save report').click(),
    ]);
    const report = JSON.parse(await readFile(await download.path(), 'utf8')) as {
      results: unknown[];
      log: unknown[];
    };
    assert.ok(report.results.length >= 4 && report.log.length > 10);
  });

  it('moves between tabs with the arrow keys', async () => {
    await page.getByRole('tab', { name: 'Tests' }).focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.getByRole('tab', { name: 'Console' }).getAttribute('aria-selected'), 'true');
    assert.equal(await page.getByRole('tabpanel', { name: 'Console' }).isVisible(), true);
  });

  it('has no accessibility violation that axe knows, on any tab', async () => {
    for (const name of ['Console', 'Metrics', 'Audio', 'Tests']) {
      await page.getByRole('tab', { name }).click();
      assert.deepEqual(await violations(page), [], name);
    }
  });

  it('opens over any page and closes again', async () => {
    await page.goto(`${server.url}/static/index.html`);
    await page.waitForSelector('html[data-ready]');
    await page.evaluate(
      "import('./debug/tools.js').then(({ RNNTDebugTools }) => { new RNNTDebugTools().init(); })",
    );
    await page.getByRole('region', { name: 'Debug tools' }).getByText('Close').click();
    await page.locator('.rnnt-debug').waitFor({ state: 'detached' });
    assert.equal(await page.locator('.rnnt-debug').count(), 0);
  });

  it('load as a classic script, and everything can be called at once', async () => {
    const classic = await browser.newPage();
    const errors: string[] = [];
    classic.on('pageerror', (error) => errors.push(error.message));
    await classic.goto(`${server.url}/static/debug/debug.css`); // a page without a script of its own
    await classic.addScriptTag({ url: '/static/debug-tools.js' });
    await classic.evaluate(`
      window.debugTools = new RNNTDebugTools().init();
      window.tone = debugTools.generateTestAudio(440, 0.5);
      window.before = [debugTools.report().results.length, debugTools.exportLog()];
      window.checked = debugTools.testConnection();
      window.loaded = debugTools.runLoadTest(2, 1);
      0`);
    await classic.getByRole('region', { name: 'Debug tools' }).waitFor();
    assert.deepEqual(
      await classic.evaluate('checked.then(({ findings }) => findings.filter(({ ok }) => !ok))'),
      [],
    );
    assert.equal(await classic.evaluate('loaded.then(({ completed }) => completed)'), 2);
    assert.deepEqual(await classic.evaluate('before'), [0, '']);
    assert.equal(await classic.evaluate('debugTools.report().results.length'), 2);
    assert.match((await classic.evaluate('debugTools.exportLog()')) as string, /start_recording/);
    const sameTone = `import('/static/debug/test-audio.js').then(({ generateTestAudio }) =>
      generateTestAudio(440, 0.5).every((sample, i) => sample === tone[i]) && tone.length === 8000)`;
    assert.equal(await classic.evaluate(sameTone), true);
    await classic.evaluate('debugTools.destroy()');
    assert.equal(await classic.locator('.rnnt-debug').count(), 0);
    assert.deepEqual(errors, []);
    await classic.close();
  });
});
