/**
 * `npm run screenshots`: makes the pictures in docs/images, of the pages in Chromium with the embedded model. Needs the
 * same tools as the browser tests.
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

/** One of the pages, ready. */
async function open(name, viewport, colorScheme = 'light') {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(`${server.http}/static/${name}`);
  await page.waitForSelector('html[data-ready]');
  return page;
}

/** The transcriber with the sample in it. */
async function sample(viewport, colorScheme, until) {
  const page = await open('index.html', viewport, colorScheme);
  await page.click('#try-sample');
  await page.locator(...until).waitFor();
  return page;
}

async function save(page, name) {
  const path = join(FOLDER, `${name}.png`);
  await page.mouse.move(0, 0); // so that no button is shown as hovered
  await page.evaluate('document.fonts.ready.then(() => 0)');
  await page.screenshot({ path });
  console.log(`${path}: ${Math.round(statSync(path).size / 1024)} KB`);
}

const DONE = ['#state-text', { hasText: /^Done$/ }];
const SPEAKING = ['.partial .stable', { hasText: /.{20}/ }];
try {
  const light = await sample(LAPTOP, 'light', DONE);
  await save(light, 'transcriber');
  await light.click('#transcript .word >> nth=3');
  await light.locator('.word-editor').waitFor();
  await save(light, 'correct');
  await light.keyboard.press('Escape');
  await light.click('#tab-code');
  await light.locator('#code pre').first().waitFor();
  await save(light, 'code');
  await save(await sample(LAPTOP, 'dark', DONE), 'transcriber-dark');

  await save(await sample(PHONE, 'light', SPEAKING), 'transcriber-phone');

  // These pages show only what happens after they were opened, so they are captured during speech.
  const status = await open('status.html', LAPTOP);
  const inspect = await open('inspect.html', LAPTOP);
  await sample(LAPTOP, 'light', DONE);
  await sample(LAPTOP, 'light', SPEAKING);
  await inspect.locator('#active li', { hasText: 'recording' }).waitFor();
  await save(inspect, 'inspect');
  await save(status, 'status');
} finally {
  await browser.close();
  await server.stop();
}
