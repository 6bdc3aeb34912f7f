/**
 * How the micro-benchmarks measure and print: CPU time of the process, so that whatever else runs on the machine does
 * not count (the collector's and the compiler's threads do), one table each, microseconds.
 */
import { Bench, type BenchOptions } from 'tinybench';

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

export const createBench = (name: string, options: BenchOptions = {}): Bench =>
  new Bench({ name, time: 400, warmupTime: 200, now: cpuMs, ...options });

/** `per`: how many of what the task's name says are in one call of it. */
export function report(bench: Bench, per: (taskName: string) => number = () => 1): void {
  console.log(`\n${bench.name ?? ''}`);
  console.table(
    Object.fromEntries(
      bench.tasks.map((task) => {
        const { result } = task;
        if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`);
        const { mean, rme, samplesCount } = result.latency;
        const micros = Number(((mean * 1_000) / per(task.name)).toFixed(2));
        return [task.name, { 'CPU µs': micros, '±%': Number(rme.toFixed(1)), runs: samplesCount }];
      }),
    ),
  );
}

/** Many of the same in one call, for what takes less than the clock can tell. */
export function times(count: number, run: () => void): () => void {
  return () => {
    for (let i = 0; i < count; i++) run();
  };
}
