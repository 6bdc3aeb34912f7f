import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, skipWithoutChromium, violations } from '../helpers/browser.js';
import { type FakeHttpServer, startFakeHttpServer } from '../helpers/fake-http-server.js';
import { fleetOf, statusAnswer } from '../helpers/status-answer.js';

const STATUS = statusAnswer();

describe('the status page', { skip: skipWithoutChromium, timeout: 400_000 }, () => {
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

  it('lists the nodes of a fleet, whatever is known of them, and says when their store is away', async () => {
    assert.equal(await page.isVisible('#fleet'), false, 'there is none');
    server.status = () => ({ ...STATUS, cluster: fleetOf(3) });
    await page.locator('#nodes tr').nth(2).waitFor();
    assert.equal(await page.textContent('#fleet-title'), 'Fleet: speech');
    assert.equal(await page.textContent('#fleet-text'), '3 nodes, 11 of 100 streams in use.');
    const rows = await page.locator('#nodes tr').allTextContents();
    assert.ok(
      rows.some((text) => /^node-1.*draining10 of 501 h 2 mintiny0\.1\.0$/.test(text)),
      rows.join('\n'),
    );
    assert.ok(rows.includes('node-2––1 of ––––'), rows.join('\n'));
    assert.match(rows[0] ?? '', /^node-0 \(this server\)/);
    assert.equal(await page.isVisible('#fleet-away'), false);
    const hidden = fleetOf(2).nodes.map((node) => ({ ...node, address: null }));
    server.status = () => ({ ...STATUS, cluster: { ...fleetOf(2), nodes: hidden } });
    await page.locator('th', { hasText: 'Address' }).waitFor({ state: 'hidden' });
    server.status = () => ({ ...STATUS, cluster: { available: false } });
    await page.locator('#fleet-away').waitFor();
    assert.equal(await page.textContent('#fleet-text'), 'No known nodes.');
    server.status = () => STATUS;
    await page.locator('#fleet').waitFor({ state: 'hidden' });
  });

  it('gives a chart with one point a minute of time, and ticks that are not clipped', async () => {
    const range = await page.evaluate(async () => {
      const path = '/static/status/chart.js';
      const { timeRange } = (await import(path)) as typeof import('#static/status/chart.js');
      return [timeRange(1_000, 1_000), timeRange(900, 1_000), timeRange(null, null)[1] > 1.7e9];
    });
    assert.deepEqual(range, [[940, 1_000], [900, 1_000], true]);
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
