/** The table of sessions: updated row by row and filtered in the page. */
import { byId, duration, el } from './dom.js';

const REDRAW_MS = 1_000;

export class SessionTable {
  #body = byId('rows');
  #find = /** @type {HTMLInputElement} */ (byId('find'));
  /** @type {Map<string, { data: import('./messages.js').SessionRow, row: HTMLElement }>} */
  #sessions = new Map();
  /** @type {string | null} */
  #followed = null;
  #total = 0;

  /** @param {(id: string) => void} onFollow */
  constructor(onFollow) {
    this.onFollow = onFollow;
    this.#find.addEventListener('input', () => this.#filter());
    byId('state-filter').addEventListener('change', () => this.#filter());
    setInterval(() => this.#age(), REDRAW_MS);
  }

  /** The session opened last, most likely the wanted one. */
  get newest() {
    const all = [...this.#sessions.values()].map(({ data }) => data);
    return all.reduce(
      (best, row) => (best === null || row.openedAt >= best.openedAt ? row : best),
      first(all),
    );
  }

  /** @param {string} id */
  get(id) {
    return this.#sessions.get(id)?.data ?? null;
  }

  /** After a reconnection the server sends everything again. */
  clear() {
    this.#sessions.clear();
    this.#body.replaceChildren();
  }

  /** @param {import('./messages.js').SessionsMessage} message */
  update({ rows, gone, total }) {
    for (const id of gone) {
      this.#sessions.get(id)?.row.remove();
      this.#sessions.delete(id);
    }
    for (const data of rows) this.#set(data);
    this.#total = total;
    this.#filter();
  }

  /** @param {string | null} id */
  markFollowed(id) {
    this.#followed = id;
    for (const [key, { row }] of this.#sessions) mark(row, key === id);
  }

  /** @param {import('./messages.js').SessionRow} data */
  #set(data) {
    const known = this.#sessions.get(data.id);
    if (known !== undefined) {
      known.data = data;
      fill(known.row, data);
      return;
    }
    const button = el('button', { type: 'button', class: 'follow' }, data.id.slice(0, 8));
    button.setAttribute('aria-label', `Follow session ${data.id}`);
    button.addEventListener('click', () => this.onFollow(data.id));
    const row = el('tr', {}, el('th', { scope: 'row', 'data-label': 'Session' }, button));
    for (const label of ['Client', 'From', 'State', 'Socket']) row.append(el('td', { 'data-label': label }));
    for (const label of ['Open for', 'Audio', 'Segments', 'Lag', 'Dropped']) {
      row.append(el('td', { 'data-label': label, class: 'num' }));
    }
    fill(row, data);
    mark(row, data.id === this.#followed);
    this.#sessions.set(data.id, { data, row });
    this.#body.prepend(row);
  }

  #filter() {
    const wanted = this.#find.value.trim().toLowerCase();
    const state = byId('state-filter').querySelector('input:checked')?.getAttribute('value') ?? 'all';
    let visible = 0;
    for (const { data, row } of this.#sessions.values()) {
      const text = `${data.id} ${data.clientId} ${data.remote}`.toLowerCase();
      row.hidden = !(text.includes(wanted) && (state === 'all' || data.activity === state));
      if (!row.hidden) visible++;
    }
    const shown = this.#sessions.size;
    const part = this.#total > shown ? `the first ${shown} of ${this.#total}` : String(this.#total);
    byId('session-total').textContent = visible < shown ? `${visible} of ${part}` : part;
    byId('no-sessions').hidden = shown > 0;
  }

  /** Rows are sent only when something changes; elapsed times are counted here. */
  #age() {
    for (const { data, row } of this.#sessions.values()) {
      const cell = row.children[5];
      if (cell !== undefined) cell.textContent = duration(Date.now() - data.openedAt);
    }
  }
}

/** @param {import('./messages.js').SessionRow[]} rows */
function first(rows) {
  return rows[0] ?? null;
}

/** @param {HTMLElement} row @param {import('./messages.js').SessionRow} data */
function fill(row, data) {
  const [, client, from, state, socket, open, audio, segments, lag, dropped] = row.children;
  client?.replaceChildren(data.clientId);
  client?.setAttribute('title', data.clientId);
  from?.replaceChildren(data.remote);
  state?.replaceChildren(el('span', { class: 'activity', 'data-activity': data.activity }, data.activity));
  socket?.replaceChildren(data.attached ? 'attached' : el('span', { class: 'waiting' }, 'waiting to resume'));
  open?.replaceChildren(duration(Date.now() - data.openedAt));
  audio?.replaceChildren(`${data.audioSeconds.toFixed(1)} s`);
  segments?.replaceChildren(String(data.segments));
  lag?.replaceChildren(`${Math.round(data.lagMs)} ms`);
  dropped?.replaceChildren(String(data.droppedPartials));
}

/** @param {HTMLElement} row @param {boolean} isFollowed */
function mark(row, isFollowed) {
  row.classList.toggle('followed', isFollowed);
  row.querySelector('button')?.setAttribute('aria-pressed', String(isFollowed));
}
