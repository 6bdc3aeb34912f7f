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

/** The mean of a figure over the rows. @param {(row: any) => number} figure */
const mean = (rows, figure) => rows.reduce((sum, row) => sum + figure(row), 0) / rows.length;
const both = (ours, theirs, figure, digits) => {
  const [our, their] = [mean(ours, figure), mean(theirs, figure)];
  return `${round(our, digits)} / ${round(their, digits)} (${ratio(our, their)})`;
};

/** rnnt-server compared with sherpa-onnx's own server. */
export function peersBlock(report) {
  const held = report.models.map(({ model, ours, theirs, words, setting }) => [
    model,
    `${ours.held} / ${theirs.held}`,
    ratio(ours.held, theirs.held),
    `${words.same} of ${words.of}`,
    `\`${setting}\``,
  ]);
  const turns = report.models.flatMap(({ model, turns: all }) =>
    all.map(({ streams, ours, theirs }) => [
      model,
      streams,
      both(ours, theirs, (row) => row.cpu_ms_per_stream_second, 1),
      both(ours, theirs, (row) => row.final_ms.p50, 0),
      both(ours, theirs, (row) => row.final_ms.p95, 0),
      both(ours, theirs, (row) => row.rss_mb, 0),
    ]),
  );
  return [
    `${made(report)} Peer: ${report.peer}. Windows of ${report.seconds} s.`,
    '',
    table(
      [
        'model',
        `streams with finals p95 ≤ ${report.most_final_ms} ms, ours / theirs`,
        'ratio',
        'words the same',
        'setting that served sherpa-onnx best, of four',
      ],
      held,
    ),
    '',
    `With the same numbers of streams, in turns, means of ${report.models[0]?.turns[0]?.ours.length ?? 0} runs (ours / theirs):`,
    '',
    table(
      ['model', 'streams', 'CPU, ms per stream-second', 'finals p50, ms', 'finals p95, ms', 'memory, MB'],
      turns,
    ),
    '',
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
