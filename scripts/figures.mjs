// Writes the measured figures into README.md and docs/PERFORMANCE_TUNING.md, from benchmarks/results/.
//   load.json   node dist/benchmarks/load/run.js --find --json benchmarks/results/load.json
//   micro.txt   npm run -s bench > benchmarks/results/micro.txt
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, 'benchmarks', 'results');
const read = (name) => {
  const path = join(results, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
};

const table = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');

function loadBlock(load) {
  const { machine, rows } = load;
  const lines = rows.map((row) => [
    row.connections,
    `${row.chunk_ms.p50} / ${row.chunk_ms.p95} / ${row.chunk_ms.p99}`,
    `${row.final_ms.p50} / ${row.final_ms.p95}`,
    row.cpu_ms_per_stream_second,
    row.bare_ms_per_stream_second,
    `${row.cpu_over_bare} ×`,
    row.batch_mean,
    row.event_loop_delay_p99_ms,
    row.refused + row.failed,
  ]);
  const head = [
    'streams',
    'chunk latency p50 / p95 / p99, ms',
    'final p50 / p95, ms',
    'server CPU, ms per stream-second',
    'bare ONNX step for the same batches',
    'ratio',
    'mean batch',
    'event loop p99, ms',
    'refused or failed',
  ];
  return [
    `Server, load generator and whatever else ran shared ${machine.cores} cores (${machine.cpu}); Node ${machine.node}, rnnt-server ${load.version}, model ${load.model ?? ''}, ${load.made.slice(0, 10)}. Human speech in real time, ${rows[0].seconds} s each.`,
    '',
    table(head, lines),
    '',
    load.highest === null || load.highest === undefined
      ? ''
      : `Highest number of streams with chunk latency p95 ≤ 100 ms in this run: **${load.highest}**.`,
    'Made by `node dist/benchmarks/load/run.js --find --json benchmarks/results/load.json`.',
  ].join('\n');
}

function fill(file, name, text) {
  const path = join(root, file);
  const before = readFileSync(path, 'utf8');
  const pattern = new RegExp(`(<!-- figures: ${name} -->\n)[\\s\\S]*?(<!-- end figures -->)`);
  if (!pattern.test(before)) throw new Error(`${file} has no place for ${name}`);
  const after = before.replace(pattern, (_, open, close) => `${open}${text}\n${close}`);
  if (after !== before) writeFileSync(path, after);
}

const load = read('load.json');
if (load !== null) fill('docs/PERFORMANCE_TUNING.md', 'load', loadBlock(JSON.parse(load)));
const micro = read('micro.txt');
if (micro !== null) {
  const text = `\`npm run bench\`, CPU time:\n\n\`\`\`\n${micro.trim()}\n\`\`\``;
  fill('docs/PERFORMANCE_TUNING.md', 'micro', text);
}
for (const [file, name, source] of [
  ['README.md', 'card', 'card.md'],
  ['docs/PERFORMANCE_TUNING.md', 'model', 'model.md'],
]) {
  const text = read(source);
  if (text !== null) fill(file, name, text.trim());
}
