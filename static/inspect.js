/**
 * The inspector: the states of a session, its history, and the other sessions. It shows what the machines do, never
 * what was said.
 */
import { Connection } from './inspect/connection.js';
import { CountTable } from './inspect/counts.js';
import { Diagram } from './inspect/diagram.js';
import { byId, el, shortState } from './inspect/dom.js';
import { EventList } from './inspect/events.js';
import { SessionTable } from './inspect/sessions.js';

/** @typedef {import('./inspect/messages.js').Machine} Machine */

/** @type {Record<import('./inspect/connection.js').LinkState, [state: string, text: string]>} */
const LINK = {
  connecting: ['connecting', 'Connecting'],
  live: ['live', 'Live'],
  reconnecting: ['reconnecting', 'Connection lost, trying again'],
  paused: ['idle', 'Paused while hidden'],
  refused: ['refused', 'Too many inspectors are open, trying again'],
};

const diagram = new Diagram();
const events = new EventList();
const counts = new CountTable();
const sessions = new SessionTable((id) => follow(id));

/** @type {Map<string, Machine>} */
const machines = new Map();
/** @type {string | null} */
let serverId = null;
/** The chosen session, by the user or by `#session=` in the URL; null: the newest. */
let chosen = new URLSearchParams(location.hash.slice(1)).get('session');
/** @type {string | null} */
let followed = null;
let followedSince = 0;
let machineName = 'session';

const connection = new Connection(
  (message) => {
    if (message.type === 'machines') void begin(message);
    else if (message.type === 'sessions') updateSessions(message);
    else if (message.type === 'watching') showWatched(message);
    else if (message.type === 'event') showEvent(message);
    else if (message.type === 'counts') counts.update(message);
  },
  (state) => {
    const [look, text] = LINK[state];
    byId('link').dataset.state = look;
    byId('link-text').textContent = text;
  },
);

byId('machine-choice').addEventListener('change', (event) => {
  if (event.target instanceof HTMLInputElement) void showMachine(event.target.value);
});

/** @param {import('./inspect/messages.js').MachinesMessage} message */
async function begin(message) {
  sessions.clear();
  serverId = message.serverId;
  for (const machine of message.machines) machines.set(machine.name, machine);
  await showMachine(machineName);
  document.documentElement.dataset.ready = '';
}

/** @param {string} name */
async function showMachine(name) {
  const machine = machines.get(name);
  if (machine === undefined) return;
  machineName = name;
  byId('diagram-title').textContent = name === 'server' ? 'Server machine' : 'Session machine';
  counts.show(machine.graph);
  setActive([]);
  const drawn = diagram.show(machine);
  watch(name === 'server' ? serverId : (chosen ?? sessions.newest?.id ?? null));
  await drawn;
}

/** @param {string} id */
function follow(id) {
  chosen = id;
  history.replaceState(null, '', `#session=${encodeURIComponent(id)}`);
  if (machineName === 'session') return watch(id);
  const radio = byId('machine-choice').querySelector('input[value="session"]');
  if (radio instanceof HTMLInputElement) radio.checked = true;
  void showMachine('session');
}

/** @param {string | null} id */
function watch(id) {
  followed = id;
  followedSince = sessions.get(id ?? '')?.openedAt ?? 0;
  sessions.markFollowed(id);
  events.reset([]);
  describeFollowed();
  connection.watch(id);
}

/** @param {import('./inspect/messages.js').SessionsMessage} message */
function updateSessions(message) {
  sessions.update(message);
  const next = machineName === 'session' && isFree() ? (chosen ?? sessions.newest?.id ?? null) : null;
  if (next !== null) watch(next);
  else describeFollowed();
}

/** Nothing is followed, or the followed session closed, was not chosen by the user, and a newer one is open. */
function isFree() {
  if (followed === null) return true;
  const isGone = chosen === null && sessions.get(followed) === null;
  return isGone && (sessions.newest?.openedAt ?? 0) > followedSince;
}

/** @param {import('./inspect/messages.js').WatchingMessage} message */
function showWatched({ session, active, events: records }) {
  if (session === null && followed !== null) {
    // It has ended. Follows the newest again, unless this is the server's own machine, which may be hidden.
    chosen = null;
    followed = null;
  }
  events.reset(records);
  setActive(active);
}

/** @param {import('./inspect/messages.js').EventMessage} message */
function showEvent({ session, record, skipped }) {
  if (session !== followed) return;
  events.add(record, skipped);
  setActive(record.to);
  const graph = machines.get(machineName)?.graph;
  for (const id of record.transitions) {
    const transition = graph?.transitions.find((candidate) => candidate.id === id);
    if (transition !== undefined) diagram.pulse(transition, record.from);
  }
  describeFollowed();
}

/** @param {string[]} active */
function setActive(active) {
  diagram.light(active);
  const leaves = active.filter((id) => !active.some((other) => other.startsWith(`${id}.`)));
  const list = byId('active');
  const text = leaves.map(shortState);
  if (text.join() === [...list.children].map((child) => child.textContent).join()) return;
  list.replaceChildren(...text.map((name) => el('li', {}, name)));
}

function describeFollowed() {
  const text = byId('followed');
  if (machineName === 'server') {
    text.textContent = serverId === null ? 'The server does not show its own machine.' : 'The server itself.';
    return;
  }
  const row = followed === null ? null : sessions.get(followed);
  if (followed === null) text.textContent = 'No session is open.';
  else if (row === null) text.textContent = `Following ${followed}, which has closed.`;
  else text.textContent = `Following ${followed} (${row.clientId}).`;
}
