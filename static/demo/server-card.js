/** The server's description of itself. */
import { withToken } from '../page-token.js';

/** @typedef {{ model?: { name: string, language?: string } | null, dialects?: string[] }} Card */

/** The page's server, which may be below a proxy's sub-path. */
export const SERVER = new URL('../../', import.meta.url).href;

/** @returns {Promise<Card>} Empty where it does not answer. */
export async function serverCard() {
  try {
    const url = withToken(new URL(SERVER));
    const response = await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store' });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

/**
 * @param {string} language BCP 47.
 * @returns {string} "English"; the tag itself where the browser does not know it.
 */
export function languageName(language) {
  return new Intl.DisplayNames(undefined, { type: 'language', fallback: 'code' }).of(language) ?? language;
}
