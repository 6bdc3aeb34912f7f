/**
 * Markdown as HTML. The documents are the server's own, but nothing in them is treated as HTML: tags are shown as text,
 * comments are removed, and links are limited to known schemes.
 */
import { Marked, Renderer, type Tokens } from 'marked';
import { type Target, targetOf } from './links.js';
import type { DocPage } from './pages.js';

export interface Heading {
  readonly level: number;
  /** HTML. */
  readonly text: string;
  readonly id: string;
}

export interface Rendered {
  readonly html: string;
  /** Without the page's own title. */
  readonly headings: readonly Heading[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (it) => ENTITIES[it] ?? it);

const withoutTags = (html: string): string => html.replace(/<[^>]*>/g, '');
const unescaped = (html: string): string =>
  html.replace(/&(?:amp|lt|gt|quot|#39);/g, (it) => {
    const found = Object.entries(ENTITIES).find(([, entity]) => entity === it);
    return found?.[0] ?? it;
  });

/**
 * The fragment of a heading, in GitHub's form.
 * @param html of the heading
 */
const slugOf = (html: string): string =>
  unescaped(withoutTags(html))
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

/** Tables and code wider than the page scroll within their box, also by keyboard. */
const scrolling = (inner: string, what: string): string =>
  `<div class="wide" tabindex="0" role="group" aria-label="${what}">${inner}</div>\n`;

class PageRenderer extends Renderer {
  readonly headings: Heading[] = [];
  private readonly slugs = new Map<string, number>();
  private readonly target: (href: string) => Target;

  constructor(target: (href: string) => Target) {
    super();
    this.target = target;
  }

  override heading({ tokens, depth }: Tokens.Heading): string {
    const text = this.parser.parseInline(tokens);
    const slug = slugOf(text);
    const before = this.slugs.get(slug) ?? 0;
    this.slugs.set(slug, before + 1);
    const id = before === 0 ? slug : `${slug}-${before}`;
    if (depth === 1) return `<h1 id="${id}">${text}</h1>\n`;
    // Links cannot nest: the list of contents and the anchor use only the text.
    const plain = text.replace(/<\/?a\b[^>]*>/g, '');
    this.headings.push({ level: depth, text: plain, id });
    const label = `Link to: ${withoutTags(plain)}`;
    return `<h${depth} id="${id}">${text} <a class="anchor" href="#${id}" aria-label="${label}">#</a></h${depth}>\n`;
  }

  override code({ text, lang = '' }: Tokens.Code): string {
    const [language = ''] = lang.split(/\s/);
    const kind = language === 'mermaid' ? 'diagram' : 'code';
    const label = language === '' || language === 'mermaid' ? kind : `${escapeHtml(language)} code`;
    return (
      `<div class="${kind}"><pre tabindex="0" role="group" aria-label="${label}">` +
      `<code>${escapeHtml(text)}</code></pre></div>\n`
    );
  }

  override html({ text }: Tokens.HTML | Tokens.Tag): string {
    const rest = text.replace(/<!--[\s\S]*?-->/g, '').trim();
    return /^<br ?\/?>$/.test(rest) ? '<br>' : escapeHtml(rest);
  }

  override table(token: Tokens.Table): string {
    return scrolling(super.table(token), 'Table');
  }

  override tablecell({ tokens, header, align }: Tokens.TableCell): string {
    const text = this.parser.parseInline(tokens);
    const style = align === null ? '' : ` class="${align}"`;
    // An empty heading is left out.
    if (!header || text === '') return `<td${style}>${text}</td>\n`;
    return `<th scope="col"${style}>${text}</th>\n`;
  }

  override link({ href, tokens }: Tokens.Link): string {
    const text = this.parser.parseInline(tokens);
    const target = this.target(href);
    switch (target.kind) {
      case 'page':
        return `<a href="${escapeHtml(`${target.name}${target.fragment}`)}">${text}</a>`;
      case 'address':
        return `<a href="${escapeHtml(target.href)}">${text}</a>`;
      case 'elsewhere':
        return `<a href="${escapeHtml(target.href)}" rel="noopener noreferrer">${text}</a>`;
      case 'file':
        return `<span class="file" title="In the repository: ${escapeHtml(target.path)}">${text}</span>`;
    }
  }

  override image({ href, text }: Tokens.Image): string {
    const target = this.target(href);
    // Pictures from other servers are not loaded, so that they do not learn who reads the page.
    if (target.kind !== 'address') return escapeHtml(text);
    return `<img src="${escapeHtml(target.href)}" alt="${escapeHtml(text)}" loading="lazy">`;
  }
}

/** @param from path of the document's file, from the package's root; its links are relative to it */
export function renderMarkdown(markdown: string, from: string, pages: readonly DocPage[]): Rendered {
  const renderer = new PageRenderer((href) => targetOf(from, href, pages));
  const html = new Marked().parse(markdown, { gfm: true, async: false, renderer });
  return { html, headings: renderer.headings };
}
