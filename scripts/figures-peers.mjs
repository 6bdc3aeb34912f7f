// The tables of the loads in benchmarks/peers, for figures.mjs.

/** A table of Markdown. */
export const table = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');

const made = ({ machine, version, made: when }) =>
  `${machine.cores} cores (${machine.cpu}), shared with the client; Node ${machine.node}, rnnt-server ${version}, ${when.slice(0, 10)}.`;
const round = (value, digits = 1) => Number(value.toFixed(digits));
const ratio = (ours, theirs) => (theirs > 0 ? `${round(ours / theirs, 2)} ×` : '–');
const finals = ({ final_ms }) => `${final_ms.p50} / ${final_ms.p95}`;

/** The largest number of streams that was measured on both servers and met by both. */
function common(ours, theirs) {
  const held = Math.min(ours.held, theirs.held);
  const both = ours.rows.filter(
    ({ streams }) => streams <= held && theirs.rows.some((row) => row.streams === streams),
  );
  const our = both.sort((a, b) => a.streams - b.streams).at(-1);
  return our === undefined
    ? null
    : { our, their: theirs.rows.find(({ streams }) => streams === our.streams) };
}

/** rnnt-server compared with sherpa-onnx's own server: one row per model. */
export function peersBlock(report) {
  const rows = report.models.map(({ model, ours, theirs, words }) => {
    const at = common(ours, theirs);
    const cost = at && [at.our.cpu_ms_per_stream_second, at.their.cpu_ms_per_stream_second];
    return [
      model,
      `${ours.held} / ${theirs.held}`,
      ratio(ours.held, theirs.held),
      at === null ? '–' : at.our.streams,
      at === null ? '–' : `${cost.join(' / ')} (${ratio(...cost)})`,
      at === null
        ? '–'
        : `${finals(at.our)} against ${finals(at.their)} (${ratio(at.our.final_ms.p95, at.their.final_ms.p95)})`,
      at === null ? '–' : `${Math.round(at.our.rss_mb)} / ${Math.round(at.their.rss_mb)}`,
      `${words.same} of ${words.of}`,
    ];
  });
  const head = [
    'model',
    `streams with finals p95 ≤ ${report.most_final_ms} ms, ours / theirs`,
    'ratio',
    'compared at streams',
    'CPU, ms per stream-second, ours / theirs',
    'finals p50 / p95, ms',
    'memory, MB, ours / theirs',
    'words the same',
  ];
  const settings = report.models.map(({ model, setting }) => `${model}: \`${setting}\``);
  return [
    `${made(report)} Peer: ${report.peer}. Windows of ${report.seconds} s.`,
    '',
    table(head, rows),
    '',
    `Settings that served sherpa-onnx best, of four tried for each model: ${settings.join('; ')}. rnnt-server with its defaults.`,
    `The trained recogniser of digits: ${report.digits.same} of ${report.digits.of} words the same. Made by \`npm run bench:peers\`.`,
  ].join('\n');
}

/** The rated capacity next to the number of streams that met the target. */
export function ratingBlock(report) {
  const rows = report.models.map(({ model, target_ms, rated, held }) => [
    model,
    target_ms,
    rated,
    held,
    `${held > 0 ? Math.round((100 * rated) / held) : '–'} %`,
  ]);
  const head = ['model', 'chunk latency p95 ≤, ms', 'rated', 'held', 'rated / held'];
  return [made(report), '', table(head, rows), '', 'Made by `npm run bench:rating`.'].join('\n');
}

/** The effect of a wait in the batcher. */
export function waitBlock(report) {
  const rows = report.rows.map(({ model, wait, streams, own, final_ms, cpu_ms_per_stream_second }) => [
    model,
    streams,
    wait === '0' ? 'none' : wait,
    own.batch_mean,
    cpu_ms_per_stream_second,
    `${own.chunk_ms.p50} / ${own.chunk_ms.p95}`,
    `${final_ms.p50} / ${final_ms.p95}`,
  ]);
  const head = [
    'model',
    'streams',
    'wait',
    'mean batch',
    'CPU, ms per stream-second',
    'chunk latency p50 / p95',
    'final p50 / p95',
  ];
  return [made(report), '', table(head, rows), '', 'Made by `npm run bench:wait`.'].join('\n');
}

/** The cost of imports. */
export function importBlock(report) {
  const rows = report.models.map(({ name, megabytes, seconds, cpuSeconds }) => [
    name,
    round(megabytes),
    round(seconds),
    round(cpuSeconds),
  ]);
  const head = ['model', 'MB', 'seconds', 'CPU seconds'];
  return [
    made(report),
    '',
    table(head, rows),
    '',
    'The program’s start included. Made by `npm run bench:import`.',
  ].join('\n');
}
