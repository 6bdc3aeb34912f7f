/** What a fleet asks of its Redis, looked at once a second. */
import { setInterval as every } from 'node:timers/promises';
import type { RedisLink } from '../../../src/cluster/link.js';
import { lookInto } from '../../../test/helpers/fleet.js';

export interface RedisLoad {
  readonly calls_per_s: number;
  readonly calls_per_s_max: number;
  /** From the servers to Redis. */
  readonly mb_per_s_in: number;
  readonly bytes_in: number;
  readonly mb_per_s_out: number;
  readonly memory_mb_max: number;
  /** Of one core. */
  readonly cpu_percent: number;
}

/** Counted since Redis was started. */
const COUNTED = ['calls', 'in', 'out', 'cpu'] as const;
type Counts = Record<(typeof COUNTED)[number], number>;

const LOOK_EVERY_MS = 1_000;

function countsOf(info: string): Counts & { readonly memory: number } {
  const number = (name: string) => Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? 0);
  // Programs are called; what they do inside is no call of its own.
  const calls = [...info.matchAll(/^cmdstat_(?!info)[^|:]+:calls=(\d+)/gm)].filter(([line]) =>
    /^cmdstat_eval/.test(line),
  );
  return {
    calls: calls.reduce((sum, [, count]) => sum + Number(count), 0),
    in: number('total_net_input_bytes'),
    out: number('total_net_output_bytes'),
    cpu: number('used_cpu_user') + number('used_cpu_sys'),
    memory: number('used_memory'),
  };
}

export class RedisWatch {
  private readonly link: RedisLink;
  private readonly sums: Counts = { calls: 0, in: 0, out: 0, cpu: 0 };
  private last: Counts;
  private seconds = 0;
  private lastMs = performance.now();
  private mostCalls = 0;
  private mostMemory = 0;
  private readonly over = new AbortController();
  private readonly done: Promise<void>;

  private constructor(link: RedisLink, counts: Counts) {
    this.link = link;
    this.last = counts;
    this.done = this.watch();
  }

  static async start(url: string): Promise<RedisWatch> {
    const link = await lookInto(url);
    return new RedisWatch(link, countsOf(String(await link.send(['INFO', 'everything']))));
  }

  private async watch(): Promise<void> {
    try {
      for await (const _ of every(LOOK_EVERY_MS, null, { signal: this.over.signal })) await this.look();
    } catch (error) {
      if (!this.over.signal.aborted) throw error;
    }
  }

  private async look(): Promise<void> {
    let counts: ReturnType<typeof countsOf>;
    try {
      counts = countsOf(String(await this.link.send(['INFO', 'everything'])));
    } catch {
      return; // it is being restarted
    }
    const nowMs = performance.now();
    const seconds = (nowMs - this.lastMs) / 1000;
    // It counts from 0 again after a restart.
    const before = counts.in < this.last.in ? { calls: 0, in: 0, out: 0, cpu: 0 } : this.last;
    for (const name of COUNTED) this.sums[name] += counts[name] - before[name];
    this.mostCalls = Math.max(this.mostCalls, (counts.calls - before.calls) / seconds);
    this.mostMemory = Math.max(this.mostMemory, counts.memory);
    this.seconds += seconds;
    this.lastMs = nowMs;
    this.last = counts;
  }

  async stop(): Promise<RedisLoad> {
    await this.look();
    this.over.abort();
    await this.done;
    this.link.close();
    const per = (sum: number, unit: number) => round(sum / unit / this.seconds);
    return {
      calls_per_s: per(this.sums.calls, 1),
      calls_per_s_max: round(this.mostCalls),
      bytes_in: this.sums.in,
      mb_per_s_in: per(this.sums.in, 1e6),
      mb_per_s_out: per(this.sums.out, 1e6),
      memory_mb_max: round(this.mostMemory / 1e6),
      cpu_percent: per(this.sums.cpu, 0.01),
    };
  }
}

export const round = (value: number): number => Math.round(value * 1000) / 1000;
