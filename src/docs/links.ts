/** Resolves the links of documents when they are pages of the server. All addresses are relative to `/docs/`. */
import { posix } from 'node:path';
import type { DocPage } from './pages.js';

export type Target =
  /** Another page, or a section of one. */
  | { readonly kind: 'page'; readonly name: string; readonly fragment: string }
  /** A file that the server serves, or a section of the same page. */
  | { readonly kind: 'address'; readonly href: string }
  | { readonly kind: 'elsewhere'; readonly href: string }
  /** A file of the repository that is not served. */
  | { readonly kind: 'file'; readonly path: string };

/** Folders that are served, and their addresses. */
const SERVED: readonly (readonly [folder: string, at: string])[] = [
  ['docs/images/', 'images/'],
  ['static/', '../static/'],
  ['examples/', '../examples/'],
];
const FILES_AT: Readonly<Record<string, string>> = {
  'asyncapi.json': '../asyncapi.json',
  'docs/asyncapi.json': '../asyncapi.json',
  'docs/openapi.json': 'openapi.json',
  'llms.txt': '../llms.txt',
};

/** Other schemes (`javascript:`, `data:`) are dropped. */
const OUTSIDE = /^(?:https?|wss?|mailto):/i;
const SCHEME = /^[a-z][a-z\d+.-]*:/i;

/**
 * @param from path of the document's file, from the package's root
 * @param href as written in the document
 */
export function targetOf(from: string, href: string, pages: readonly DocPage[]): Target {
  if (OUTSIDE.test(href)) return { kind: 'elsewhere', href };
  if (href.startsWith('#')) return { kind: 'address', href };
  const at = href.indexOf('#');
  const [file, fragment] = at < 0 ? [href, ''] : [href.slice(0, at), href.slice(at)];
  if (SCHEME.test(href) || href.startsWith('/')) return { kind: 'file', path: file };
  const path = posix.join(posix.dirname(from), file);
  const page = pages.find((it) => it.path === path || `docs/${it.name}.md` === path);
  if (page !== undefined) return { kind: 'page', name: page.name, fragment };
  const known = FILES_AT[path];
  if (known !== undefined) return { kind: 'address', href: known };
  const served = SERVED.find(([folder]) => path.startsWith(folder) || `${path}/` === folder);
  if (served === undefined || path.startsWith('..')) return { kind: 'file', path };
  const [folder, address] = served;
  return { kind: 'address', href: `${address}${path.slice(folder.length)}${fragment}` };
}

/** Code blocks and spans, which stay unchanged, or the target of a link or picture. */
const CODE_OR_TARGET =
  /^(?:```|~~~)[\s\S]*?^(?:```|~~~)|(`+)[^`][\s\S]*?\1|\]\(([^()\s]+)((?:\s"[^"]*")?)\)/gm;

/** The document with links that work from `/docs/`; links to other pages lead to their Markdown. */
export function withServedLinks(markdown: string, from: string, pages: readonly DocPage[]): string {
  return markdown.replace(
    CODE_OR_TARGET,
    (all: string, _ticks: string | undefined, href: string | undefined, title: string | undefined) => {
      if (href === undefined) return all;
      const target = targetOf(from, href, pages);
      if (target.kind === 'file') return all;
      const address = target.kind === 'page' ? `${target.name}.md${target.fragment}` : target.href;
      return `](${address}${title ?? ''})`;
    },
  );
}
