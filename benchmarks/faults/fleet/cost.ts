/**
 * What a fleet costs a server: the same paced streams, all of which may be resumed, without and with `--cluster`, in turns. CPU
 * of the server, and what its checkpoints ask of Redis.
 */
import { generateLoad, type Percentiles } from '../../../src/load/generator.js';
import { TestRedis } from '../../../test/helpers/redis.js';
import { ServerProcess } from '../../../test/helpers/server-process.js';
import { type RedisLoad, RedisWatch, round } from './redis-load.js';

export interface CostRow {
  readonly cluster: boolean;
  readonly cpu_ms_per_stream_second: number;
  readonly chunk_ms: Percentiles;
  readonly refused: number;
  readonly failed: number;
  readonly redis: RedisLoad | null;
  /** What goes to Redis for one stream. */
  readonly bytes_per_s_per_stream: number | null;
}

export interface CostReport {
  readonly streams: number;
  readonly seconds: number;
  readonly rows: readonly CostRow[];
  /** Of the CPU without a fleet: the mean over the turns, and what each turn says. */
  readonly more_cpu_percent: number;
  readonly more_cpu_percent_each: readonly number[];
}

async function measure(redis: TestRedis | null, streams: number, seconds: number): Promise<CostRow> {
  const args = ['--admission', 'slots', '--max-streams', String(streams)];
  const server = await ServerProcess.reserve(
    ...args,
    ...(redis === null ? [] : ['--cluster', redis.url, '--cluster-name', `cost-${performance.now()}`]),
  );
  await server.start();
  try {
    const watch = redis === null ? null : await RedisWatch.start(redis.url);
    const before = await server.cpuSeconds();
    const report = await generateLoad({ url: `${server.ws}?resumable=1`, connections: streams, seconds });
    const cpu = (await server.cpuSeconds()) - before;
    const load = (await watch?.stop()) ?? null;
    const status = (await (await fetch(`${server.http}/ws/status`)).json()) as {
      audio_seconds_processed: number;
    };
    const streamSeconds = status.audio_seconds_processed;
    return {
      cluster: redis !== null,
      cpu_ms_per_stream_second: round((cpu * 1000) / streamSeconds),
      chunk_ms: report.chunk_ms,
      refused: report.refused,
      failed: report.failed,
      redis: load,
      bytes_per_s_per_stream: load === null ? null : Math.round(load.bytes_in / streamSeconds),
    };
  } finally {
    await server.kill();
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param turns of one run without and one with a fleet */
export async function measureCost(streams: number, seconds: number, turns: number): Promise<CostReport> {
  const redis = await TestRedis.start();
  const rows: CostRow[] = [];
  const each: number[] = [];
  try {
    for (let i = 0; i < turns; i++) {
      // Whichever comes first in turn: a machine that warms up or slows down counts for neither.
      const order = i % 2 === 0 ? [null, redis] : [redis, null];
      const pair: CostRow[] = [];
      for (const store of order) {
        const row = await measure(store, streams, seconds);
        pair.push(row);
        process.stderr.write(`${JSON.stringify(row)}\n`);
      }
      const [without, withFleet] = [false, true].map((cluster) =>
        pair.find((row) => row.cluster === cluster),
      );
      if (without !== undefined && withFleet !== undefined)
        each.push(round(100 * (withFleet.cpu_ms_per_stream_second / without.cpu_ms_per_stream_second - 1)));
      rows.push(...pair);
    }
  } finally {
    await redis.stop();
  }
  return { streams, seconds, rows, more_cpu_percent: round(mean(each)), more_cpu_percent_each: each };
}
