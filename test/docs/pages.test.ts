/** The documents as pages: nothing is missing, every link leads somewhere, and nothing of a document is taken as HTML. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, it, test } from 'node:test';
import { apiPage } from '../../src/docs/api-page.js';
import { DocsLibrary } from '../../src/docs/library.js';
import { targetOf } from '../../src/docs/links.js';
import { renderMarkdown } from '../../src/docs/markdown.js';
import type { GeneratedPage } from '../../src/docs/pages.js';
import { socketPage } from '../../src/docs/socket-page.js';
import { siteHeader } from '../../src/docs/template.js';
import { inPackage } from '../../src/paths.js';
import { openApi } from '../../src/server/openapi.js';
import { documents } from './blocks.js';

const made: GeneratedPage = {
  name: 'made',
  title: 'Made',
  about: 'From the code',
  section: 'Reference',
  markdown: () => '# Made\n\nSee [the API](WEBSOCKET_API.md#errors-and-warnings).\n',
};
const library = new DocsLibrary([made, apiPage(openApi), socketPage]);
const names = ['index', ...library.pages.map(({ name }) => name)];
const htmls = new Map(names.map((name) => [name, library.html(name)]));
const htmlOf = (name: string): string => htmls.get(name) ?? '';

/** Served beside the documents, as addresses from `/docs/`. */
const SERVED = [
  './',
  '../llms.txt',
  '../asyncapi.json',
  'openapi.json',
  '../examples/',
  '../docs/',
  '../compare',
  '../vendor/source-sans/source-sans-3-latin-wght-normal.woff2',
];

function leadsSomewhere(href: string): boolean {
  if (/^(?:https?|wss?|mailto):/.test(href)) return true;
  const [address = '', fragment] = href.split('#');
  if (fragment !== undefined && address === '') return true; // looked at with the page's own headings
  const file = address.startsWith('images/') ? `docs/${address}` : address.replace(/^\.\.\//, '');
  if (/^(?:\.\.\/(?:static|examples)\/.|images\/)/.test(address)) return existsSync(inPackage(file));
  if (SERVED.includes(address)) return true;
  const name = address.replace(/\.md$/, '');
  if (!names.includes(name)) return false;
  return fragment === undefined || htmlOf(name).includes(` id="${fragment}"`);
}

test('every document of the repository is a page, once', () => {
  const paths = library.pages.flatMap(({ path }) => (path === null ? [] : [path]));
  for (const path of documents()) assert.ok(paths.includes(path), path);
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
});

describe('the page of', () => {
  for (const name of names) {
    it(`${name} has a title, and links that lead somewhere`, () => {
      const html = htmlOf(name);
      assert.match(html, /<h1 id="/);
      const hrefs = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, href = '']) => href);
      assert.ok(hrefs.length > 20);
      for (const href of hrefs) {
        assert.ok(leadsSomewhere(href), href);
        if (href.startsWith('#')) assert.ok(html.includes(` id="${href.slice(1)}"`), href);
      }
    });

    it(`${name} as Markdown has links that lead somewhere`, () => {
      const text = library.markdown(name).replace(/^```[\s\S]*?^```|`[^`\n]+`/gm, '');
      for (const [, href = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const page = library.pages.find((it) => it.name === name);
        const isInRepository = existsSync(inPackage(posix.join(posix.dirname(page?.path ?? ''), href)));
        assert.ok(isInRepository || leadsSomewhere(href), href);
      }
    });
  }
});

test('a link from a document in another folder finds its page', () => {
  const html = renderMarkdown(
    '[a](../docs/MODELS.md#x) [b](simple-client.html)',
    'examples/README.md',
    library.pages,
  ).html;
  assert.match(html, /href="MODELS#x"/);
  assert.match(html, /href="\.\.\/examples\/simple-client\.html"/);
});

test('what is not served is no link, and says where it lies', () => {
  const { html } = renderMarkdown('[a](training/EXPERIMENTS.md)', 'README.md', library.pages);
  assert.match(html, /<span class="file" title="In the repository: training\/EXPERIMENTS\.md">a<\/span>/);
});

test('a table without headings has none that are empty', () => {
  const { html } = renderMarkdown('| | |\n|---|---|\n| a | b |', 'README.md', []);
  assert.doesNotMatch(html, /<th[ >]/);
});

test('nothing of a document is taken as HTML', () => {
  const evil = [
    '# <img src=x onerror=alert(1)>',
    'a <script>alert(1)</script> b',
    '<div onclick="alert(1)">c</div>',
    '[d](javascript:alert(1)) [e](data:text/html,x) ![f](https://elsewhere.example/x.png) [g](http://x/"onx=")',
    '```"><script>\n</code><script>\n```',
    '| <b>h</b> |\n|---|\n| <i>i</i> |',
    '<!-- a note -->',
  ].join('\n\n');
  const { html, headings } = renderMarkdown(`${evil}\n\n## <b>j</b>`, 'README.md', library.pages);
  const tags = [...html.matchAll(/<\/?([a-z\d]+)/g)].map(([, tag = '']) => tag);
  const known = 'h1 h2 p div pre code table thead tbody tr th td a span'.split(' ');
  assert.deepEqual(
    [...new Set(tags)].filter((tag) => !known.includes(tag)),
    [],
  );
  assert.doesNotMatch(html, /href="(?:javascript|data):|src="|a note|<[^>]*\son\w+=/);
  assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.doesNotMatch(headings[0]?.text ?? '', /<b>/);
});

test('a path that leads out of the repository is no address', () => {
  assert.equal(targetOf('README.md', '../../etc/passwd', library.pages).kind, 'file');
  assert.equal(targetOf('docs/MODELS.md', '/static/../x', library.pages).kind, 'file');
});

test('headings of one name have fragments of their own, as on GitHub', () => {
  const { headings } = renderMarkdown('## `a` & b: c\n\n## A  b c\n\n## A  b c', 'README.md', []);
  assert.deepEqual(
    headings.map(({ id }) => id),
    ['a--b-c', 'a--b-c-1', 'a--b-c-2'],
  );
});

test('llms.txt has a title, a summary and every page with one line about it', () => {
  const text = library.llmsTxt();
  assert.match(text, /^# rnnt-server\n\n> A real-time .+\.\n\n## /);
  const listed = [...text.matchAll(/^- \[(.+)\]\(docs\/(\w+)\.md\): (.+)$/gm)];
  assert.deepEqual(listed.map(([, , name]) => name).sort(), names.filter((it) => it !== 'index').sort());
  for (const [, , name, about = ''] of listed) assert.ok(about.length > 8 && about.length < 170, name);
});

test('pages have the header of the other pages, with the way to it from /docs/', () => {
  const header = siteHeader(
    '<header class="site-header"><a href="index.html" aria-current="page">T</a><a href="../docs/">D</a><img src="icon.svg"></header>',
  );
  assert.match(header, /<a href="\.\.\/static\/index\.html">T<\/a>/);
  assert.match(header, /<a href="\.\.\/docs\/" aria-current="page">D<\/a>/);
  assert.match(header, /<img src="\.\.\/static\/icon\.svg">/);
  assert.match(siteHeader(), /<nav/);
});
