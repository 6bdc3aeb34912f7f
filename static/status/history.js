/**
 * What the status page remembers: one row a poll, columns by name, the newest `size` rows.
 *
 * @typedef {{ p50: number, p95: number, p99: number }} Percentiles
 *
 * @typedef {object} FleetNode
 * @property {string} [id]
 * @property {string | null} [address] Null for those who may not know it.
 * @property {string} [version]
 * @property {string | { name?: string, version?: string } | null} [model]
 * @property {number} [capacity] Streams.
 * @property {number} [streams] Streams that run.
 * @property {string} [status] `state` and `startedAt` say the same.
 * @property {string} [state]
 * @property {number | string} [started_at] ISO 8601, or milliseconds since 1970.
 * @property {number | string} [startedAt]
 *
 * @typedef {{ name?: string, available?: boolean, nodes?: FleetNode[] }} Cluster
 *
 * @typedef {object} Status The answer of `/ws/status`.
 * @property {'ready' | 'starting' | 'draining'} status
 * @property {number} uptime_s
 * @property {string} version
 * @property {{ name: string, version: string } | null} model null while the server starts.
 * @property {number} connections
 * @property {Record<'idle' | 'recording' | 'flushing' | 'closed' | 'attached' | 'detached', number>} sessions
 * @property {number} admitted
 * @property {number} capacity
 * @property {{ mean: number, p50: number, p95: number, max: number, histogram: Record<string, number> }} batch_size
 * @property {{ chunk: Percentiles, step: Percentiles, final: Percentiles }} latency_ms
 * @property {number} audio_seconds_processed
 * @property {number} dropped_partials
 * @property {{ id: number, provider: string, state: string, steps: number, busy_ratio: number }[]} lanes
 * @property {{ rss_mb: number, heap_mb: number, slab_mb: number }} memory
 * @property {{ p50: number, p99: number, max: number }} event_loop_delay_ms
 * @property {{ active: number, waiting: number }} uploads
 * @property {{ connections: number, recordings: number, segments: number, refused: number, errors: number }} totals
 * @property {Cluster | null} [cluster] Where the server is one of a fleet.
 */

/** @type {Record<string, (status: Status) => number | null>} */
const COLUMNS = {
  recording: (s) => s.sessions.recording + s.sessions.flushing,
  attached: (s) => s.sessions.attached,
  detached: (s) => s.sessions.detached,
  capacity: (s) => s.capacity,
  chunk_p50: (s) => s.latency_ms.chunk.p50,
  chunk_p95: (s) => s.latency_ms.chunk.p95,
  chunk_p99: (s) => s.latency_ms.chunk.p99,
  final_p50: (s) => s.latency_ms.final.p50,
  final_p95: (s) => s.latency_ms.final.p95,
  final_p99: (s) => s.latency_ms.final.p99,
  step_p50: (s) => s.latency_ms.step.p50,
  step_p95: (s) => s.latency_ms.step.p95,
  batch_mean: (s) => s.batch_size.mean,
  batch_p95: (s) => s.batch_size.p95,
  busy: (s) => (s.lanes.length === 0 ? null : 100 * mean(s.lanes.map((lane) => lane.busy_ratio))),
  rss: (s) => s.memory.rss_mb,
  slab: (s) => s.memory.slab_mb,
  heap: (s) => s.memory.heap_mb,
  loop_p50: (s) => s.event_loop_delay_ms.p50,
  loop_p99: (s) => s.event_loop_delay_ms.p99,
};

export class History {
  /** @type {(number | null)[]} Unix seconds. */
  times = [];
  /** @type {Record<string, (number | null)[]>} */
  columns = Object.fromEntries([...Object.keys(COLUMNS), 'speed'].map((name) => [name, []]));
  /** @type {{ atSeconds: number, audioSeconds: number } | null} */
  #before = null;

  /** @param {number} size Rows. */
  constructor(size) {
    this.size = size;
  }

  /**
   * @param {number} atSeconds Unix time.
   * @param {Status | null} status null where the server did not answer: a gap in every line.
   */
  push(atSeconds, status) {
    this.times.push(atSeconds);
    for (const [name, read] of Object.entries(COLUMNS))
      this.columns[name]?.push(status ? read(status) : null);
    this.columns.speed?.push(this.#speed(atSeconds, status));
    if (this.times.length <= this.size) return;
    this.times.shift();
    for (const column of Object.values(this.columns)) column.shift();
  }

  /**
   * Seconds of audio recognised per second, which is the equivalent number of real-time streams.
   * @param {number} atSeconds
   * @param {Status | null} status
   */
  #speed(atSeconds, status) {
    const before = this.#before;
    this.#before = status && { atSeconds, audioSeconds: status.audio_seconds_processed };
    if (!status || !before || atSeconds <= before.atSeconds) return null;
    const audio = status.audio_seconds_processed - before.audioSeconds;
    return audio < 0 ? null : audio / (atSeconds - before.atSeconds); // Less than before: the server has restarted.
  }
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * @param {number} seconds
 * @returns {string} "3 d 4 h", "5 min 6 s".
 */
export function duration(seconds) {
  const parts = /** @type {[number, string][]} */ ([
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ]);
  const first = parts.findIndex(([value]) => value > 0);
  const shown = first === -1 ? parts.slice(3) : parts.slice(first, first + 2);
  return shown.map(([value, unit]) => `${value} ${unit}`).join(' ');
}
