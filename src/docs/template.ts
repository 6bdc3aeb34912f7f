/** The pages of `/docs/`: the site's own header, a menu, the document and its contents. */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { inPackage } from '../paths.js';
import { escapeHtml, type Heading, type Rendered } from './markdown.js';
import { type DocPage, SECTIONS } from './pages.js';

/** The header of the other pages, with addresses relative to `/docs/`. */
export function siteHeader(page = readFileSync(inPackage('static', 'status.html'), 'utf8')): string {
  const header = /<header class="site-header">[\s\S]*?<\/header>/.exec(page)?.[0] ?? '';
  return header
    .replace(/ aria-current="page"/g, '')
    .replace(/\b(href|src)="([^":#]+)"/g, (_all, attribute: string, address: string) => {
      const target = posix.join('../static', address);
      const here = attribute === 'href' && /^\.\.\/docs\/?$/.test(target) ? ' aria-current="page"' : '';
      return `${attribute}="${target}"${here}`;
    });
}

function menu(pages: readonly DocPage[], current: string): string {
  const link = ({ name, title }: DocPage): string =>
    `<li><a href="${name}"${name === current ? ' aria-current="page"' : ''}>${escapeHtml(title)}</a></li>`;
  return SECTIONS.map((section) => {
    const items = pages.filter((page) => page.section === section).map(link);
    return items.length === 0 ? '' : `<p class="docs-section">${section}</p>\n<ul>${items.join('\n')}</ul>`;
  }).join('\n');
}

/** Deeper headings are not in the list of contents. */
const DEEPEST_LISTED = 3;

function contents(headings: readonly Heading[]): string {
  const items = headings
    .filter(({ level }) => level <= DEEPEST_LISTED)
    .map(({ level, text, id }) => `<li class="level-${level}"><a href="#${id}">${text}</a></li>`);
  return items.length === 0 ? '' : `<ul>${items.join('\n')}</ul>`;
}

/** A list beside the document if there is room, and one that unfolds above it on a phone. */
function twice(id: string, label: string, list: string, heading = label): { beside: string; above: string } {
  if (list === '') return { beside: '', above: '' };
  return {
    beside: `<nav class="docs-beside" id="${id}" aria-label="${label}"><p class="docs-section">${heading}</p>${list}</nav>`,
    above: `<details class="docs-above"><summary>${label}</summary><nav aria-label="${label}">${list}</nav></details>`,
  };
}

export interface Shown {
  /** In the address. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
}

export function pageHtml(
  header: string,
  pages: readonly DocPage[],
  { name, title, about }: Shown,
  { html, headings }: Rendered,
): string {
  const all = twice('docs-menu', 'All documents', menu(pages, name), '<a href="./">All documents</a>');
  const here = twice('docs-contents', 'On this page', contents(headings));
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
  <meta name="color-scheme" content="light dark">
  <meta name="description" content="${escapeHtml(about)}">
  <title>${escapeHtml(title)} · rnnt-server</title>
  <link rel="icon" href="../static/icon.svg" type="image/svg+xml">
  <link rel="alternate" href="${name}.md" type="text/markdown">
  <link rel="preload" href="../vendor/source-sans/source-sans-3-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
  <link rel="stylesheet" href="../static/styles.css">
  <link rel="stylesheet" href="../static/docs/docs.css">
  <script type="module" src="../static/site.js"></script>
  <script type="module" src="../static/docs/docs.js"></script>
</head>
<body class="docs-page">
  <a class="skip-link" href="#document">Skip to the document</a>
  ${header}
  <div class="docs">
${all.beside}
<main id="document" tabindex="-1">
${all.above}
${here.above}
<p class="docs-tools hint"><a href="${name}.md">This page as Markdown</a></p>
<article class="prose">
${html}</article>
</main>
${here.beside}
  </div>
</body>
</html>
`;
}
