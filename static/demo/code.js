/** The code tab: the current settings of the page as code for each supported language and SDK. */
import { button, el } from '../debug/dom.js';
import { pageToken } from '../page-token.js';
import { byId, notice } from './page.js';
import { SERVER } from './server-card.js';
import { recordingConfig } from './settings.js';
import { snippets } from './snippets.js';

export class CodeView {
  #chosen = 'javascript';
  #root = byId('code');
  /** @type {string[] | undefined} Names of the dialects; undefined: not known. */
  dialects;

  /** Shows the snippets for the current settings. */
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
  notice('Code copied.', 'info');
}
