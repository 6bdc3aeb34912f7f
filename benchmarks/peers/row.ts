/** One row of figures: a server under a load of a given number of streams. */
import { loadavg } from 'node:os';
import { type LoadFigures, load } from './client.js';
import { treeFigures } from './process-tree.js';
import type { RunningPeer } from './servers.js';

export interface Row extends LoadFigures {
  readonly streams: number;
  /** Of the server's whole process tree, within the window. */
  readonly cpu_ms_per_stream_second: number;
  readonly rss_mb: number;
  /** Load average of the machine before the server started; other work distorts the figures. */
  readonly busy_before: number;
  /** rnnt-server's own figures since its start; null for others. */
  readonly own: OwnFigures | null;
}

export interface OwnFigures {
  readonly chunk_ms: { p50: number; p95: number; p99: number };
  readonly step_ms: { p50: number; p95: number; p99: number };
  readonly batch_mean: number;
  readonly event_loop_p99_ms: number;
  readonly lanes_busy: number;
  /** Results of steps within the window. */
  readonly steps: number;
}

interface Status {
  latency_ms: { chunk: OwnFigures['chunk_ms']; step: OwnFigures['step_ms'] };
  batch_size: { mean: number };
  event_loop_delay_ms: { p99: number };
  lanes: { busy_ratio: number }[];
}

async function ownFigures(http: string): Promise<OwnFigures> {
  const status = (await (await fetch(`${http}/ws/status`)).json()) as Status;
  const { latency_ms, batch_size, event_loop_delay_ms, lanes } = status;
  return {
    chunk_ms: latency_ms.chunk,
    step_ms: latency_ms.step,
    batch_mean: batch_size.mean,
    event_loop_p99_ms: event_loop_delay_ms.p99,
    lanes_busy: lanes.reduce((sum, lane) => sum + lane.busy_ratio, 0) / lanes.length,
    steps: await streamSteps(http),
  };
}

async function streamSteps(http: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(/^rnnt_stream_steps_total (\S+)/m.exec(text)?.[1] ?? Number.NaN);
}

export interface RowPlan {
  readonly start: () => Promise<RunningPeer>;
  readonly streams: number;
  readonly clips: readonly Float32Array[];
  readonly warmSeconds: number;
  readonly seconds: number;
}

/** Starts a server, loads it, ends it. */
export async function measureRow({ start, streams, clips, warmSeconds, seconds }: RowPlan): Promise<Row> {
  const busyBefore = loadavg()[0] ?? 0;
  const peer = await start();
  const round = (value: number) => Math.round(value * 100) / 100;
  try {
    let [before, after] = [treeFigures(peer.pid), treeFigures(peer.pid)];
    let [stepsBefore, own]: [number, OwnFigures | null] = [0, null];
    const figures = await load({
      url: peer.url,
      protocol: peer.protocol,
      streams,
      clips,
      warmSeconds,
      seconds,
      onWindow: async (edge) => {
        // HTTP requests cost the server a little, so they are made outside the measured window.
        if (edge === 'open') {
          if (peer.http !== null) stepsBefore = await streamSteps(peer.http);
          before = treeFigures(peer.pid);
          return;
        }
        after = treeFigures(peer.pid);
        if (peer.http !== null) own = await ownFigures(peer.http);
      },
    });
    const told = own as OwnFigures | null;
    return {
      ...figures,
      streams,
      cpu_ms_per_stream_second: round((after.cpuMs - before.cpuMs) / figures.streamSeconds),
      rss_mb: round(after.rssBytes / (1 << 20)),
      busy_before: round(busyBefore),
      own: told === null ? null : { ...told, steps: told.steps - stepsBefore },
    };
  } finally {
    await peer.stop();
  }
}
