/** The list of the followed session's events, the newest first. */
import { byId, el, leafState } from './dom.js';

const MAX_ROWS = 200;

export class EventList {
  #list = byId('events');
  #none = byId('no-events');
  #pause = byId('pause');
  /** @type {Node[]} What came while paused, oldest first. */
  #held = [];

  constructor() {
    byId('clear').addEventListener('click', () => this.reset([]));
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#paused));
  }

  get #paused() {
    return this.#pause.getAttribute('aria-pressed') === 'true';
  }

  /** @param {import('./messages.js').EventRecord[]} records Oldest first. */
  reset(records) {
    this.#held = [];
    this.#list.replaceChildren(...records.map(row).reverse());
    this.#none.hidden = records.length > 0;
    this.#label();
  }

  /** @param {import('./messages.js').EventRecord} record @param {number} skipped */
  add(record, skipped) {
    const rows = [row(record)];
    if (skipped > 0) {
      rows.unshift(el('li', { class: 'event-gap' }, `${skipped} left out: this page reads too slowly`));
    }
    this.#held.push(...rows);
    this.#held.splice(0, this.#held.length - MAX_ROWS);
    if (this.#paused) this.#label();
    else this.#release();
  }

  #release() {
    for (const held of this.#held) this.#list.prepend(held);
    this.#held = [];
    while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove();
    this.#none.hidden = this.#list.childElementCount > 0;
    this.#label();
  }

  /** @param {boolean} paused */
  #setPaused(paused) {
    this.#pause.setAttribute('aria-pressed', String(paused));
    if (paused) this.#label();
    else this.#release();
  }

  #label() {
    const waiting = this.#held.length > 0 ? ` (${this.#held.length} new)` : '';
    this.#pause.textContent = this.#paused ? `Resume${waiting}` : 'Pause';
  }
}

/** @param {import('./messages.js').EventRecord} record */
function row(record) {
  const ignored = record.transitions.length === 0;
  const item = el(
    'li',
    { class: ignored ? 'event ignored' : 'event' },
    el('time', { datetime: new Date(record.at).toISOString() }, clock(record.at)),
    el('b', { class: 'event-name' }, record.event),
  );
  const change = changed(record);
  if (ignored) item.append(el('span', { class: 'event-change' }, 'ignored in this state'));
  else if (change !== '') item.append(el('span', { class: 'event-change' }, change));
  for (const { name, passed } of record.guards) {
    const verdict = passed ? '✓ passed' : '✗ not passed';
    item.append(el('span', { class: passed ? 'guard passed' : 'guard' }, `${name} ${verdict}`));
  }
  if (record.actions.length > 0) {
    item.append(el('span', { class: 'event-actions' }, `→ ${record.actions.join(', ')}`));
  }
  if (Object.keys(record.payload).length > 0) {
    item.append(
      el(
        'details',
        {},
        el('summary', {}, 'Fields'),
        el('pre', { tabindex: '0' }, JSON.stringify(record.payload, null, 2)),
      ),
    );
  }
  return item;
}

/** The innermost states that were left and entered. @param {import('./messages.js').EventRecord} record */
function changed({ from, to }) {
  /** @param {string[]} states @param {string[]} others */
  const leaves = (states, others) =>
    states
      .filter((id) => !others.includes(id) && !states.some((other) => other.startsWith(`${id}.`)))
      .map(leafState);
  const left = leaves(from, to);
  const entered = leaves(to, from);
  return left.length + entered.length === 0 ? '' : `${left.join(' + ')} → ${entered.join(' + ')}`;
}

/** @param {number} at */
function clock(at) {
  const date = new Date(at);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}
