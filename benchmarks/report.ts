/**
 * How the micro-benchmarks measure and print: CPU time of the process in microseconds, so that other work on the
 * machine does not count (garbage collection and compilation do); one table each.
 */
import { Bench, type BenchOptions } from 'tinybench';

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

export const createBench = (name: string, options: BenchOptions = {}): Bench =>
  new Bench({ name, time: 400, warmupTime: 200, now: cpuMs, ...options });

/** `per`: number of items, as in the task's name, per call. */
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

/** Many repetitions per call, for work shorter than the clock's resolution. */
export function times(count: number, run: () => void): () => void {
  return () => {
    for (let i = 0; i < count; i++) run();
  };
}
