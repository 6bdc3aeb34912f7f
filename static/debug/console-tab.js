import { download } from '../demo/export.js';
import { button, el } from './dom.js';

/** @typedef {import('./log.js').LogEntry} LogEntry */

const KINDS = /** @type {const} */ ([
  ['in', '← in'],
  ['out', '→ out'],
  ['state', '◆ state'],
  ['check', '✓ check'],
  ['warning', '△ warning'],
  ['error', '! error'],
]);
const MARKS = /** @type {Record<string, string>} */ ({
  in: '←',
  out: '→',
  state: '◆',
  check: '✓',
  warning: '△',
  error: '!',
});
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/**
 * Every message and event as a line that opens to its JSON; filtered by kind and text.
 * @param {import('./log.js').EventLog} log
 * @param {{ actions?: HTMLElement[] }} [options]
 */
export function consoleTab(log, { actions = [] } = {}) {
  const rows = el('ol', { class: 'log-rows', tabindex: '0', 'aria-label': 'Events' });
  const search = el('input', {
    type: 'text',
    placeholder: 'Filter',
    'aria-label': 'Filter by text',
    class: 'log-search',
  });
  const hidden = new Set();
  const empty = el('p', { class: 'hint log-empty' }, 'Nothing has happened yet.');

  /** @param {LogEntry} entry */
  const matches = (entry) =>
    !hidden.has(entry.kind) &&
    `${entry.what} ${JSON.stringify(entry.detail)}`.toLowerCase().includes(search.value.toLowerCase());

  /** @param {LogEntry} entry */
  function append(entry) {
    empty.hidden = true;
    if (!matches(entry)) return;
    const atEnd = rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 8;
    rows.append(rowOf(entry));
    while (rows.childElementCount > log.size) rows.firstElementChild?.remove();
    if (atEnd) rows.scrollTop = rows.scrollHeight;
  }

  function refill() {
    rows.replaceChildren(...log.entries.filter(matches).map(rowOf));
    empty.hidden = log.entries.length > 0;
    rows.scrollTop = rows.scrollHeight;
  }

  log.addEventListener('entry', (event) => append(/** @type {CustomEvent} */ (event).detail));
  log.addEventListener('clear', refill);
  search.addEventListener('input', refill);
  const filters = KINDS.map(([kind, label]) => {
    const box = el('input', { type: 'checkbox', checked: '' });
    box.addEventListener('change', () => {
      if (box.checked) hidden.delete(kind);
      else hidden.add(kind);
      refill();
    });
    return el('label', { class: 'switch' }, box, label);
  });
  refill();
  return el(
    'section',
    { class: 'tab-panel' },
    el('div', { class: 'toolbar' }, ...actions),
    el(
      'div',
      { class: 'toolbar' },
      ...filters,
      search,
      button('Save log', () => download('rnnt-log.jsonl', 'application/x-ndjson', log.toJsonLines())),
      button('Clear', () => log.clear(), 'quiet-button'),
    ),
    empty,
    rows,
  );
}

/** @param {LogEntry} entry */
function rowOf({ at, kind, what, detail }) {
  const text = detail === null ? '' : JSON.stringify(detail);
  const head = el(
    'summary',
    {},
    el('time', { datetime: at }, time.format(new Date(at))),
    el('span', { class: 'log-mark', 'aria-label': kind, role: 'img' }, MARKS[kind] ?? '·'),
    el('b', {}, what),
    el('span', { class: 'log-text' }, text.slice(0, 200)),
  );
  const body = el('pre', {}, detail === null ? '(no detail)' : JSON.stringify(detail, null, 2));
  return el('li', { class: `log-row log-${kind}` }, el('details', {}, head, body));
}
