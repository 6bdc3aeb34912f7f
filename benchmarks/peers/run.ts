/**
 * rnnt-server against sherpa-onnx's own sherpa-onnx-online-websocket-server: the same files, the same client, the same speech in
 * real time.
 *
 *   npm run bench:peers -- [--shapes 66m,23m,114m,3m] [--precisions fp32,int8] [--seconds 15] [--final-ms 500] [--turns 2] [--minutes 90]
 *     [--fresh] [--work DIR] [--json FILE]
 *
 * For each model: what both hear in some clips (the same work?); which of several settings serves sherpa-onnx best, at what
 * rnnt-server holds; then more and more streams for each, up to the first number at which the final result of an utterance takes longer
 * than --final-ms (p95). At last both serve the same numbers of streams, several times in turns, since a machine's speed
 * changes within minutes. First of all both hear the trained recogniser of digits: real words. Finished rows are kept below --work, so a
 * run that was cut, or whose --minutes were over, goes on where it stood; --fresh begins anew.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inPackage, packageVersion } from '../../src/paths.js';
import { hear, humanClips } from './client.js';
import { DIGITS, digitClips, type PeerModel, PRECISIONS, prepareModel, Rows } from './models.js';
import { rnntServer, sherpaOnnx } from './protocols.js';
import { measureRow, type Row } from './row.js';
import { type RunningPeer, SHERPA_PACKAGE, startOurs, startSherpa } from './servers.js';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: '66m,23m,114m,3m' },
    precisions: { type: 'string', default: PRECISIONS.join() },
    seconds: { type: 'string', default: '15' },
    warm: { type: 'string', default: '4' },
    'final-ms': { type: 'string', default: '500' },
    turns: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '90' },
    fresh: { type: 'boolean', default: false },
    work: { type: 'string', default: inPackage('.cache', 'peers') },
    json: { type: 'string', default: inPackage('benchmarks', 'results', 'sherpa.json') },
  },
});
const mostFinalMs = Number(values['final-ms']);
const [seconds, warmSeconds] = [Number(values.seconds), Number(values.warm)];
const untilMs = performance.now() + Number(values.minutes) * 60_000;

/** Numbers of streams to try. */
const LADDER = [1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 72, 80, 88, 96, 104, 112, 128, 144, 160, 192, 224, 256, 288, 320, 384, 448, 512]; // biome-ignore format: a list

/** Shares of the streams that both hold at which they are compared in turns. */
const SHARES = [0.5, 0.85];

/** Admission by slots: both servers then accept every client. */
const OURS = ['--admission', 'slots'];
/** sherpa-onnx on few cores: decoder threads × batch × polling interval; its defaults come first. */
const SETTINGS = [
  { work: 3, batch: 5, loop: 10, intra: 1 },
  { work: 2, batch: 16, loop: 10, intra: 1 },
  { work: 2, batch: 32, loop: 30, intra: 1 },
  { work: 1, batch: 32, loop: 10, intra: 2 },
];
type Setting = (typeof SETTINGS)[number];
const optionsOf = ({ work, batch, loop, intra }: Setting): string[] => [
  `--num-work-threads=${work}`,
  `--max-batch-size=${batch}`,
  `--loop-interval-ms=${loop}`,
  `--num-threads=${intra}`,
];

const holds = ({ final_ms, utterances, lost, failed }: Row): boolean =>
  final_ms.p95 <= mostFinalMs && utterances > 0 && lost === 0 && failed === 0;

/** Clips that both transcribe before the load. */
const COMPARED_CLIPS = 6;

class OutOfTime extends Error {}

interface Side {
  readonly rows: Row[];
  /** Most streams that met the target; 0: none of those tried. */
  held: number;
}

interface ModelReport {
  readonly model: string;
  readonly words: { same: number; of: number; ours: number; theirs: number };
  readonly setting: string;
  readonly tried: { setting: string; row: Row }[];
  readonly ours: Side;
  readonly theirs: Side;
  readonly turns: { readonly streams: number; readonly ours: Row[]; readonly theirs: Row[] }[];
}

if (values.fresh) rmSync(values.work, { recursive: true, force: true });
mkdirSync(values.work, { recursive: true });
const clips = await humanClips();
const rows = new Rows<Row>(join(values.work, 'rows.json'));

const startModel = (model: PeerModel, setting: Setting | null): Promise<RunningPeer> =>
  setting === null
    ? startOurs(model.folder, OURS)
    : startSherpa(model.files, optionsOf(setting), values.work);

/** @param turn 0: the first measurement of this number of streams */
async function rowOf(model: PeerModel, setting: Setting | null, streams: number, turn = 0): Promise<Row> {
  const name = setting === null ? 'rnnt-server' : `sherpa-onnx ${JSON.stringify(setting)}`;
  const again = turn === 0 ? '' : `, turn ${turn}`;
  const row = await rows.get(`${model.name} ${name} ${streams} × ${seconds} s${again}`, () => {
    if (performance.now() > untilMs) throw new OutOfTime();
    return measureRow({ start: () => startModel(model, setting), streams, clips, warmSeconds, seconds });
  });
  const { final_ms, cpu_ms_per_stream_second, rss_mb, lost, failed, late_ms, own, busy_before } = row;
  process.stdout.write(
    `${model.name.padEnd(10)} ${name.padEnd(62)} ${String(streams).padStart(3)} streams  final p50 ${final_ms.p50} p95 ${final_ms.p95} ms  ` +
      `cpu ${cpu_ms_per_stream_second} ms/stream-s  rss ${rss_mb} MB  lost ${lost} failed ${failed}  client late p99 ${late_ms.p99} ms` +
      `${own === null ? '' : `  batch ${own.batch_mean}  chunk p95 ${own.chunk_ms.p95} ms`}  (load before ${busy_before})\n`,
  );
  return row;
}

