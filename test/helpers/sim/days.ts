/**
 * One recording of days in a simulated fleet: every word at its time to the sample, over cuts, slow reading and servers
 * that die or are replaced, and nothing that grows.
 */
import { EndlessClient } from './endless.js';
import { Fleet } from './fleet.js';
import { measure, type Sizes } from './sizes.js';
import { World } from './world.js';

const HOUR_MS = 3_600_000;
const STEPS_PER_HOUR = 36_000;
/** On average. */
const FAULT_EVERY_MS = 600_000;
const LOOK_EVERY_MS = 60_000;
/** After the end: the resume windows and dead sockets. */
const REST_MS = 130_000;
const TRACED = 500;

export interface Hour {
  readonly hour: number;
  /** After garbage collection, bytes. */
  readonly heap: number;
  readonly external: number;
  readonly words: number;
}

export interface Days {
  readonly hours: readonly Hour[];
  readonly failures: readonly string[];
  readonly trace: readonly string[];
  readonly counts: EndlessClient['counts'];
  readonly faults: Readonly<Record<string, number>>;
  readonly events: number;
  /** Most elements of each collection of the servers: in the first hours, in the last ones. */
  readonly early: Sizes;
  readonly late: Sizes;
}

export interface DaysOptions {
  readonly seed: number;
  readonly hours: number;
  /** How long the measured beginning and end are, hours. */
  readonly edgeHours: number;
  /** Frees what can be freed. */
  readonly collect: () => void;
  readonly onHour?: (hour: Hour) => void;
}

/** Its world is that of the whole process meanwhile. */
export async function recordDays({ seed, hours, edgeHours, collect, onHour }: DaysOptions): Promise<Days> {
  const world = new World(seed);
  world.mostTraced = TRACED;
  const restore = world.install();
  const made: Hour[] = [];
  const early: Sizes = new Map();
  const late: Sizes = new Map();
  try {
    const fleet = new Fleet(world, { stepMs: 20, recordBytesPerSecond: 65_536 });
    for (let i = 0; i < 2; i++) fleet.launch();
    await world.run(10);
    const client = new EndlessClient(world, fleet, Math.round(hours * STEPS_PER_HOUR));
    const faults = new Breaks(world, fleet, client);
    let lookMs = 0;
    while (!client.isDone && world.failures.length === 0) {
      if (world.nowMs > (hours + 1) * HOUR_MS) world.fail('it never ends');
      lookMs += LOOK_EVERY_MS;
      await world.run(lookMs, () => client.isDone);
      const atHours = world.nowMs / HOUR_MS;
      const sizes = atHours < edgeHours ? early : atHours > hours - edgeHours ? late : null;
      if (sizes !== null) for (const node of fleet.nodes) measure(node, sizes);
      if (Math.floor(atHours) <= made.length - 1) continue;
      collect();
      const { heapUsed: heap, external } = process.memoryUsage();
      made.push({ hour: made.length, heap, external, words: client.counts.words });
      onHour?.(made.at(-1)!); // just made
    }
    faults.stop();
    await world.run(world.nowMs + REST_MS);
    const { failures, trace, count: events } = world;
    return {
      hours: made,
      failures,
      trace,
      counts: client.counts,
      faults: faults.counts,
      events,
      early,
      late,
    };
  } finally {
    restore();
  }
}

/** What breaks, one after the other. */
class Breaks {
  readonly counts: Record<string, number> = {};
  private readonly world: World;
  private readonly fleet: Fleet;
  private readonly client: EndlessClient;
  private isOver = false;

  constructor(world: World, fleet: Fleet, client: EndlessClient) {
    this.world = world;
    this.fleet = fleet;
    this.client = client;
    this.next();
  }

  stop(): void {
    this.isOver = true;
  }

  private next(): void {
    const { world, fleet } = this;
    world.after(FAULT_EVERY_MS * world.between(0.5, 1.5), world.nature, '', () => {
      if (this.isOver) return;
      // What is gone is forgotten.
      const alive = fleet.nodes.filter(({ process }) => process.isAlive);
      fleet.nodes.splice(0, fleet.nodes.length, ...alive);
      fleet.connections.length = 0;
      const kind = world.pick([
        'cut',
        'cut',
        'silence',
        'slowReader',
        'slowReader',
        'kill',
        'drain',
      ] as const);
      world.log(`FAULT ${kind}`);
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      this[kind]();
      this.next();
    });
  }

  private cut(): void {
    this.client.connection?.cut();
  }

  private silence(): void {
    this.client.connection?.silence('both');
  }

  private slowReader(): void {
    this.client.connection?.idle(this.world.between(2_000, 20_000));
  }

  private kill(): void {
    this.leave((node) => node.kill(false));
  }

  private drain(): void {
    this.leave((node) => {
      node.drain();
      this.world.after(20_000, node.process, '', () => node.kill(false));
    });
  }

  /** The client's server leaves, and another one comes. */
  private leave(how: (node: Fleet['nodes'][number]) => void): void {
    const { world, fleet, client } = this;
    const node = client.connection && fleet.serverOf(client.connection);
    fleet.launch();
    if (node?.process.isAlive) world.after(2, node.process, 'leaves', () => how(node));
  }
}

/**
 * Collections with more elements at the end of the recording than at its beginning.
 * @param spare what chance may add
 */
export function grown({ early, late }: Pick<Days, 'early' | 'late'>, spare = 40): string[] {
  const these = [...late].filter(
    ([path, count]) => !path.endsWith('.texts') && count > 1.5 * (early.get(path) ?? 0) + spare,
  );
  return these.map(([path, count]) => `${path}: ${early.get(path) ?? 0}, then ${count}`);
}
