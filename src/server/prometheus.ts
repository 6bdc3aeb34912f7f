/** `/metrics`: the figures of `/ws/status` for Prometheus, read on request. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Cluster } from '../cluster/cluster.js';
import { isReady, type ServerContext } from './context.js';
import { droppedPartials } from './status.js';

type Read = () => number;

/** Seconds; the latency budgets are 0.1 and 0.15. */
const LATENCY_BUCKETS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5];

export function createPrometheus(context: ServerContext): Registry {
  const register = new Registry();
  const gauge = (name: string, help: string, read: Read) =>
    new Gauge({
      name: `rnnt_${name}`,
      help,
      registers: [register],
      collect() {
        this.set(read());
      },
    });
  /** A counter whose value is kept elsewhere. */
  const counter = (name: string, help: string, read: Read) =>
    new Counter({
      name: `rnnt_${name}_total`,
      help,
      registers: [register],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const { registry, metrics, eventLoop } = context;
  const engine = () => context.recogniser?.engine;

  gauge('ready', '1 if the server admits streams', () => (isReady(context) ? 1 : 0));
  gauge('sessions', 'Open sessions, recording or not', () => registry.size);
  gauge('streams', 'Recordings that hold a slot', () => context.recogniser?.sessions.leases.active ?? 0);
  gauge(
    'capacity_streams',
    'Rated capacity in streams, with the remaining lanes',
    () => engine()?.capacity.streams ?? 0,
  );
  gauge('slots_vacant', 'Free slots of the stream table', () => engine()?.table.vacancies ?? 0);
  gauge(
    'slots_quarantined',
    'Slots reserved until the hanging steps on them return',
    () => engine()?.quarantined ?? 0,
  );
  gauge(
    'sessions_suspended',
    'Sessions without a connection, waiting for their clients',
    () => context.recogniser?.sessions.desk.suspendedCount ?? 0,
  );
  gauge('streams_waiting', 'Streams with a whole chunk waiting for a lane', () => engine()?.waiting ?? 0);
  gauge('event_loop_delay_p99_seconds', 'Lateness of the event loop', () => eventLoop.delays().p99 / 1000);
  gauge('resident_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
  gauge(
    'lane_memory_bytes',
    'Growth of the process per lane at the start: weights and working memory',
    () => engine()?.laneBytes ?? 0,
  );
  gauge(
    'uploads_active',
    'Uploads being transcribed',
    () => context.recogniser?.uploads.counts().active ?? 0,
  );
  /** Has no value without `--cluster`. */
  const fleetGauge = (name: string, help: string, read: (cluster: Cluster) => number) =>
    new Gauge({
      name: `rnnt_cluster_${name}`,
      help,
      registers: [register],
      collect() {
        if (context.cluster) this.set(read(context.cluster));
        else this.remove();
      },
    });
  fleetGauge('available', '1 if the fleet’s Redis can be used', ({ available }) => (available ? 1 : 0));
  fleetGauge('nodes', 'Live servers of the fleet, including this one', (it) => it.nodes().length);

  counter('connections', 'Admitted connections', () => metrics.connections);
  counter('resumptions', 'Sessions resumed over another connection', () => metrics.resumed);
  counter('takeovers', 'Sessions taken over from other servers of the fleet', () => metrics.takenOver);
  counter('connections_refused', 'Refused upgrades', () => metrics.refused);
  counter('recordings', 'Recordings started', () => metrics.recordings);
  counter('segments', 'Final segments sent', () => metrics.segments);
  counter('audio_seconds', 'Audio recognised', () => metrics.audioSeconds);
  counter('ignored_frames', 'Audio frames outside a recording', () => metrics.ignoredFrames);
  counter('dropped_partials', 'Partials replaced by a newer one before sending', () =>
    droppedPartials(context),
  );
  counter('steps', 'Model steps', () => engine()?.stats.steps ?? 0);
  counter('stream_steps', 'Model steps times streams in them', () => engine()?.stats.streamSteps ?? 0);
  counter('lane_failures', 'Failed steps', () => engine()?.stats.laneFailures ?? 0);
  counter('hung_steps', 'Steps that did not return in time', () => engine()?.stats.hungSteps ?? 0);
  counter('cpu_seconds', 'User and system time of the process', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  new Counter({
    name: 'rnnt_errors_total',
    help: 'Errors by code',
    labelNames: ['code'],
    registers: [register],
    collect() {
      this.reset();
      for (const [code, count] of metrics.errors) this.inc({ code }, count);
    },
  });
  metrics.chunkHistogram = new Histogram({
    name: 'rnnt_chunk_latency_seconds',
    help: 'From a complete chunk in the ring to its result',
    buckets: LATENCY_BUCKETS,
    registers: [register],
  });
  metrics.finalHistogram = new Histogram({
    name: 'rnnt_final_latency_seconds',
    help: 'From stop_recording to recording_stopped',
    buckets: LATENCY_BUCKETS,
    registers: [register],
  });
  return register;
}
