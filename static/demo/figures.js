/** The live figures of the demo page. */

const milliseconds = new Intl.NumberFormat(undefined, {
  style: 'unit',
  unit: 'millisecond',
  unitDisplay: 'short',
  maximumFractionDigits: 0,
});
const seconds = new Intl.NumberFormat(undefined, {
  style: 'unit',
  unit: 'second',
  unitDisplay: 'short',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const count = new Intl.NumberFormat();

/**
 * @param {string} id
 * @param {string} text
 */
function set(id, text) {
  const node = document.getElementById(id);
  if (node && node.textContent !== text) node.textContent = text;
}

/** @param {number | null} value */
const ms = (value) => (value === null ? '–' : milliseconds.format(value));

/** @param {import('../client/types.js').ClientStats} stats */
export function showFigures(stats) {
  set('fig-chunk', ms(stats.chunkMs.p50));
  set('fig-chunk-95', stats.chunkMs.p95 === null ? '' : `p95 ${ms(stats.chunkMs.p95)}`);
  set('fig-word', ms(stats.wordMs.p50));
  set('fig-word-95', stats.wordMs.p95 === null ? '' : `p95 ${ms(stats.wordMs.p95)}`);
  set('fig-lag', seconds.format(stats.lag));
  set('fig-rtt', ms(stats.rttMs.p50));
  set('fig-dropped', count.format(stats.droppedPartials));
  set('fig-queue', seconds.format(stats.queuedSeconds));
}
