import { download } from '../demo/export.js';
import { button, el } from './dom.js';

/**
 * @typedef {import('./log.js').LogEntry} LogEntry
 * @typedef {{ row: HTMLElement, count: number, texts: string[] }} Group The partials of one segment.
 */

/** Number of partials that a segment's row can show: the newest. */
const MAX_TEXTS = 50;

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
 * Shows every message and event as a line that expands to its JSON, filtered by kind and text. The partials of a
 * segment share one line, which shows the newest.
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
  const empty = el('p', { class: 'hint log-empty' });
  /** @type {Map<string, Group>} Of the segments that are open. */
  const groups = new Map();

  /** @param {LogEntry} entry */
  const matches = (entry) =>
    !hidden.has(entry.kind) &&
    `${entry.what} ${JSON.stringify(entry.detail)}`.toLowerCase().includes(search.value.toLowerCase());

  /** @param {LogEntry} entry */
  function add(entry) {
    if (!matches(entry)) return;
    if (entry.what === 'start_recording') groups.clear();
    const key = segmentOf(entry);
    const group = groups.get(key);
    if (entry.what === 'partial' && group?.row.isConnected) return extend(group, entry);
    const row = rowOf(entry);
    rows.append(row);
    if (entry.what === 'partial') groups.set(key, { row, count: 1, texts: [textOf(entry)] });
    else if (entry.what === 'transcription') groups.delete(key);
  }

  /** @param {LogEntry} entry */
  function append(entry) {
    const atEnd = rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 8;
    add(entry);
    while (rows.childElementCount > log.size) rows.firstElementChild?.remove();
    if (atEnd) rows.scrollTop = rows.scrollHeight;
    showEmpty();
  }

  function refill() {
    groups.clear();
    rows.replaceChildren();
    for (const entry of log.entries) add(entry);
    rows.scrollTop = rows.scrollHeight;
    showEmpty();
  }

  function showEmpty() {
    empty.hidden = rows.childElementCount > 0;
    empty.textContent =
      log.entries.length > 0
        ? 'No entry matches the filter.'
        : 'Nothing has happened yet. “Stream the sample” shows a whole session.';
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

/**
 * @param {LogEntry} entry
 * @returns {string} Which segment a result belongs to.
 */
function segmentOf({ detail }) {
  const { segment_id, channel = 0 } = /** @type {Record<string, unknown>} */ (detail ?? {});
  return `${channel}:${segment_id}`;
}

/** @param {LogEntry} entry Of a partial. */
function textOf({ at, detail }) {
  const { text } = /** @type {Record<string, unknown>} */ (detail ?? {});
  return `${time.format(new Date(at))}  ${text}`;
}

/**
 * Adds a partial to its segment's group.
 * @param {Group} group
 * @param {LogEntry} entry
 */
function extend(group, entry) {
  group.count += 1;
  group.texts = [...group.texts, textOf(entry)].slice(-MAX_TEXTS);
  const { row, count, texts } = group;
  row.querySelector('b')?.replaceChildren(entry.what, ' ', el('span', { class: 'log-count' }, `× ${count}`));
  row.querySelector('.log-text')?.replaceChildren(JSON.stringify(entry.detail).slice(0, 200));
  row
    .querySelector('pre')
    ?.replaceChildren(`${texts.join('\n')}\n\nThe newest:\n${JSON.stringify(entry.detail, null, 2)}`);
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
