/**
 * `npm run screenshots`: the pictures of docs/images, of the pages in Chromium with the embedded model behind them.
 * Needs what the browser tests need.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
const helpers = new URL('../dist/test/helpers/', import.meta.url);
const { launchChromium } = await import(new URL('browser.js', helpers).href);
const { startLiveServer } = await import(new URL('live-server.js', helpers).href);

const FOLDER = 'docs/images';
const LAPTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const server = await startLiveServer();
const browser = await launchChromium();
mkdirSync(FOLDER, { recursive: true });

/** The transcriber with the sample in it. */
async function sample(viewport, colorScheme, until) {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(`${server.http}/static/index.html`);
  await page.waitForSelector('html[data-ready]');
  await page.click('#try-sample');
  await page.locator(...until).waitFor();
  return page;
}

async function save(page, name) {
  const path = join(FOLDER, `${name}.png`);
  await page.screenshot({ path });
  console.log(`${path}: ${Math.round(statSync(path).size / 1024)} KB`);
}

const DONE = ['#state-text', { hasText: /^Done$/ }];
try {
  const light = await sample(LAPTOP, 'light', DONE);
  await save(light, 'transcriber');
  await light.click('#tab-code');
  await save(light, 'code');
  await save(await sample(LAPTOP, 'dark', DONE), 'transcriber-dark');
  await save(await sample(PHONE, 'light', ['.partial .stable', { hasText: /.{20}/ }]), 'transcriber-phone');
} finally {
  await browser.close();
  await server.stop();
}
