/** The code tab: what the page does just now, in the languages and SDKs that this server speaks. */
import { button, el } from '../debug/dom.js';
import { pageToken, withToken } from '../page-token.js';
import { byId, notice } from './page.js';
import { recordingConfig } from './settings.js';
import { snippets } from './snippets.js';

/** @typedef {{ model?: { name: string, language?: string } | null, dialects?: string[] }} Card */

/** This page's server, which may be below a proxy's sub-path. */
const SERVER = new URL('../../', import.meta.url).href;

/** @returns {Promise<Card>} What the server says of itself; empty where it does not answer. */
export async function serverCard() {
  try {
    const url = withToken(new URL(SERVER));
    const response = await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store' });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

/** @param {NonNullable<Card['model']>} model */
export function modelText({ name, language }) {
  if (!language) return `Model: ${name}`;
  const named = new Intl.DisplayNames(undefined, { type: 'language', fallback: 'code' }).of(language);
  return `Model: ${name} · ${named}`;
}

export class CodeView {
  #chosen = 'javascript';
  #root = byId('code');
  /** @type {string[] | undefined} Names of the dialects; undefined: not known. */
  dialects;

  /** Shows the snippets for the settings as they are now. */
  show() {
    const { silence_duration = 0.6, hotwords = [] } = recordingConfig(16_000);
    const config = { silence_duration, hotwords };
    const place = { origin: SERVER.slice(0, -1), guarded: pageToken() !== null, config };
    const spoken = snippets(place).filter(
      ({ dialect }) => dialect === undefined || (this.dialects?.includes(dialect) ?? true),
    );
    const shown = spoken.find(({ id }) => id === this.#chosen) ?? spoken[0];
    if (!shown) return;
    const choices = spoken.map(({ id, name }) => {
      const radio = el('input', {
        type: 'radio',
        name: 'snippet',
        value: id,
        ...(id === shown.id ? { checked: '' } : {}),
      });
      radio.addEventListener('change', () => {
        this.#chosen = id;
        this.show();
        /** @type {HTMLElement | null} */ (this.#root.querySelector(`[value="${id}"]`))?.focus();
      });
      return el('label', {}, radio, el('span', {}, name));
    });
    this.#root.replaceChildren(
      el(
        'fieldset',
        { class: 'segmented' },
        el('legend', { class: 'visually-hidden' }, 'Language or SDK'),
        ...choices,
      ),
      el('p', { class: 'hint' }, shown.note),
      ...shown.blocks.flatMap(({ title, code }) => [
        el(
          'div',
          { class: 'code-head' },
          el('h2', {}, title),
          button('Copy code', () => void copy(code)),
        ),
        el('pre', { tabindex: '0', role: 'region', 'aria-label': `${shown.name}: ${title}` }, code),
      ]),
    );
  }
}

/** @param {string} code */
async function copy(code) {
  await navigator.clipboard.writeText(code);
  notice('The code is copied.', 'info');
}
