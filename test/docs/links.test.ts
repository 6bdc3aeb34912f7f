import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { documents, readDocument } from './blocks.js';

const { scripts } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { scripts: object };

/** A heading as the fragment of a link, as GitHub makes it. */
const fragment = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

const fragments = (markdown: string): string[] =>
  [...markdown.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.*)$/gm)].map((match) => fragment(match[1]!));

describe('pages and source files that the documents name', () => {
  for (const path of documents()) {
    it(`in ${path} exist`, () => {
      const text = readDocument(path);
      for (const [, page = ''] of text.matchAll(/[`/](static\/[\w/-]+\.(?:html|js|wav))\b/g))
        assert.ok(existsSync(inPackage(page)), page);
      for (const [, file = ''] of text.matchAll(
        /`((?:src|test|machines|workers|scripts|deploy|examples)\/[\w./-]+\.\w+)`/g,
      ))
        assert.ok(existsSync(inPackage(file)), file);
      for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?([a-z]+)/g))
        assert.ok(script in scripts, `npm run ${script}`);
    });
  }
});

describe('links between the documents', () => {
  for (const path of documents()) {
    it(`of ${path} lead somewhere`, () => {
      const text = readDocument(path);
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [file = '', anchor] = target.split('#');
        const to = file === '' ? inPackage(path) : join(dirname(inPackage(path)), file);
        assert.ok(existsSync(to), `${target} is not there`);
        if (anchor !== undefined) {
          assert.ok(fragments(readFileSync(to, 'utf8')).includes(anchor), `${target} has no such heading`);
        }
      }
    });
  }
});
