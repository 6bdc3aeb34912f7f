import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { slabLayout } from '../../src/inference/layout.js';
import { inPackage, packageRoot } from '../../src/paths.js';
import { CONFIG_MEANINGS } from '../../src/protocol/meanings.js';
import { configSchema } from '../../src/protocol/parse.js';
import { openApi } from '../../src/server/openapi.js';
import { fakeManifest } from '../helpers/fake-model.js';
import { documents, readDocument, withFreshBlocks } from './blocks.js';

describe('generated parts of the documents', () => {
  for (const path of documents()) {
    it(`are fresh in ${path} (else: npm run docs)`, () => {
      const text = readDocument(path);
      assert.equal(text, withFreshBlocks(text));
    });
  }

  it('stand where people look for them', () => {
    const places = {
      'docs/CONFIGURATION.md': ['options'],
      'docs/WEBSOCKET_API.md': ['errors', 'recording-config', 'limits'],
      'docs/DEPLOYMENT.md': ['metrics'],
    };
    for (const [path, names] of Object.entries(places))
      for (const name of names)
        assert.ok(readDocument(path).includes(`<!-- generated: ${name} -->\n|`), `${path}: ${name}`);
  });
});

test('the drawing of the slab names every part of it', () => {
  const drawing = /<!-- generated: slab -->\n([\s\S]*?)<!-- end -->/.exec(
    readDocument('docs/ARCHITECTURE.md'),
  )?.[1];
  const layout = slabLayout(fakeManifest(), 1, 1);
  const areas = Object.keys(layout).flatMap((key) => /^(\w+)At$/.exec(key)?.[1] ?? []);
  assert.ok(areas.length >= 5);
  for (const part of [...areas, ...Object.keys(layout.result)]) {
    if (part === 'previewLogp') continue; // a part of the preview
    assert.ok(drawing?.includes(part), part);
  }
});

test('the table of libraries names what package.json has, and nothing else', () => {
  const { dependencies, optionalDependencies, devDependencies } = readManifest('package.json');
  const tools = readManifest('test/tools/package.json').devDependencies;
  const had = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies, ...tools });
  const section = readDocument('docs/ARCHITECTURE.md').split('## Libraries')[1]?.split('## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => /^\| (?!library)\S/.test(line));
  const named = rows.flatMap((line) => line.split('|')[1]?.trim().split(', ') ?? []);
  assert.deepEqual(named.sort(), had.filter((name) => !name.startsWith('@types/')).sort());
});

test('what the embedded model is, is said in the same words everywhere', () => {
  const words =
    "The embedded model is a streaming phone transducer made from Vosk's small network (LF-MMI, no blanks, no learned " +
    'predictor) with a lexicon and trigram search inside the step';
  const documents = [
    'README.md',
    'docs/MODELS.md',
    'docs/ARCHITECTURE.md',
    'training/README.md',
    'THIRD_PARTY_NOTICES.md',
  ];
  for (const path of documents)
    assert.ok(readFileSync(inPackage(path), 'utf8').replace(/\s+/g, ' ').includes(words), path);
  assert.ok(openApi().info.description.includes(words));
  const { description } = readManifest('package.json');
  assert.match(description ?? '', /phone transducer made from Vosk's small network/);
});

test('the size of the embedded model is one number everywhere, that of the file', () => {
  const { size } = statSync(inPackage('models', 'en-tiny-streaming', 'model.onnx'));
  const said = `${(size / 1e6).toFixed(1)} MB`;
  const places = {
    'README.md': /\| embedded model \|.*?([\d.]+ MB)/,
    'CHANGELOG.md': /`en-tiny-streaming`.*?([\d.]+ MB)/,
    'docs/RELEASING.md': /The graph is ([\d.]+ MB)/,
    'models/en-tiny-streaming/MODEL_CARD.md': /([\d.]+ MB) on disk/,
  };
  for (const [path, pattern] of Object.entries(places))
    assert.equal(pattern.exec(readFileSync(inPackage(path), 'utf8').replace(/\s+/g, ' '))?.[1], said, path);
});

test('every setting of a recording has a meaning, and no other', () => {
  assert.deepEqual(Object.keys(CONFIG_MEANINGS).sort(), Object.keys(configSchema.shape).sort());
});

type Names = Record<string, string>;
const readManifest = (path: string) =>
  JSON.parse(readFileSync(inPackage(path), 'utf8')) as {
    description?: string;
    dependencies?: Names;
    optionalDependencies?: Names;
    devDependencies?: Names;
  };

interface Notices {
  renderNotices(root: string): string;
  lockedPackages(root: string): { name: string; licence: string; dev: boolean }[];
}
const notices = (await import(pathToFileURL(inPackage('scripts', 'notices.mjs')).href)) as Notices;

test('THIRD_PARTY_NOTICES.md is fresh (else: npm run docs)', () => {
  const written = readFileSync(inPackage('THIRD_PARTY_NOTICES.md'), 'utf8');
  assert.equal(written, notices.renderNotices(packageRoot));
});

test('everything that runs with the server has a licence that allows it', () => {
  const allowed =
    /^\(?(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0|CC0-1\.0|Python-2\.0|MPL-2\.0)( (OR|AND) [\w.-]+)*\)?$/;
  // The lesser GPL lets any program use the library as a package of its own: Vorbis's decoder brings this one.
  const lesser: Names = { 'codec-parser': 'LGPL-3.0-or-later' };
  // Made for fonts: they may be shipped with any program, unchanged under their name.
  const fonts: Names = { '@fontsource-variable/source-sans-3': 'OFL-1.1' };
  for (const { name, licence, dev } of notices.lockedPackages(packageRoot))
    if (!dev && (lesser[name] ?? fonts[name]) !== licence)
      assert.match(licence, allowed, `${name}: ${licence}`);
});
