import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inPackage, packageRoot } from '../../src/paths.js';
import { configSchema } from '../../src/protocol/parse.js';
import { CONFIG_MEANINGS, documents, readDocument, withFreshBlocks } from './blocks.js';

describe('generated parts of the documents', () => {
  for (const path of documents()) {
    it(`are fresh in ${path} (else: npm run docs)`, () => {
      const text = readDocument(path);
      assert.equal(text, withFreshBlocks(text));
    });
  }

  it('stand where people look for them', () => {
    const places = {
      'README.md': ['options'],
      'docs/WEBSOCKET_API.md': ['errors', 'recording-config', 'limits'],
      'docs/DEPLOYMENT.md': ['metrics'],
    };
    for (const [path, names] of Object.entries(places))
      for (const name of names)
        assert.ok(readDocument(path).includes(`<!-- generated: ${name} -->\n|`), `${path}: ${name}`);
  });
});

test('every setting of a recording has a meaning, and no other', () => {
  assert.deepEqual(Object.keys(CONFIG_MEANINGS).sort(), Object.keys(configSchema.shape).sort());
});

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
  for (const { name, licence, dev } of notices.lockedPackages(packageRoot))
    if (!dev) assert.match(licence, allowed, `${name}: ${licence}`);
});
