/** The live figures of the demo page. */

const milliseconds = new Intl.NumberFormat(undefined, {
  style: 'unit',
  unit: 'millisecond',
  unitDisplay: 'short',
  maximumFractionDigits: 0,
});
const decimal = (/** @type {number} */ digits) =>
  new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [tenths, hundredths] = [decimal(1), decimal(2)];
/** "s" in every language and width. @param {number} value @param {Intl.NumberFormat} [format] */
const seconds = (value, format = tenths) => `${format.format(value)}\u00a0s`;
/** A longer round trip is noticeable. */
const SLOW_MS = 200;
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
  set('fig-words', stats.wordMs.p50 === null ? '–' : seconds(stats.wordMs.p50 / 1_000, hundredths));
  set('fig-connection', connection(stats));
  set('fig-chunk', ms(stats.chunkMs.p50));
  set('fig-chunk-95', stats.chunkMs.p95 === null ? '' : `p95 ${ms(stats.chunkMs.p95)}`);
  set('fig-word', ms(stats.wordMs.p50));
  set('fig-word-95', stats.wordMs.p95 === null ? '' : `p95 ${ms(stats.wordMs.p95)}`);
  set('fig-lag', seconds(stats.lag));
  set('fig-rtt', ms(stats.rttMs.p50));
  set('fig-dropped', count.format(stats.droppedPartials));
  set('fig-queue', seconds(stats.queuedSeconds));
}

/** @param {import('../client/types.js').ClientStats} stats */
function connection({ rttMs, queuedSeconds, droppedSeconds }) {
  if (droppedSeconds > 0) return `${seconds(droppedSeconds)} lost`;
  if (queuedSeconds > 1) return `${seconds(queuedSeconds)} behind`;
  if (rttMs.p50 === null) return '–';
  return `${rttMs.p50 > SLOW_MS ? 'Slow' : 'Good'}, ${ms(rttMs.p50)}`;
}
