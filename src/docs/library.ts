/** The documentation as pages. Used in a thread of its own (workers/docs.ts), since rendering takes long. */
import { withServedLinks } from './links.js';
import { renderMarkdown } from './markdown.js';
import { type DocPage, docPages, type GeneratedPage, INDEX, SECTIONS } from './pages.js';
import { pageHtml, siteHeader } from './template.js';

/** Path of a page without a file; its links are relative to this. */
const NO_FILE = 'docs/generated.md';
const ABOUT = 'Documentation of rnnt-server, a real-time speech-recognition server';

/** How llms.txt describes the project before it lists the pages. */
const SUMMARY =
  'A real-time speech-recognition server for Node.js: audio over a WebSocket, words back while people talk, many ' +
  'streams in one batch on ONNX Runtime. Clients of Deepgram, OpenAI, AssemblyAI, Vosk and Wyoming work unchanged.';

export class DocsLibrary {
  readonly pages: readonly DocPage[];

  constructor(generated: readonly GeneratedPage[]) {
    this.pages = docPages(generated);
  }

  /** @param name a result of `pageNamed` */
  html(name: string): string {
    const page = this.pages.find((it) => it.name === name);
    const shown = page ?? { name: INDEX, title: 'Documentation', about: ABOUT };
    const markdown = page?.markdown() ?? this.index();
    const rendered = renderMarkdown(markdown, page?.path ?? NO_FILE, this.pages);
    return pageHtml(siteHeader(), this.pages, shown, rendered);
  }

  /**
   * The Markdown of a page, with links to the other pages' Markdown.
   * @param name a result of `pageNamed`
   */
  markdown(name: string): string {
    const page = this.pages.find((it) => it.name === name);
    if (page === undefined) return this.index();
    return withServedLinks(page.markdown(), page.path ?? NO_FILE, this.pages);
  }

  /** https://llmstxt.org: a summary and a list of the pages as Markdown, with addresses relative to the file. */
  llmsTxt(): string {
    return `# rnnt-server\n\n> ${SUMMARY}\n\n${this.list((page) => `docs/${page.name}.md`)}`;
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
}
