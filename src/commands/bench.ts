/** `rnnt-server bench`: sends paced speech to a running server. */
import { generateLoad } from '../load/generator.js';

export interface BenchFlags {
  url: string;
  connections: number;
  duration: number;
  json?: boolean;
}

export async function runBench(flags: BenchFlags): Promise<number> {
  const report = await generateLoad({
    url: flags.url,
    connections: flags.connections,
    seconds: flags.duration,
  });
  if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const { chunk_ms, word_ms, final_ms } = report;
    process.stdout.write(
      `${report.connections} streams for ${report.seconds} s: ${report.refused} refused, ${report.failed} failed\n` +
        `chunk latency  p50 ${chunk_ms.p50}  p95 ${chunk_ms.p95}  p99 ${chunk_ms.p99} ms\n` +
        `word latency   p50 ${word_ms.p50}  p95 ${word_ms.p95}  p99 ${word_ms.p99} ms\n` +
        `final latency  p50 ${final_ms.p50}  p95 ${final_ms.p95} ms\n` +
        `${report.partials} partials, ${report.words} words; generator lateness p99 ${report.pacing_late_ms.p99} ms\n`,
    );
  }
  return report.failed > 0 ? 1 : 0;
}
