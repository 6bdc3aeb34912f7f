/**
 * The nodes of the fleet, if the server is part of one. Every field may be missing, since a fleet may run two versions.
 */
import { duration } from './history.js';

/**
 * @typedef {import('./history.js').Cluster} Cluster
 * @typedef {import('./history.js').FleetNode} Node
 */

const MAX_ROWS = 100;
const NONE = '–';
const count = new Intl.NumberFormat();
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {Cluster | null | undefined} cluster Of `/ws/status`. */
export function showFleet(cluster) {
  byId('fleet').hidden = !cluster;
  if (!cluster) return;
  const nodes = cluster.nodes ?? [];
  byId('fleet-title').textContent = cluster.name ? `Fleet: ${cluster.name}` : 'Fleet';
  byId('fleet-away').hidden = cluster.available !== false;
  byId('fleet-text').textContent = summary(nodes);
  byId('fleet-table').hidden = nodes.length === 0;
  // Addresses are shown only to operators.
  byId('fleet-table').classList.toggle('no-addresses', !nodes.some(({ address }) => address));
  byId('nodes').replaceChildren(...nodes.slice(0, MAX_ROWS).map((node, i) => row(node, i === 0)));
}

/** @param {Node[]} nodes */
function summary(nodes) {
  if (nodes.length === 0) return 'No known nodes.';
  const sum = (/** @type {'streams' | 'capacity'} */ field) =>
    count.format(nodes.reduce((all, node) => all + (node[field] ?? 0), 0));
  const more = nodes.length > MAX_ROWS ? `; the first ${MAX_ROWS} are shown` : '';
  const named = nodes.length === 1 ? '1 node' : `${count.format(nodes.length)} nodes`;
  return `${named}, ${sum('streams')} of ${sum('capacity')} streams in use${more}.`;
}

/**
 * @param {Node} node
 * @param {boolean} isOwn The server that answered comes first.
 */
function row(node, isOwn) {
  const made = document.createElement('tr');
  const state = node.status ?? node.state;
  const cells = /** @type {[string, string, string][]} */ ([
    ['Address', node.address ?? NONE, ''],
    ['State', state ?? NONE, ''],
    ['Streams', `${numberOf(node.streams)} of ${numberOf(node.capacity)}`, 'num'],
    ['Up for', upText(node.started_at ?? node.startedAt), 'num'],
    ['Model', modelText(node.model), ''],
    ['Version', node.version ?? NONE, ''],
  ]);
  const head = document.createElement('th');
  head.scope = 'row';
  head.dataset.label = 'Node';
  head.textContent = `${node.id ?? NONE}${isOwn ? ' (this server)' : ''}`;
  made.append(head);
  for (const [label, text, kind] of cells) {
    const cell = document.createElement('td');
    cell.dataset.label = label;
    cell.className = kind;
    cell.textContent = text;
    made.append(cell);
  }
  if (state !== undefined && state !== 'ready') made.className = 'unready';
  return made;
}

/** @param {number | undefined} value */
const numberOf = (value) => (typeof value !== 'number' ? NONE : count.format(value));

/** @param {Node['model']} model */
function modelText(model) {
  if (typeof model === 'string') return model;
  return [model?.name, model?.version].filter((part) => part !== undefined).join(' ') || NONE;
}

/** @param {Node['startedAt']} startedAt */
function upText(startedAt) {
  const since = startedAt === undefined ? Number.NaN : new Date(startedAt).getTime();
  return Number.isFinite(since) ? duration(Math.max(0, (Date.now() - since) / 1_000)) : NONE;
}
