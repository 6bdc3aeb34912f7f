/**
 * The documentation as pages. A page is created when first requested and then kept; there are only as many as
 * documents.
 */
import { withServedLinks } from './links.js';
import { renderMarkdown } from './markdown.js';
import { type DocPage, docPages, type GeneratedPage, SECTIONS } from './pages.js';
import { pageHtml, siteHeader } from './template.js';

const INDEX = 'index';
/** Path of a page without a file; its links are relative to this. */
const NO_FILE = 'docs/generated.md';
const ABOUT = 'Documentation of rnnt-server, a real-time speech-recognition server';

/** How llms.txt describes the project before it lists the pages. */
export interface Summary {
  readonly title: string;
  readonly text: string;
}

export class DocsLibrary {
  readonly pages: readonly DocPage[];
  private readonly kept = new Map<string, string>();
  private readonly keeps: boolean;

  /** @param options `keeps`: false reads every document again each time, for editing */
  constructor(generated: readonly GeneratedPage[], { keeps = true } = {}) {
    this.pages = docPages(generated);
    this.keeps = keeps;
  }

  /** The page of this name in any case, including `index`. */
  find(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return [INDEX, ...this.pages.map((page) => page.name)].find((it) => it.toLowerCase() === wanted);
  }

  /** @param name a result of `find` */
  html(name: string): string {
    return this.once(`${name}.html`, () => {
      const page = this.pages.find((it) => it.name === name);
      const shown = page ?? { name: INDEX, title: 'Documentation', about: ABOUT };
      const markdown = page?.markdown() ?? this.index();
      const rendered = renderMarkdown(markdown, page?.path ?? NO_FILE, this.pages);
      return pageHtml(siteHeader(), this.pages, shown, rendered);
    });
  }

  /**
   * The Markdown of a page, with links to the other pages' Markdown.
   * @param name a result of `find`
   */
  markdown(name: string): string {
    return this.once(`${name}.md`, () => {
      const page = this.pages.find((it) => it.name === name);
      if (page === undefined) return this.index();
      return withServedLinks(page.markdown(), page.path ?? NO_FILE, this.pages);
    });
  }

  /** https://llmstxt.org: a summary and a list of the pages as Markdown, with addresses relative to the file. */
  llmsTxt({ title, text }: Summary): string {
    return `# ${title}\n\n> ${text}\n\n${this.list((page) => `docs/${page.name}.md`)}`;
  }

  private index(): string {
    const intro =
      'Every page is also plain Markdown: add `.md` to its address. [llms.txt](../llms.txt) lists all of them, ' +
      '[openapi.json](openapi.json) describes the HTTP routes, [asyncapi.json](../asyncapi.json) the WebSocket.';
    return `# Documentation\n\n${intro}\n\n${this.list((page) => `${page.name}.md`)}`;
  }

  private list(address: (page: DocPage) => string): string {
    return SECTIONS.map((section) => {
      const pages = this.pages.filter((page) => page.section === section);
      const lines = pages.map((page) => `- [${page.title}](${address(page)}): ${page.about}`);
      return lines.length === 0 ? '' : `## ${section}\n\n${lines.join('\n')}\n`;
    })
      .filter((text) => text !== '')
      .join('\n');
  }

  private once(key: string, make: () => string): string {
    const known = this.kept.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (this.keeps) this.kept.set(key, made);
    return made;
  }
}
