import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const UNTIL_MS = 60_000;
const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** For node:test's `skip`: false where the browser tests can run, the reason where they cannot. */
export const skipWithoutChromium: string | false = existsSync(CHROMIUM)
  ? false
  : `no Chromium at ${CHROMIUM}: install Debian's chromium or set CHROMIUM_PATH`;

/** Headless Chromium whose microphone plays the bundled sample, with permission granted. */
export function launchChromium(microphoneWav = join(process.cwd(), 'static/sample.wav')): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${microphoneWav}`,
    ],
  });
}

/** Problems of the page according to axe-core, one line each. WCAG 2.2 A and AA, and best practices. */
export async function violations(page: Page): Promise<string[]> {
  const axe = await readFile(join(process.cwd(), 'node_modules/axe-core/axe.min.js'), 'utf8');
  // Through the debugger, not a script element, so that the page's Content-Security-Policy stays in force.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run();
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html} ${n.failureSummary ?? ''}`));
  });
}

/**
 * Waits for a condition of the page, by the debugger: a Content-Security-Policy lets no string be run. Playwright's
 * `waitForFunction` with a string fails there from its second look on.
 */
export async function until(page: Page, holds: string): Promise<void> {
  const lastMs = performance.now() + UNTIL_MS;
  while (!(await page.evaluate(holds))) {
    assert.ok(performance.now() < lastMs, `not within ${UNTIL_MS} ms: ${holds}`);
    await page.evaluate('new Promise(requestAnimationFrame)');
  }
}

/**
 * From now on the page's `seen` has everything that an element says, however shortly.
 * @param what a property of the element, such as `textContent` or `dataset.state`
 */
export async function watchElement(page: Page, id: string, what: string): Promise<void> {
  await page.evaluate(`{
    globalThis.seen = [];
    const it = document.getElementById('${id}');
    new MutationObserver(() => seen.push(it.${what})).observe(it, { attributes: true, childList: true });
  }`);
}

/** Window sizes and colour schemes of the checks: a laptop, a phone, the narrowest phone. */
const LOOKS = [
  [1280, 800, 'light'],
  [1280, 800, 'dark'],
  [390, 844, 'light'],
  [390, 844, 'dark'],
  [320, 700, 'light'],
] as const;

/**
 * Problems of the page in any of them: wider than its window, or not accessible.
 * @param shots folder for a screenshot of each, by this name
 */
export async function lookAt(page: Page, shots?: string): Promise<string[]> {
  const found: string[] = [];
  for (const [width, height, colorScheme] of LOOKS) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    const look = `${width} px, ${colorScheme}`;
    const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
    if (overflow > 0) found.push(`${look}: ${overflow} px too wide`);
    found.push(...(await violations(page)).map((text) => `${look}: ${text}`));
    if (shots !== undefined) await page.screenshot({ path: `${shots}-${width}-${colorScheme}.png` });
  }
  return found;
}
