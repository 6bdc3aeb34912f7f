/** Input of the thread that makes the pages of `/docs/` (workers/docs.ts). */
import type { HttpApi } from './api-page.js';

export interface DocsData {
  /** Description of the HTTP routes, from which their reference is generated. */
  readonly api: HttpApi;
}

/** A page as HTML or Markdown, by its exact name; or `/llms.txt`. */
export type DocsTask =
  | { readonly kind: 'html' | 'markdown'; readonly name: string }
  | { readonly kind: 'llms' };
