/** The status page: requests `/ws/status` every two seconds while the page is visible, and shows the result. */
import { withToken } from './page-token.js';
import { Chart } from './status/chart.js';
import { showFleet } from './status/fleet.js';
import { duration, History } from './status/history.js';

/** @typedef {import('./status/history.js').Status} Status */

const POLL_MS = 2_000;
/** Ten minutes. */
const ROWS = 300;
const TIMEOUT_MS = 5_000;

/** @type {import('./status/chart.js').ChartOptions[]} */
const CHARTS = [
  {
    title: 'Streams',
    unit: '',
    lines: [
      ['recording', 'recording'],
      ['attached', 'connected'],
      ['detached', 'waiting to resume'],
      ['capacity', 'capacity'],
    ],
  },
  {
    title: 'Chunk latency',
    hint: 'From receiving a chunk to sending its result',
    unit: 'ms',
    digits: 1,
    lines: [
      ['chunk_p50', 'p50'],
      ['chunk_p95', 'p95'],
      ['chunk_p99', 'p99'],
    ],
  },
  {
    title: 'Final latency',
    hint: 'From stop or finalize to sending the final transcript',
    unit: 'ms',
    digits: 1,
    lines: [
      ['final_p50', 'p50'],
      ['final_p95', 'p95'],
      ['final_p99', 'p99'],
    ],
  },
  {
    title: 'Model step',
    hint: 'From a stream being ready to its batch being committed',
    unit: 'ms',
    digits: 1,
    lines: [
      ['step_p50', 'p50'],
      ['step_p95', 'p95'],
    ],
  },
  {
    title: 'Batch size',
    unit: '',
    digits: 1,
    lines: [
      ['batch_mean', 'mean'],
      ['batch_p95', 'p95'],
    ],
  },
  {
    title: 'Work done',
    hint: 'Seconds of audio recognised per second',
    unit: '× real time',
    digits: 1,
    lines: [['speed', 'speed']],
  },
  { title: 'Lanes busy', unit: '%', lines: [['busy', 'mean of all lanes']] },
  {
    title: 'Memory',
    unit: 'MB',
    lines: [
      ['rss', 'process'],
      ['slab', 'stream slab'],
      ['heap', 'JavaScript heap'],
    ],
  },
  {
    title: 'Event-loop delay',
    unit: 'ms',
    digits: 1,
    lines: [
      ['loop_p50', 'p50'],
      ['loop_p99', 'p99'],
    ],
  },
];

const count = new Intl.NumberFormat();
const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const history = new History(ROWS);
/** Charts that are always shown, streams and latency; the rest is folded. */
const LEADING = 2;
const charts = CHARTS.map((options, i) => {
  const root = document.createElement('section');
  byId(i < LEADING ? 'charts' : 'more').append(root);
  return new Chart(root, options);
});

/** @type {Record<Status['status'], [state: string, text: string]>} */
const STATES = {
  ready: ['live', 'Ready'],
  starting: ['connecting', 'Starting'],
  draining: ['reconnecting', 'Draining: no new streams'],
};

/** @returns {Promise<Status | null>} */
async function ask() {
  try {
    const url = withToken(new URL('../ws/status', import.meta.url));
    const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body = await response.json();
    return body.sessions && body.latency_ms ? body : null;
  } catch {
    return null;
  }
}

/** @param {Status | null} status */
function show(status) {
  for (const chart of charts) chart.show(history);
  const [state, text] = status ? STATES[status.status] : ['failed', 'No answer'];
  byId('state').dataset.state = state;
  setText('state-text', text);
  // The last figures stay visible, but must not look current.
  document.body.classList.toggle('stale', status === null);
  setText('age', status ? '' : 'No answer. These are the last figures.');
  if (!status) return;
  setText('about', aboutText(status));
  const left = Math.max(0, status.capacity - status.admitted);
  setText('left', count.format(left));
  setText('left-text', left === 1 ? 'stream can still be admitted' : 'streams can still be admitted');
  setText('capacity-text', `${count.format(status.admitted)} of ${count.format(status.capacity)} in use`);
  const bar = byId('capacity');
  bar.style.setProperty('--used', String(Math.min(1, status.admitted / Math.max(1, status.capacity))));
  bar.setAttribute('aria-valuemax', String(status.capacity));
  bar.setAttribute('aria-valuenow', String(status.admitted));
  showTotals(status);
  showBatches(status);
  showLanes(status);
  showFleet(status.cluster);
}

/** @param {Status} status A server that starts has no model yet. */
function aboutText({ model, version, uptime_s: uptime }) {
  const name = model ? `${model.name} ${model.version}` : 'Model is loading';
  return `${name} · version ${version} · up ${duration(uptime)}`;
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Status} status */
function showTotals({ totals, uploads, dropped_partials: dropped, audio_seconds_processed: audio }) {
  /** @type {[string, string][]} */
  const rows = [
    ['Connections', count.format(totals.connections)],
    ['Recordings', count.format(totals.recordings)],
    ['Segments', count.format(totals.segments)],
    ['Audio', duration(audio)],
    ['Refused', count.format(totals.refused)],
    ['Errors', count.format(totals.errors)],
    ['Dropped partials', count.format(dropped)],
    ['Uploads (waiting)', `${count.format(uploads.active)} (${count.format(uploads.waiting)})`],
  ];
  byId('totals').replaceChildren(
    ...rows.map(([name, value]) => {
      const row = document.createElement('div');
      row.append(node('dt', name), node('dd', value));
      return row;
    }),
  );
}

/** @param {Status} status */
function showBatches({ batch_size: batch }) {
  const bins = Object.entries(batch.histogram).map(([size, steps]) => ({ size: Number(size), steps }));
  if (bins.length === 0) return;
  const most = Math.max(...bins.map((bin) => bin.steps));
  setText('batch-text', `Mean ${batch.mean.toFixed(1)}, median ${batch.p50}, largest ${batch.max}.`);
  byId('histogram').replaceChildren(
    ...bins
      .sort((a, b) => a.size - b.size)
      .map(({ size, steps }) => {
        const item = node('li', '');
        const bar = node('span', '');
        bar.style.setProperty('--share', String(steps / most));
        item.title = `${plural(steps, 'step')} with ${plural(size, 'stream')}`;
        item.append(bar, node('small', String(size)));
        return item;
      }),
  );
}

/** @param {Status} status */
function showLanes({ lanes }) {
  const percent = new Intl.NumberFormat(undefined, { style: 'percent' });
  byId('lanes').replaceChildren(
    ...lanes.map((lane) => {
      const row = document.createElement('tr');
      const cells = [
        lane.id,
        lane.provider,
        lane.state,
        count.format(lane.steps),
        percent.format(lane.busy_ratio),
      ];
      row.append(...cells.map((cell) => node('td', String(cell))));
      return row;
    }),
  );
}

/**
 * @param {string} name
 * @param {string} text
 */
function node(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/**
 * @param {number} n
 * @param {string} noun
 */
function plural(n, noun) {
  return `${count.format(n)} ${noun}${n === 1 ? '' : 's'}`;
}

async function poll() {
  try {
    if (document.visibilityState !== 'visible') return;
    const status = await ask();
    history.push(Date.now() / 1_000, status);
    show(status);
    document.documentElement.dataset.ready = 'true';
  } finally {
    setTimeout(poll, POLL_MS); // Whatever the response, requests the next one.
  }
}

poll();
