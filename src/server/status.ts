/** The figures of `/`, `/health`, `/health/extended` and `/ws/status`. */
import { publicConfig } from '../config.js';
import { chunkMs } from '../models/manifest.js';
import { packageVersion } from '../paths.js';
import { dialectsOf } from '../protocol/dialects/index.js';
import { PROTOCOL_VERSION } from '../protocol/types.js';
import { isReady, type ServerContext, statusOf } from './context.js';
import { fleetStatus } from './fleet.js';

const megabytes = (bytes: number): number => Math.round((bytes / (1 << 20)) * 10) / 10;
const uptimeSeconds = (context: ServerContext): number =>
  Math.round((performance.now() - context.startedAtMs) / 100) / 10;

const modelCard = (context: ServerContext) => {
  const manifest = context.recogniser?.engine.model.manifest;
  return manifest === undefined
    ? null
    : { name: manifest.name, version: manifest.version, language: manifest.language };
};

/** Paths for other vendors' clients, as far as enabled. */
const dialectPaths = ({ config }: ServerContext): Record<string, string> =>
  Object.fromEntries(
    dialectsOf(config.dialects)
      .filter(({ name }) => name !== 'native')
      .map(({ name, paths }) => [name, paths.at(-1) ?? '']),
  );

/** GET / */
export function serviceCard(context: ServerContext) {
  return {
    service: 'rnnt-server',
    version: packageVersion,
    description: 'Real-time speech recognition over WebSockets',
    status: statusOf(context),
    model: modelCard(context),
    protocol_version: PROTOCOL_VERSION,
    dialects: context.config.dialects,
    endpoints: {
      websocket: '/ws/transcribe',
      ...dialectPaths(context),
      status: '/ws/status',
      upload: '/transcribe/file',
      health: '/health',
      health_extended: '/health/extended',
      metrics: '/metrics',
      openapi: '/docs/openapi.json',
      asyncapi: '/asyncapi.json',
      docs: '/docs/',
      llms: '/llms.txt',
      demo: '/static/index.html',
      examples: '/examples/',
    },
  };
}

/** GET /health: liveness is that it answers; readiness is `ready`. */
export function health(context: ServerContext) {
  return {
    status: statusOf(context),
    live: true,
    ready: isReady(context),
    uptime_s: uptimeSeconds(context),
    version: packageVersion,
  };
}

function memory(context: ServerContext) {
  const { rss, heapUsed } = process.memoryUsage();
  const slab = context.recogniser?.engine.table.layout.bytes ?? 0;
  const lane = context.recogniser?.engine.laneBytes ?? 0;
  return {
    rss_mb: megabytes(rss),
    heap_mb: megabytes(heapUsed),
    slab_mb: megabytes(slab),
    lane_mb: megabytes(lane),
  };
}

function lanes(context: ServerContext) {
  const sinceMs = performance.now() - (context.recogniser?.readyAtMs ?? 0);
  return (context.recogniser?.engine.lanes ?? []).map((lane) => ({
    id: lane.id,
    provider: lane.provider,
    state: lane.state,
    steps: lane.steps,
    restarts: lane.restarts,
    hung_threads: lane.hungThreads,
    busy_ratio: Math.round((lane.busyMs / sinceMs) * 1000) / 1000,
  }));
}

/** GET /health/extended */
export function extendedHealth(context: ServerContext) {
  const engine = context.recogniser?.engine;
  const manifest = engine?.model.manifest;
  return {
    ...health(context),
    model: manifest && {
      name: manifest.name,
      version: manifest.version,
      language: manifest.language,
      licence: manifest.licence,
      chunk_ms: chunkMs(manifest),
      lookahead_ms: manifest.lookaheadMs,
      state_bytes: engine.table.layout.stateBytes,
    },
    provider: engine?.provider,
    capacity: engine && {
      streams: engine.capacity.streams,
      slots: engine.table.slots.length,
      at_batch: engine.capacity.batch,
      step_ms: Object.fromEntries(
        engine.capacity.stepTimes.map(({ batch, ms }) => [batch, Math.round(ms * 100) / 100]),
      ),
    },
    lanes: lanes(context),
    memory: memory(context),
    event_loop_delay_ms: context.eventLoop.delays(),
    versions: { ...process.versions, 'rnnt-server': packageVersion },
    ...(context.cluster && { cluster: { ...fleetStatus(context, true), trouble: context.cluster.trouble } }),
    config: publicConfig(context.config),
  };
}

/** Mean, percentiles and counts of the batch sizes, from a table of steps by size. */
export function batchSummary(sizes: Uint32Array) {
  const histogram: Record<string, number> = {};
  let steps = 0;
  let streams = 0;
  let max = 0;
  for (let size = 1; size < sizes.length; size++) {
    const count = sizes[size]!;
    if (count === 0) continue;
    histogram[size] = count;
    steps += count;
    streams += count * size;
    max = size;
  }
  const percentile = (part: number) => {
    let seen = 0;
    for (let size = 1; size < sizes.length; size++) {
      seen += sizes[size]!;
      if (steps > 0 && seen >= part * steps) return size;
    }
    return 0;
  };
  const mean = steps === 0 ? 0 : Math.round((streams / steps) * 100) / 100;
  return { mean, p50: percentile(0.5), p95: percentile(0.95), max, histogram };
}

/** Of open and closed sessions, for /ws/status and /metrics. */
export function droppedPartials({ registry, metrics }: ServerContext): number {
  let open = 0;
  for (const session of registry.list()) open += session.droppedPartials;
  return metrics.droppedPartials + open;
}

/**
 * GET /ws/status.
 * @param forAdmin whether the client may also see the extended health
 */
export function liveStatus(context: ServerContext, forAdmin: boolean) {
  const { registry, metrics, recogniser } = context;
  const stats = recogniser?.engine.stats;
  const none = { p50: 0, p95: 0, p99: 0 };
  return {
    status: statusOf(context),
    uptime_s: uptimeSeconds(context),
    version: packageVersion,
    model: modelCard(context),
    connections: registry.size,
    sessions: { ...registry.counts(), ...registry.transports() },
    admitted: recogniser?.sessions.leases.active ?? 0,
    capacity: recogniser?.engine.capacity.streams ?? 0,
    waiting: recogniser?.engine.waiting ?? 0,
    quarantined: recogniser?.engine.quarantined ?? 0,
    batch_size: batchSummary(stats?.batchSizes ?? new Uint32Array(0)),
    latency_ms: {
      chunk: metrics.chunk.percentiles(),
      step: stats?.step.percentiles() ?? none,
      run: stats?.run.percentiles() ?? none,
      final: metrics.final.percentiles(),
    },
    audio_seconds_processed: Math.round(metrics.audioSeconds * 10) / 10,
    dropped_partials: droppedPartials(context),
    lanes: lanes(context),
    memory: memory(context),
    event_loop_delay_ms: context.eventLoop.delays(),
    suspended: recogniser?.sessions.desk.suspendedCount ?? 0,
    uploads: recogniser?.uploads.counts() ?? { active: 0, waiting: 0 },
    cluster: fleetStatus(context, forAdmin),
    totals: {
      connections: metrics.connections,
      recordings: metrics.recordings,
      resumed: metrics.resumed,
      segments: metrics.segments,
      refused: metrics.refused,
      hung_steps: stats?.hungSteps ?? 0,
      errors: metrics.errorCount,
    },
  };
}
