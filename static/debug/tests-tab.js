import { download } from '../demo/export.js';
import { button, el } from './dom.js';

/**
 * @typedef {import('./checks.js').CheckResult} CheckResult
 * @typedef {import('./load-test.js').LoadReport} LoadReport
 */

/**
 * A button for every check, with the findings below.
 * @param {import('./tools.js').RNNTDebugTools} tools
 */
export function testsTab(tools) {
  const nothing = el('p', { class: 'hint' }, 'No test has run yet.');
  const results = el('div', { class: 'results', 'aria-live': 'polite' }, nothing);
  const number = (/** @type {string} */ label, /** @type {string} */ value, /** @type {string} */ max) =>
    el('input', { type: 'number', value, min: '1', max, 'aria-label': label });
  const connections = number('Connections', '10', '200');
  const seconds = number('Seconds', '10', '600');
  /** @type {HTMLButtonElement[]} */
  const buttons = [];

  /** @param {() => Promise<Node | Node[]>} work */
  async function run(work) {
    for (const b of buttons) b.disabled = true;
    results.replaceChildren(el('p', { class: 'hint' }, 'Running …'));
    try {
      results.replaceChildren(...[await work()].flat());
    } catch (error) {
      results.replaceChildren(
        el('p', { class: 'fail' }, error instanceof Error ? error.message : String(error)),
      );
    } finally {
      for (const b of buttons) b.disabled = false;
    }
  }

  const onProgress = (/** @type {number} */ done) => {
    results.replaceChildren(
      el('p', { class: 'hint' }, `${done} of ${streams(Number(connections.value))} done`),
    );
  };
  const load = () => tools.runLoadTest(Number(connections.value), Number(seconds.value), { onProgress });
  buttons.push(
    button('Run all tests', () => run(async () => showAll(await tools.runAllTests())), 'primary-button'),
    button('Connection', () => run(async () => showCheck(await tools.testConnection()))),
    button('Audio formats', () => run(async () => showCheck(await tools.testAudioFormat()))),
    button('Load test', () => run(async () => showLoad(await load()))),
  );
  const save = button('Save report', () => {
    download('rnnt-report.json', 'application/json', `${JSON.stringify(tools.report(), null, 2)}\n`);
  });
  return el(
    'section',
    { class: 'tab-panel' },
    el(
      'div',
      { class: 'toolbar' },
      ...buttons,
      el('span', { class: 'with-unit' }, connections, el('span', { class: 'hint' }, 'streams')),
      el('span', { class: 'with-unit' }, seconds, el('span', { class: 'hint' }, 's')),
      save,
    ),
    results,
  );
}

/** @param {{ checks: CheckResult[], load: LoadReport }} all */
function showAll({ checks, load }) {
  return [...checks.map(showCheck), showLoad(load)];
}

/** @param {CheckResult} check */
export function showCheck({ name, ok, findings }) {
  return el(
    'section',
    { class: 'check' },
    el('h2', { class: ok ? 'pass' : 'fail' }, `${name}: ${ok ? 'passed' : 'failed'}`),
    el(
      'ul',
      { class: 'findings' },
      ...findings.map((f) =>
        el(
          'li',
          { class: f.ok ? 'pass' : 'fail' },
          `${f.name}${f.detail ? `: ${f.detail}` : ''}`,
          f.ms === undefined ? '' : el('small', {}, ` ${f.ms.toFixed(0)} ms`),
        ),
      ),
    ),
  );
}

/** @param {LoadReport} report */
function showLoad(report) {
  const ok = report.failures.length === 0;
  const row = (/** @type {string} */ name, /** @type {import('./load-test.js').Spread} */ s) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, name),
      ...[s.p50, s.p95, s.p99, s.max, s.count].map((v) => el('td', {}, v === null ? '–' : v.toFixed(0))),
    );
  const remarks = [
    ...report.failures.map((f) => el('li', { class: 'fail' }, `${f.count} × ${f.code}: ${f.text}`)),
    el(
      'li',
      { class: report.distinctTranscripts <= 1 ? 'pass' : 'fail' },
      `${report.distinctTranscripts} distinct transcripts of the same audio`,
    ),
    el(
      'li',
      { class: report.lateMs < 100 ? 'pass' : 'fail' },
      `This browser’s timers were at most ${report.lateMs} ms late`,
    ),
  ];
  return el(
    'section',
    { class: 'check' },
    el(
      'h2',
      { class: ok ? 'pass' : 'fail' },
      `Load test: ${report.completed} of ${streams(report.connections)} of ${report.seconds} s completed`,
    ),
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          ...['ms', 'p50', 'p95', 'p99', 'max', 'samples'].map((h) => el('th', { scope: 'col' }, h)),
        ),
      ),
      el('tbody', {}, row('Chunk', report.chunkMs), row('Word', report.wordMs), row('Final', report.finalMs)),
    ),
    el('ul', { class: 'findings' }, ...remarks),
  );
}

/** @param {number} count */
const streams = (count) => `${count} ${count === 1 ? 'stream' : 'streams'}`;
