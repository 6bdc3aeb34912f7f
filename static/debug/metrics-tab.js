import { el } from './dom.js';

/** @typedef {import('../client/types.js').ClientStats} ClientStats */

const format = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** @param {number | null} value */
const ms = (value) => (value === null ? '–' : format.format(value));

const LATENCIES = /** @type {const} */ ([
  ['chunkMs', 'Chunk', 'From sending a chunk to a result that covers it'],
  ['wordMs', 'Word', 'From a word’s end in the audio to the first result that shows it and is not retracted'],
  ['rttMs', 'Round trip', 'Ping → pong'],
]);

/**
 * Figures of the attached client, updated by `show`.
 * @returns {{ panel: HTMLElement, show: (stats: ClientStats, server: import('../client/types.js').ServerMetrics | null) => void }}
 */
export function metricsTab() {
  const latencies = el('tbody');
  const figures = el('dl', { class: 'figures' });
  const empty = el(
    'p',
    { class: 'hint' },
    'Nothing recorded yet. Use “Stream the sample” in the console to get figures.',
  );
  const columns = el(
    'div',
    { class: 'metrics' },
    el(
      'table',
      {},
      el('caption', {}, 'Milliseconds'),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          ...['Latency', 'p50', 'p95', 'p99', 'last', 'samples'].map((h) => el('th', { scope: 'col' }, h)),
        ),
      ),
      latencies,
    ),
    figures,
  );
  return {
    panel: el('section', { class: 'tab-panel' }, empty, columns),
    show: (stats, server) => {
      empty.hidden = LATENCIES.some(([key]) => stats[key].count > 0);
      latencies.replaceChildren(
        ...LATENCIES.map(([key, name, hint]) => {
          const { p50, p95, p99, last, count } = stats[key];
          const cells = [ms(p50), ms(p95), ms(p99), ms(last), String(count)];
          return el(
            'tr',
            {},
            el('th', { scope: 'row', title: hint }, name),
            ...cells.map((c) => el('td', {}, c)),
          );
        }),
      );
      /** @type {[string, string][]} */
      const rows = [
        ['Reconnections', String(stats.reconnects)],
        ['Waiting to be sent', `${format.format(stats.queuedSeconds)} s`],
        ['Not acknowledged', `${format.format(stats.unacknowledgedSeconds)} s`],
        ['Dropped audio', `${format.format(stats.droppedSeconds)} s`],
        ['Silence not sent', `${format.format(stats.skippedSeconds)} s`],
        ['Server lag', `${format.format(stats.lag)} s`],
        ['Dropped partials', String(stats.droppedPartials)],
      ];
      if (server) {
        rows.push(
          ['Level at the server', `${format.format(server.level_dbfs)} dBFS`],
          ['Model step p50 / p95', `${ms(server.step_ms_p50)} / ${ms(server.step_ms_p95)} ms`],
        );
      }
      figures.replaceChildren(
        ...rows.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
      );
    },
  };
}
