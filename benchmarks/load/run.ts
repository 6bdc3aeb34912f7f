/**
 * The paced end-to-end load run. For each N: a fresh server process, N streams of speech from this process, then the
 * server's own CPU time, latencies, batch sizes, and what the bare ONNX step would have cost for the same batches.
 *
 *   node dist/benchmarks/load/run.js [--streams 1,16,64,128] [--seconds 30] [--find] [--json FILE] [--model NAME]
 *     [--server "--batch-wait-ms 0"]
 */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { generateLoad, type LoadReport } from '../../src/load/generator.js';
import { loadModel } from '../../src/models/store.js';
import { packageVersion } from '../../src/paths.js';

interface ServerFigures {
  cpu_ms_per_stream_second: number;
  bare_ms_per_stream_second: number;
  cpu_over_bare: number;
  event_loop_delay_p99_ms: number;
  server_chunk_ms: { p50: number; p95: number; p99: number };
  batch_mean: number;
  batch_histogram: Record<string, number>;
  rss_mb: number;
}
type Row = LoadReport & ServerFigures;

const BIN = fileURLToPath(new URL('../../../scripts/bin.mjs', import.meta.url));
const BARE = fileURLToPath(new URL('./bare-step.js', import.meta.url));
const LATENCY_TARGET_MS = 100;

async function startServer(): Promise<{ http: string; pid: number; stop(): Promise<void> }> {
  const args = [
    BIN,
    'start',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--admission',
    'slots',
    '--log-level',
    'warn',
    '--model',
    values.model,
    ...values.server.split(' ').filter(Boolean),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    const found = /status\s+(http:\/\/\S+)\/ws\/status/.exec(printed);
    if (found?.[1]) {
      const stop = async () => {
        child.kill('SIGTERM');
        await exited;
      };
      child.stdout.resume();
      return { http: found[1], pid: child.pid ?? 0, stop };
    }
  }
  throw new Error(`the server did not start: ${printed}`);
}

const cpuSeconds = async (http: string): Promise<number> => {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(/^rnnt_cpu_seconds_total (\S+)/m.exec(text)?.[1] ?? Number.NaN);
};

// biome-ignore lint/suspicious/noExplicitAny: a report to be printed
const statusOf = async (http: string): Promise<any> => (await fetch(`${http}/ws/status`)).json();

/** CPU of the bare step for these batches, interpolated linearly between the measured sizes. */
function bareMs(histogram: Record<string, number>, bare: Record<string, number>): number {
  const sizes = Object.keys(bare)
    .map(Number)
    .sort((a, b) => a - b);
  const cost = (batch: number): number => {
    const upper = sizes.findIndex((size) => size >= batch);
    if (upper <= 0) return upper === 0 ? bare[sizes[0]!]! : (bare[sizes.at(-1)!]! * batch) / sizes.at(-1)!;
    const [low, high] = [sizes[upper - 1]!, sizes[upper]!];
    return bare[low]! + ((bare[high]! - bare[low]!) * (batch - low)) / (high - low);
  };
  return Object.entries(histogram).reduce((sum, [batch, count]) => sum + count * cost(Number(batch)), 0);
}

async function measure(connections: number, seconds: number, bare: Record<string, number>): Promise<Row> {
  const server = await startServer();
  const before = await cpuSeconds(server.http);
  let lateP99 = 0;
  const poll = setInterval(async () => {
    const status = await statusOf(server.http);
    lateP99 = Math.max(lateP99, status.event_loop_delay_ms.p99);
  }, 5_000);
  const report = await generateLoad({
    url: `${server.http.replace('http', 'ws')}/ws/transcribe`,
    connections,
    seconds,
  });
  clearInterval(poll);
  const cpu = (await cpuSeconds(server.http)) - before;
  const status = await statusOf(server.http);
  await server.stop();
  const streamSeconds = status.audio_seconds_processed as number;
  const bareTotal = bareMs(status.batch_size.histogram, bare);
  const round = (value: number) => Math.round(value * 1000) / 1000;
  return {
    ...report,
    cpu_ms_per_stream_second: round((cpu * 1000) / streamSeconds),
    bare_ms_per_stream_second: round(bareTotal / streamSeconds),
    cpu_over_bare: round((cpu * 1000) / bareTotal),
    event_loop_delay_p99_ms: Math.max(lateP99, status.event_loop_delay_ms.p99),
    server_chunk_ms: status.latency_ms.chunk,
    batch_mean: status.batch_size.mean,
    batch_histogram: status.batch_size.histogram,
    rss_mb: status.memory.rss_mb,
  };
}

const measureBare = (): Record<string, number> =>
  JSON.parse(execFileSync(process.execPath, [BARE, values.model], { encoding: 'utf8' })) as Record<
    string,
    number
  >;

function printRow(row: Row): void {
  const { chunk_ms, word_ms, final_ms } = row;
  process.stdout.write(
    `${String(row.connections).padStart(5)} streams  chunk p50 ${chunk_ms.p50} p95 ${chunk_ms.p95} p99 ${chunk_ms.p99} ms  ` +
      `word p50 ${word_ms.p50} p95 ${word_ms.p95} ms  final p95 ${final_ms.p95} ms  cpu ${row.cpu_ms_per_stream_second} ms/stream-s (${row.cpu_over_bare} x bare)  ` +
      `loop p99 ${row.event_loop_delay_p99_ms} ms  batch ${row.batch_mean}  refused ${row.refused} failed ${row.failed}  ` +
      `generator late p99 ${row.pacing_late_ms.p99} ms\n`,
  );
}

/** Increases the load until p95 exceeds the target; returns the highest N that met it. */
async function findHighest(
  from: number,
  seconds: number,
  bare: Record<string, number>,
  rows: Row[],
): Promise<number> {
  let held = 0;
  for (let n = from; n <= 1024; n = Math.ceil((n * 1.15) / 8) * 8) {
    const row = await measure(n, seconds, bare);
    rows.push(row);
    printRow(row);
    if (row.chunk_ms.p95 > LATENCY_TARGET_MS || row.failed > 0 || row.refused > 0) break;
    held = n;
  }
  return held;
}

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1,16,64,128' },
    seconds: { type: 'string', default: '30' },
    find: { type: 'boolean', default: false },
    json: { type: 'string' },
    model: { type: 'string', default: 'default' },
    server: { type: 'string', default: '' },
  },
});
const bare = measureBare();
process.stdout.write(`bare step, CPU ms by batch: ${JSON.stringify(bare)}\n`);
const rows: Row[] = [];
for (const n of values.streams.split(',').map(Number)) {
  const row = await measure(n, Number(values.seconds), bare);
  rows.push(row);
  printRow(row);
}
const last = rows.filter((row) => row.chunk_ms.p95 <= LATENCY_TARGET_MS).at(-1)?.connections ?? 16;
const highest = values.find ? await findHighest(last, Number(values.seconds), bare, rows) : null;
if (highest !== null)
  process.stdout.write(`highest N with chunk p95 <= ${LATENCY_TARGET_MS} ms: ${highest}\n`);
if (values.json) {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const report = {
    made: new Date().toISOString(),
    version: packageVersion,
    model: (await loadModel('default')).manifest.name,
    machine,
    bare_step_cpu_ms: bare,
    highest,
    rows,
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