/** Climbs the ladder from about `from` streams, or descends until the target is met. */
async function climb(model: PeerModel, setting: Setting | null, from: number): Promise<Side> {
  const side: Side = { rows: [], held: 0 };
  const at = async (place: number): Promise<boolean> => {
    const row = await rowOf(model, setting, LADDER[place] ?? 1);
    side.rows.push(row);
    if (holds(row)) side.held = Math.max(side.held, row.streams);
    return holds(row);
  };
  let place = Math.max(
    0,
    LADDER.findLastIndex((streams) => streams <= from),
  );
  if (await at(place)) while (++place < LADDER.length && (await at(place)));
  else while (--place >= 0 && !(await at(place)));
  return side;
}

/** The number of words of some clips that are the same in both. */
async function compareWords(model: PeerModel, some: readonly Float32Array[]): Promise<ModelReport['words']> {
  const told: string[][][] = [];
  for (const setting of [null, SETTINGS[1] as Setting]) {
    const peer = await startModel(model, setting);
    const protocol = setting === null ? rnntServer : sherpaOnnx;
    told.push(await hear(peer.url, protocol, some));
    await peer.stop();
  }
  const [ours = [], theirs = []] = told;
  let same = 0;
  ours.forEach((words, i) => {
    const others = theirs[i] ?? [];
    same += words.filter((word, k) => word === others[k]).length;
  });
  const [mine, others] = [ours, theirs].map((all) => all.reduce((sum, it) => sum + it.length, 0));
  return { same, of: Math.max(mine ?? 0, others ?? 0), ours: mine ?? 0, theirs: others ?? 0 };
}

/** Starting point: rnnt-server's rated capacity. */
async function ratingOf(model: PeerModel): Promise<number> {
  const peer = await startOurs(model.folder, []);
  const { capacity } = (await (await fetch(`${peer.http}/health/extended`)).json()) as {
    capacity: { streams: number };
  };
  await peer.stop();
  return capacity.streams;
}

const tellWords = (name: string, { same, of, ours, theirs }: ModelReport['words']): void => {
  process.stdout.write(
    `${name}: ${same} of ${of} words the same (rnnt-server ${ours}, sherpa-onnx ${theirs})\n`,
  );
};

async function compareModel(model: PeerModel): Promise<ModelReport> {
  const words = await compareWords(model, clips.slice(0, COMPARED_CLIPS));
  tellWords(model.name, words);
  const ours = await climb(model, null, await ratingOf(model));
  const tried: ModelReport['tried'] = [];
  for (const setting of SETTINGS) {
    const row = await rowOf(model, setting, Math.max(1, Math.round(ours.held * 0.75)));
    tried.push({ setting: optionsOf(setting).join(' '), row });
  }
  const order = tried.map((_, i) => i).sort((a, b) => finalOf(tried[a]) - finalOf(tried[b]));
  const best = SETTINGS[order[0] ?? 0] as Setting;
  const theirs = await climb(model, best, Math.max(1, Math.round(ours.held * 0.75)));
  const turns = await inTurns(model, best, Math.min(ours.held, theirs.held));
  return { model: model.name, words, setting: optionsOf(best).join(' '), tried, ours, theirs, turns };
}

/** Both with the same numbers of streams: one stream, and shares of what both hold. */
async function inTurns(model: PeerModel, best: Setting, held: number): Promise<ModelReport['turns']> {
  const numbers = new Set([1, ...SHARES.map((share) => Math.max(1, Math.round(held * share)))]);
  const turns: ModelReport['turns'] = [];
  for (const streams of numbers) {
    const [ours, theirs]: [Row[], Row[]] = [[], []];
    for (let turn = 1; turn <= Number(values.turns); turn++) {
      ours.push(await rowOf(model, null, streams, turn));
      theirs.push(await rowOf(model, best, streams, turn));
    }
    turns.push({ streams, ours, theirs });
  }
  return turns;
}

const finalOf = (it: ModelReport['tried'][number] | undefined): number => it?.row.final_ms.p95 ?? 0;

const reports: ModelReport[] = [];
const digitsModel = prepareModel(DIGITS, 'fp32', values.work);
const digits = await compareWords(digitsModel, digitClips());
tellWords('digits', digits);

function write(): void {
  const report = {
    made: new Date().toISOString(),
    version: packageVersion,
    peer: SHERPA_PACKAGE,
    machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version },
    seconds,
    most_final_ms: mostFinalMs,
    digits,
    models: reports,
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
}

let at = '';
try {
  for (const shape of values.shapes.split(',')) {
    for (const precision of PRECISIONS.filter((it) => values.precisions.split(',').includes(it))) {
      at = `${shape} ${precision}`;
      reports.push(await compareModel(prepareModel(shape, precision, values.work)));
      write(); // kept, whatever comes later
    }
  }
} catch (error) {
  if (!(error instanceof OutOfTime)) throw error;
  process.stdout.write(`out of time in ${at}; run it again to go on\n`);
}
