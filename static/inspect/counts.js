/** The table of transitions, with the number of times each was taken in all sessions. */
import { actionText, byId, el, leafState } from './dom.js';

export class CountTable {
  #body = byId('counts');
  /** @type {Map<string, { cell: HTMLElement, row: HTMLElement }>} */
  #rows = new Map();
  /** @type {Record<string, number>} */
  #counts = {};

  /** @param {import('./messages.js').MachineGraph} graph */
  show(graph) {
    this.#rows.clear();
    const rows = graph.transitions.map((transition) => this.#row(transition));
    this.#body.replaceChildren(...rows);
    this.#fill();
  }

  /** @param {import('./messages.js').CountsMessage} message */
  update({ counts, ignored, since }) {
    this.#counts = counts;
    const time = new Date(since).toLocaleTimeString();
    const rest = ignored === 0 ? '' : `; ${ignored} ${ignored === 1 ? 'event was' : 'events were'} ignored`;
    byId('since').textContent = `All sessions, since this page was first opened at ${time}${rest}`;
    this.#fill();
  }

  /** @param {import('./messages.js').TransitionInfo} transition */
  #row(transition) {
    const { id, source, event, guard, target, actions, description } = transition;
    const cell = el('td', { 'data-label': 'Times', class: 'num' }, el('span', { class: 'times' }));
    const name = el('td', { 'data-label': 'Event' }, el('b', {}, event));
    if (guard !== null) name.append(` [${guard}]`);
    const does = el('td', { 'data-label': 'Does' }, actions.map(actionText).join(', ') || '–');
    if (description !== '') does.append(el('span', { class: 'why' }, description));
    const row = el(
      'tr',
      {},
      el('th', { scope: 'row', 'data-label': 'In' }, leafState(source)),
      name,
      el('td', { 'data-label': 'To' }, target === null ? 'stays' : leafState(target)),
      cell,
      does,
    );
    this.#rows.set(id, { cell, row });
    return row;
  }

  #fill() {
    const most = Math.max(1, ...[...this.#rows.keys()].map((id) => this.#counts[id] ?? 0));
    for (const [id, { cell, row }] of this.#rows) {
      const count = this.#counts[id] ?? 0;
      cell.firstElementChild?.replaceChildren(String(count));
      row.classList.toggle('never', count === 0);
      cell.style.setProperty('--share', String(count / most));
    }
  }
}
