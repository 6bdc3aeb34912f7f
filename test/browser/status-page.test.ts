import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type FakeHttpServer, startFakeHttpServer } from '../helpers/fake-http-server.js';

const percentiles = { p50: 12.3, p95: 45.6, p99: 78.9 };
const STATUS = {
  status: 'ready',
  uptime_s: 3_725,
  version: '0.1.0',
  model: { name: 'tiny', version: '1' },
  connections: 3,
  sessions: { idle: 1, recording: 2, flushing: 0, closed: 0, attached: 3, detached: 0 },
  admitted: 3,
  capacity: 50,
  batch_size: { mean: 1.5, p50: 1, p95: 2, max: 2, histogram: { '1': 10, '2': 10 } },
  latency_ms: { chunk: percentiles, step: percentiles, final: percentiles },
  audio_seconds_processed: 61,
  dropped_partials: 0,
  lanes: [{ id: 0, provider: 'cpu', state: 'ready', steps: 1_234, busy_ratio: 0.25 }],
  memory: { rss_mb: 300, heap_mb: 30, slab_mb: 100 },
  event_loop_delay_ms: { p50: 1, p99: 9, max: 12 },
  uploads: { active: 1, waiting: 2 },
  totals: { connections: 5, recordings: 7, segments: 11, refused: 2, errors: 1 },
};

describe('the status page', { skip: skipWithoutChromium, timeout: 60_000 }, () => {
  let browser: Browser;
  let server: FakeHttpServer;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    server = await startFakeHttpServer();
    server.status = () => STATUS;
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
    await page.goto(`${server.url}/static/status.html`);
    await page.waitForSelector('html[data-ready]');
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it('shows state, capacity left, totals and lanes', async () => {
    assert.equal(await page.textContent('#state-text'), 'Ready');
    assert.equal(await page.textContent('#left'), '47');
    assert.equal(await page.getAttribute('#capacity', 'aria-valuenow'), '3');
    assert.match((await page.textContent('#about')) ?? '', /tiny 1 · version 0\.1\.0 · up 1 h 2 min/);
    assert.match((await page.textContent('#totals')) ?? '', /Refused2/);
    assert.match((await page.textContent('#lanes')) ?? '', /cpuready1,23425%/);
    assert.equal(await page.locator('#histogram li').count(), 2);
  });

  it('draws a chart of each figure and says its newest values in text', async () => {
    assert.equal(await page.locator('.chart canvas').count(), 9);
    const leading = await page.locator('.chart h2').allTextContents();
    assert.deepEqual(leading.slice(0, 2), ['Streams', 'Chunk latency']);
    assert.equal(await page.isVisible('#more'), false);
    await page.click('.more-charts summary');
    await page.locator('#more .chart').first().waitFor();
    const labels = await page.locator('.chart-canvas').evaluateAll((nodes) => nodes.map((n) => n.ariaLabel));
    assert.ok(labels.includes('Chunk latency: now p50 12.3 ms, p95 45.6 ms, p99 78.9 ms'), labels.join('\n'));
  });

  it('says so where a chart has nothing to show', async () => {
    const empty = page.locator('.chart', { has: page.locator('.chart-empty:visible') });
    assert.deepEqual(await empty.locator('h2').allTextContents(), ['Work done']);
  });

  it('has no accessibility violation that axe knows', async () => {
    assert.deepEqual(await violations(page), []);
  });

  it('fits a phone without scrolling sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    // By the debugger, since the page's Content-Security-Policy lets no string be run.
    while (!(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'))) {
      await page.evaluate('new Promise(requestAnimationFrame)');
    }
    assert.deepEqual(complaints, []);
  });

  it('says when nobody answers', async () => {
    server.refusal = { status: 500, body: {} };
    await page.locator('#state-text', { hasText: 'No answer' }).waitFor();
    assert.equal(await page.getAttribute('#state', 'data-state'), 'failed');
    assert.match((await page.textContent('#age')) ?? '', /last figures/);
    server.refusal = null;
    await page.locator('#state-text', { hasText: 'Ready' }).waitFor();
    assert.equal(await page.textContent('#age'), '');
  });

  it('goes on through a restart, while the server has no model yet', async () => {
    server.status = () => ({ ...STATUS, status: 'starting', model: null, capacity: 0, lanes: [] });
    await page.locator('#about', { hasText: 'Model is loading · version 0.1.0' }).waitFor();
    assert.equal(await page.textContent('#state-text'), 'Starting');
    server.status = () => STATUS;
    await page.locator('#about', { hasText: 'tiny 1 · version 0.1.0' }).waitFor();
    assert.equal(await page.textContent('#state-text'), 'Ready');
    assert.ok(!complaints.some((text) => !/500/.test(text)), complaints.join());
  });
});
