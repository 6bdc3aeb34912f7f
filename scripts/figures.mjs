// Writes the measured figures into README.md, docs/PERFORMANCE_TUNING.md and docs/RELIABILITY.md, from benchmarks/results/.
//   load.json   node dist/benchmarks/load/run.js --find --json benchmarks/results/load.json
//   fleet.json  npm run faults -- fleet; npm run faults -- fleet --cost
//   faults.json npm run faults -- lanes; npm run faults -- overload
//   soak-simulated.json  npm run soak -- --simulated-hours 48 --json benchmarks/results/soak-simulated.json
//   micro.txt   npm run -s bench > benchmarks/results/micro.txt
//   sherpa.json, rating.json, wait.json, import.json   npm run bench:peers, bench:rating, bench:wait, bench:import
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultsBlock, fleetBlock, fleetCostBlock, overloadBlock } from './figures-faults.mjs';
import { importBlock, peersBlock, ratingBlock, table, waitBlock } from './figures-peers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, 'benchmarks', 'results');
const read = (name) => {
  const path = join(results, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
};

function loadBlock(load) {
  const { machine, rows } = load;
  const lines = rows.map((row) => [
    row.connections,
    `${row.chunk_ms.p50} / ${row.chunk_ms.p95} / ${row.chunk_ms.p99}`,
    row.word_ms === undefined ? 'not measured' : `${row.word_ms.p50} / ${row.word_ms.p95}`,
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
    'word latency p50 / p95, ms',
    'final p50 / p95, ms',
    'server CPU, ms per stream-second',
    'bare ONNX step for the same batches',
    'ratio',
    'mean batch',
    'event loop p99, ms',
    'refused or failed',
  ];
  return [
    `The server, the load generator and everything else shared ${machine.cores} cores (${machine.cpu}); Node ${machine.node}, rnnt-server ${load.version}, model ${load.model ?? ''}, ${load.made.slice(0, 10)}. Human speech in real time, ${rows[0].seconds} s each; all streams stop at once, so the finals of large N are a worst case.`,
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

for (const [name, file, block] of [
  ['peers', 'sherpa.json', peersBlock],
  ['rating', 'rating.json', ratingBlock],
  ['wait', 'wait.json', waitBlock],
  ['import', 'import.json', importBlock],
]) {
  const report = read(file);
  if (report !== null) fill('docs/PERFORMANCE_TUNING.md', name, block(JSON.parse(report)));
}

const percent = ({ wer, interval }) => `${wer} % (${interval.join('–')})`;

/** Word errors of the embedded model by set, from the accuracy benchmark. */
function modelBlock(accuracy, bare) {
  const sets = Object.entries(accuracy.clean);
  const rows = sets.map(([set, at]) => [set, at.clips, at.words, percent(at)]);
  const steps = Object.entries(bare).map(([batch, ms]) => [
    batch,
    ms.toFixed(2),
    (ms / Number(batch)).toFixed(2),
  ]);
  return [
    'Word error rate of the embedded model on held-out clips (95 % interval by bootstrap), through the graph as served:',
    '',
    table(['set', 'clips', 'words', 'word errors'], rows),
    '',
    'The bare ONNX step in its own process, on one thread, in the same run as the load above:',
    '',
    table(['batch', 'CPU ms per step', 'CPU ms per stream'], steps),
    '',
    'More, with noise, times and peers, is in the [model card](../models/en-tiny-streaming/MODEL_CARD.md).',
  ].join('\n');
}

/** Word error rate, %, of the sets of native read speech together, as the model card has it. */
function nativeRate(clean) {
  const sets = Object.entries(clean).filter(([set]) => /^(ps_librivox|ljspeech|commonvoice\d*)$/.test(set));
  const sum = (key) => sets.reduce((total, [, at]) => total + at[key], 0);
  return ((100 * sum('errors')) / sum('words')).toFixed(1);
}

const accuracyResult = (...path) =>
  JSON.parse(readFileSync(join(root, 'benchmarks', 'accuracy', 'results', ...path), 'utf8'));

const OURS = 'this model';

/** "this model 17.6, Vosk small 17.3, …": one figure per recogniser, ours first. */
const beside = (results, figureOf) =>
  Object.entries(results)
    .map(([name, result]) => `${name === OURS ? '**this model**' : name} ${figureOf(result)}`)
    .join(', ');

/** The sets of clips on which a peer makes fewer word errors than the embedded model. */
function whereBehind(results, peer) {
  const behind = Object.entries(results[OURS]).filter(
    ([set, at]) => set !== 'all' && results[peer][set].wer < at.wer,
  );
  const shown = behind.map(([set, at]) => `${set} ${at.wer} % against ${results[peer][set].wer}`);
  return shown.length === 0 ? '' : `; ${peer} is ahead on ${shown.join(', ')}`;
}

/** Rows that compare the embedded model with other recognisers, where it is worse too. */
function peerRows() {
  const few = accuracyResult('results.json').results;
  const all = accuracyResult('all-clips', 'results.json').results;
  const cost = accuracyResult('cost.json').results;
  return [
    `| word errors compared with other recognisers, ${few[OURS].all.clips} of these clips, % | ${beside(few, ({ all }) => all.wer)} |`,
    `| the same, all ${all[OURS].all.clips} clips, % | ${beside(all, ({ all }) => all.wer)}${whereBehind(all, 'Vosk small')} |`,
    `| text complete after the end of a clip, median ms (Whisper, Moonshine and pocketsphinx start there) | ${beside(cost, ({ afterEndMs }) => afterEndMs.median)} |`,
  ];
}

/** Streams that both servers hold with the same imported models, once that was measured. */
function serverRows() {
  const text = read('sherpa.json');
  if (text === null) return [];
  const { models, most_final_ms } = JSON.parse(text);
  const held = models.map(({ model, ours, theirs }) => `${model} ${ours.held} against ${theirs.held}`);
  return [
    `| streams with imported models, finals p95 ≤ ${most_final_ms} ms, compared with sherpa-onnx's own server | ${held.join(', ')} |`,
  ];
}

/** Parameters and size on disk of the embedded model's graph, in decimal megabytes. */
function modelSize() {
  const folder = join(root, 'models', 'en-tiny-streaming');
  const { graph, description, version } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const parameters = /([\d.]+) M parameters/.exec(description)?.[1];
  return `version ${version}, English, ${parameters} M parameters, ${(statSync(join(folder, graph)).size / 1e6).toFixed(1)} MB`;
}

/** The few figures that decide whether to read on. */
function cardBlock(load, accuracy) {
  const { machine, rows, highest } = load;
  const held = rows.filter((row) => row.connections === highest).at(-1) ?? rows[0];
  const lone = rows[0];
  const { all, ljspeech, fsdd, ...others } = accuracy.clean;
  const worst = Object.entries(others).sort(([, a], [, b]) => b.wer - a.wer)[0];
  const native = nativeRate(accuracy.clean);
  const words =
    held.word_ms === undefined
      ? ''
      : `; words appear ${Math.round(held.word_ms.p50)} ms after their end (median)`;
  return [
    '| | measured |',
    '|---|---|',
    `| machine | ${machine.cores} cores, ${machine.cpu}, shared with the load generator; Node ${machine.node} |`,
    `| streams held with chunk latency p95 ≤ 100 ms | **${highest}** (p50 ${held.chunk_ms.p50}, p95 ${held.chunk_ms.p95}, p99 ${held.chunk_ms.p99} ms)${words} |`,
    `| one stream | chunk latency p50 ${lone.chunk_ms.p50} ms, p95 ${lone.chunk_ms.p95} ms; stop to final ${lone.final_ms.p50} ms${lone.word_ms === undefined ? '' : `; words appear after ${Math.round(lone.word_ms.p50)} ms`} |`,
    `| server CPU at ${held.connections} streams | ${held.cpu_ms_per_stream_second.toFixed(1)} ms per stream-second, ${held.cpu_over_bare.toFixed(2)} × the bare ONNX step |`,
    `| embedded model | ${modelSize()} |`,
    `| its word errors, ${all.clips} held-out clips | **${percent(all)}**; native read speech ${native} %: from ${ljspeech.wer} % (prose) to ${accuracy.clean.commonvoice13.wer} % (commonvoice13); digits ${fsdd.wer} %; worst ${worst[1].wer} % (${worst[0]}) |`,
    ...peerRows(),
    ...serverRows(),
    '',
    `The embedded model is small: it gets about ${Math.round(native)} of 100 words of native reading wrong, and many more of accented speech.`,
    'For better accuracy, use a larger model ([MODELS](docs/MODELS.md)). The [model card](models/en-tiny-streaming/MODEL_CARD.md) says',
    'what it is bad at. More figures: [PERFORMANCE_TUNING](docs/PERFORMANCE_TUNING.md).',
  ].join('\n');
}

if (load !== null) {
  const [measured, accuracy] = [JSON.parse(load), accuracyResult('test.json')];
  fill('README.md', 'card', cardBlock(measured, accuracy));
  fill('docs/PERFORMANCE_TUNING.md', 'model', modelBlock(accuracy, measured.bare_step_cpu_ms));
}

const fleet = JSON.parse(read('fleet.json') ?? '{}');
if (fleet.faults !== undefined) fill('docs/RELIABILITY.md', 'fleet', fleetBlock(fleet.faults));
if (fleet.cost !== undefined) fill('docs/RELIABILITY.md', 'fleet-cost', fleetCostBlock(fleet.cost));
const faults = JSON.parse(read('faults.json') ?? '{}');
if (faults.lanes !== undefined) fill('docs/RELIABILITY.md', 'faults', faultsBlock(faults.lanes));
if (faults.overload !== undefined) fill('docs/RELIABILITY.md', 'overload', overloadBlock(faults.overload));

function longBlock(run) {
  const at = (hour) => run.by_hour.find((row) => row.hour === hour);
  const shown = [...new Set([1, 6, 12, 24, 36, run.hours])].map(at).filter((row) => row !== undefined);
  const faults = Object.entries(run.faults).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${run.hours} hours, ${run.samples.toLocaleString('en')} samples, seed ${run.seed}: ${run.words.toLocaleString('en')} words in ${run.finals.toLocaleString('en')} finals, **each once and at its time to the sample**; ${run.resumptions} resumptions, ${run.freshSessions - 1} sessions lost. Injected: ${faults.join(', ')}. Of ${run.collections} collections that can be reached from a server, **none is longer in the last ${run.hours / 8} hours** than in the first.`,
    '',
    table(
      ['hour', ...shown.map(({ hour }) => hour)],
      [
        ['heap after garbage collection, MB', ...shown.map(({ heap_mb }) => heap_mb)],
        ['external memory, MB', ...shown.map(({ external_mb }) => external_mb)],
      ],
    ),
    '',
    `\`npm run soak -- --simulated-hours ${run.hours}\`, ${run.made.slice(0, 10)}, ${run.cpu_s} s of CPU, Node v${run.machine.node}.`,
  ].join('\n');
}

const long = read('soak-simulated.json');
if (long !== null) fill('docs/RELIABILITY.md', 'soak-simulated', longBlock(JSON.parse(long)));
