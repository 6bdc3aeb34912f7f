/** What breaks in a simulated fleet, and when: everything is drawn from the world's dice. */
import type { SimClient } from './client.js';
import type { Fleet } from './fleet.js';
import type { Connection } from './network.js';
import type { SimNode } from './node.js';
import { QUICK_MS } from './store.js';
import type { World } from './world.js';

export interface Chaos {
  /** Faults per simulated second, on average. */
  readonly rate: number;
  /** The store itself may fail, so that sessions may be lost. */
  readonly flaky: boolean;
  /** How likely a resumption is made twice. */
  readonly twins: number;
  /** How likely it is made twice, by a client whose server is about to be cut off from the store, then from the client. */
  readonly splits: number;
}

export class Faults {
  /** By kind: how many were injected. */
  readonly counts: Record<string, number> = {};
  private readonly world: World;
  private readonly fleet: Fleet;
  private readonly clients: readonly SimClient[];
  private readonly chaos: Chaos;
  private isOver = false;

  constructor(world: World, fleet: Fleet, clients: readonly SimClient[], chaos: Chaos) {
    this.world = world;
    this.fleet = fleet;
    this.clients = clients;
    this.chaos = chaos;
  }

  start(): void {
    if (this.chaos.rate > 0) this.next();
  }

  /** From now on nothing breaks, and what is away comes back. */
  stop(): void {
    this.isOver = true;
    const { store } = this.fleet;
    store.isAway = false;
    store.losesAnswers = 0;
    store.slowestMs = QUICK_MS;
  }

  private next(): void {
    const { world, chaos } = this;
    const waitMs = (-Math.log(1 - world.random()) * 1000) / chaos.rate;
    world.after(waitMs, world.nature, '', () => {
      if (this.isOver) return;
      this.one();
      this.next();
    });
  }

  private one(): void {
    const { world, chaos } = this;
    const kinds = chaos.flaky ? [...ALWAYS, ...OF_THE_STORE] : ALWAYS;
    const kind = world.pick(kinds);
    const hit = this[kind]();
    if (hit === null) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    world.log(`FAULT ${kind} ${hit}`);
  }

  // ---- of connections -------------------------------------------------------------------------------------------

  private connection(): Connection | null {
    const live = this.clients.flatMap(({ connection }) => connection ?? []);
    const these = live.filter(({ client }) => !client.destroyed && client.owner.isAlive);
    return these.length === 0 ? null : this.world.pick(these);
  }

  private cut(): string | null {
    const connection = this.connection();
    connection?.cut();
    return connection && `of ${connection.client.owner.name}`;
  }

  private silence(): string | null {
    const direction = this.world.pick(['up', 'down', 'both'] as const);
    const connection = this.connection();
    connection?.silence(direction);
    return connection && `${direction} of ${connection.client.owner.name}`;
  }

  private delay(): string | null {
    const connection = this.connection();
    if (connection === null) return null;
    connection.extraMs = this.world.between(200, 3_000);
    this.world.after(this.world.between(200, 4_000), this.world.nature, '', () => {
      connection.extraMs = 0;
    });
    return `of ${connection.client.owner.name}`;
  }

  private slowReader(): string | null {
    const connection = this.connection();
    connection?.idle(this.world.between(500, 6_000));
    return connection?.client.owner.name ?? null;
  }

  // ---- of clients -----------------------------------------------------------------------------------------------

  /** Its process dies; another one speaks the same again. */
  private restartClient(): string | null {
    const { world } = this;
    const these = this.clients.filter((client) => !client.isDone && client.process.isAlive);
    if (these.length === 0 || world.random() < 0.7) return null;
    const client = world.pick(these);
    client.restart();
    return client.process.name;
  }

  // ---- of servers -----------------------------------------------------------------------------------------------

  /** One of those that serve, as long as another one does. */
  private node(): SimNode | null {
    const these = this.fleet.ready.filter((node) => !node.isStopped);
    return these.length < 2 ? null : this.world.pick(these);
  }

  private again(): void {
    this.world.after(this.world.between(500, 4_000), this.world.nature, '', () => this.fleet.launch());
  }

  private kill(): string | null {
    const node = this.node();
    const isMachine = this.world.random() < 0.3;
    node?.kill(isMachine);
    if (node !== null) this.again();
    return node && `${node.process.name}${isMachine ? ' with its machine' : ''}`;
  }

  private pause(): string | null {
    const node = this.node();
    if (node === null) return null;
    node.process.stoppedUntilMs = this.world.nowMs + this.world.between(500, 20_000);
    return node.process.name;
  }

  private drain(): string | null {
    const { world } = this;
    const node = this.node();
    if (node === null) return null;
    world.after(0, node.process, 'is told to stop', () => node.drain());
    this.again();
    world.after(20_000, node.process, 'is killed', () => node.kill(false));
    return node.process.name;
  }

  private clock(): string | null {
    const node = this.node();
    if (node === null) return null;
    node.process.wallOffsetMs += Math.round(this.world.between(-3_600_000, 3_600_000));
    return node.process.name;
  }

  // ---- of the store ---------------------------------------------------------------------------------------------

  private storeAway(): string {
    const { store } = this.fleet;
    store.isAway = true;
    const wiped = this.world.random() < 0.3;
    if (wiped) store.wipe();
    this.world.after(this.world.between(300, 10_000), this.world.nature, 'the store is back', () => {
      store.isAway = false;
    });
    return wiped ? 'and empty afterwards' : '';
  }

  private storeSlow(): string {
    const { store } = this.fleet;
    store.slowestMs = this.world.between(100, 2_000);
    this.world.after(this.world.between(1_000, 8_000), this.world.nature, '', () => {
      store.slowestMs = QUICK_MS;
    });
    return '';
  }

  /** Of one server only: others may take its sessions, which it does not hear. */
  private storeCut(): string | null {
    const node = this.node();
    node?.store.cut(this.world.between(500, 8_000));
    return node?.process.name ?? null;
  }

  private storeSilent(): string {
    const { store } = this.fleet;
    store.losesAnswers = 0.5;
    this.world.after(this.world.between(1_000, 8_000), this.world.nature, '', () => {
      store.losesAnswers = 0;
    });
    return '';
  }
}

const ALWAYS = [
  ...(['cut', 'cut', 'cut', 'silence', 'delay', 'slowReader', 'restartClient'] as const),
  ...(['kill', 'kill', 'pause', 'drain', 'clock'] as const),
];
const OF_THE_STORE = ['storeAway', 'storeSlow', 'storeSilent', 'storeCut'] as const;
