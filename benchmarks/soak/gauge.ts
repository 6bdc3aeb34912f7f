/** Resources held by a process and its server, as lines of a table. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RunningServer } from '../../src/server/server.js';

// Forces a garbage collection before each reading; otherwise heap figures are random.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export const HEADING =
  'seconds  rss MB  heap MB  external MB  buffers MB  handles  listeners  sessions  suspended  slots  codec streams  uploads';

interface Reading {
  readonly seconds: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
  readonly buffersMb: number;
  readonly handles: number;
  readonly listeners: number;
}

const MB = 2 ** 20;
const rounded = (value: number): number => Math.round(value * 10) / 10;

export class Gauge {
  private readonly server: RunningServer;
  private readonly beganMs = performance.now();
  private readonly readings: Reading[] = [];

  constructor(server: RunningServer) {
    this.server = server;
  }

  /** Resources in use: all 0 without clients. */
  held() {
    const { registry, recogniser } = this.server.context;
    if (recogniser === null) throw new Error('The server is not ready.');
    const { engine, codecPool, sessions, uploads } = recogniser;
    return {
      sessions: registry.size,
      suspended: sessions.desk.suspendedCount,
      slots: engine.table.slots.length - engine.table.vacancies,
      codecStreams: codecPool.openStreams,
      uploads: uploads.counts().active,
    };
  }

  line(): string {
    const reading = this.read();
    this.readings.push(reading);
    const columns = HEADING.split(/ {2,}/);
    const figures = [...Object.values(reading), ...Object.values(this.held())];
    return figures.map((figure, i) => String(figure).padStart(columns[i]?.length ?? 0)).join('  ');
  }

  /** From the reading after a third of them to the last, so that warm-up does not count. */
  growth() {
    const first = this.readings[Math.floor(this.readings.length / 3)];
    const last = this.readings.at(-1);
    if (first === undefined || last === undefined) return {};
    return {
      seconds: [first.seconds, last.seconds],
      rssMb: [first.rssMb, last.rssMb],
      heapMb: [first.heapMb, last.heapMb],
      externalMb: [first.externalMb, last.externalMb],
      handles: [first.handles, last.handles],
      listeners: [first.listeners, last.listeners],
    };
  }

  private read(): Reading {
    collect();
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const emitters = [process, this.server.app.server];
    let listeners = 0;
    for (const emitter of emitters) {
      for (const name of emitter.eventNames()) listeners += emitter.listenerCount(name);
    }
    return {
      seconds: Math.round((performance.now() - this.beganMs) / 1000),
      rssMb: rounded(rss / MB),
      heapMb: rounded(heapUsed / MB),
      externalMb: rounded(external / MB),
      buffersMb: rounded(arrayBuffers / MB),
      handles: process.getActiveResourcesInfo().length,
      listeners,
    };
  }
}
