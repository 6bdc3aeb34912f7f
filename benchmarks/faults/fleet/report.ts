/** The figures of a run: by fault, and where they are kept. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { packageVersion } from '../../../src/paths.js';
import type { Trace } from '../../../test/helpers/fleet-speaker.js';

export interface FaultWindow {
  readonly name: string;
  readonly fromMs: number;
  /** Everybody is understood again, or will not be. */
  readonly toMs: number;
  readonly isOver: boolean;
}

interface Spread {
  readonly p50: number;
  readonly max: number;
}

const spreadOf = (values: readonly number[]): Spread | null => {
  const sorted = values.map(Math.round).sort((a, b) => a - b);
  const [p50, max] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return p50 === undefined || max === undefined ? null : { p50, max };
};

/** The longest time without a partial or final that began before the second moment and ended after the first one, ms. */
function longestSilence({ results }: Trace, fromMs: number, toMs: number): number {
  let longest = 0;
  for (const [i, ms] of results.entries()) {
    const before = results[i - 1];
    if (before !== undefined && before < toMs && ms > fromMs) longest = Math.max(longest, ms - before);
  }
  return longest;
}

export interface FaultFigures {
  readonly fault: string;
  /** Speakers who lost their connection. */
  readonly cut: number;
  readonly resumed: number;
  readonly fresh: number;
  /** From the loss of the connection, as the client notices it, to the server's first message on the next one. */
  readonly away_ms: Spread | null;
  /** From the fault itself to that message. */
  readonly back_after_ms: Spread | null;
  /** The longest time without a result, of those who lost their connection, or of all where nobody did. */
  readonly silence_ms: Spread | null;
}

export function figuresOf(windows: readonly FaultWindow[], traces: readonly Trace[]): FaultFigures[] {
  return windows.map(({ name, fromMs, toMs }) => {
    const within = (ms: number) => ms >= fromMs && ms < toMs;
    const cut = traces.filter(({ lost }) => lost.some(within));
    const backs = traces.flatMap(({ back }) => back.filter(({ ms }) => within(ms)));
    const away: number[] = [];
    const after: number[] = [];
    for (const { lost, back } of cut) {
      const lostMs = lost.find(within);
      const backMs = back.find(({ ms }) => lostMs !== undefined && ms > lostMs)?.ms;
      if (lostMs === undefined || backMs === undefined) continue;
      away.push(backMs - lostMs);
      after.push(backMs - fromMs);
    }
    const concerned = cut.length === 0 ? traces : cut;
    return {
      fault: name,
      cut: cut.length,
      resumed: backs.filter(({ how }) => how === 'resumed').length,
      fresh: backs.filter(({ how }) => how === 'fresh').length,
      away_ms: spreadOf(away),
      back_after_ms: spreadOf(after),
      silence_ms: spreadOf(concerned.map((trace) => longestSilence(trace, fromMs, toMs))),
    };
  });
}

/** The longest ones of all speakers between two faults: people pause. */
export function naturalSilences(windows: readonly FaultWindow[], traces: readonly Trace[]): Spread | null {
  const quiet = windows.slice(1).map(({ fromMs }, i) => ({ from: windows[i]?.toMs ?? fromMs, to: fromMs }));
  return spreadOf(
    traces.flatMap(({ results }) =>
      quiet.map(({ from, to }) => {
        const within = results.filter((ms) => ms >= from && ms <= to);
        return Math.max(0, ...within.map((ms, i) => ms - (within[i - 1] ?? ms)));
      }),
    ),
  );
}

/** Beside what other runs have left there. @param name of this run's part */
export async function save(file: string, name: string, report: object): Promise<void> {
  const kept: object = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as object,
    () => ({}),
  );
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const part = { made: new Date().toISOString(), version: packageVersion, machine, ...report };
  await writeFile(file, `${JSON.stringify({ ...kept, [name]: part }, null, 2)}\n`);
}
