import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { inPackage } from '../../src/paths.js';

test('RNNTRecorder.jsx builds for the browser, and React renders it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rnnt-react-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const common = { bundle: true, format: 'esm', jsx: 'automatic', logLevel: 'silent' } as const;
  const entry = inPackage('examples', 'react', 'RNNTRecorder.jsx');

  const browser = await build({
    ...common,
    entryPoints: [entry],
    platform: 'browser',
    write: false,
    minify: true,
  });
  assert.deepEqual(browser.warnings, []);
  assert.ok(browser.outputFiles[0]!.text.includes('start_recording'), 'the client library is in the bundle');

  const page = join(folder, 'page.mjs');
  const renderPage = `
    import { renderToStaticMarkup } from 'react-dom/server';
    import { RNNTRecorder } from ${JSON.stringify(entry)};
    export const html = renderToStaticMarkup(<RNNTRecorder url="ws://localhost:8000/ws/transcribe" />);`;
  await build({
    ...common,
    stdin: { contents: renderPage, loader: 'jsx', resolveDir: inPackage() },
    platform: 'node',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile: page,
  });
  const { html } = (await import(pathToFileURL(page).href)) as { html: string };
  assert.match(html, /<button type="button" aria-pressed="false">Speak<\/button>/);
});
