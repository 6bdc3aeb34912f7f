/**
 * The network of a simulated fleet: connections as pairs of streams whose bytes travel in order and in virtual time. What
 * is under way is bounded, as by TCP's windows. A connection may be cut between any two bytes, or go silent in either
 * direction while both ends think that it stands.
 */
import { Duplex } from 'node:stream';
import type { Process, World } from './world.js';

/** Under way or not yet read, in one direction. */
const WINDOW_BYTES = 64 * 1024;

/** One direction of a connection. */
interface Way {
  readonly to: End;
  /** Sent, and not read by the other end. */
  bytes: number;
  lastMs: number;
  /** Sent, and not arrived. */
  readonly flying: Buffer[];
  /** Arrived, and not read. */
  readonly waiting: Buffer[];
  /** Who may send on once there is room. */
  held: (() => void) | null;
  /** Nothing arrives any more, and nobody is told. */
  isSilent: boolean;
}

/** One end of a connection, as its process has it. */
export class End extends Duplex {
  readonly owner: Process;
  /** A reader that does not read, until then. */
  idleUntilMs = 0;
  wants = false;
  private readonly connection: Connection;

  constructor(connection: Connection, owner: Process) {
    super({ allowHalfOpen: true });
    this.connection = connection;
    this.owner = owner;
    this.on('error', () => {});
  }

  override _read(): void {
    this.wants = true;
    this.connection.arrive(this);
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.connection.send(this, Buffer.from(chunk), done);
  }

  override _final(done: () => void): void {
    this.connection.finish(this);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connection.drop(this);
    done(error);
  }
}

export class Connection {
  readonly client: End;
  readonly server: End;
  /** On top of the usual delay, milliseconds. */
  extraMs = 0;
  /** Neither end has it any more. */
  isOver = false;
  private readonly world: World;
  private readonly baseMs: number;
  private readonly up: Way;
  private readonly down: Way;

  constructor(world: World, client: Process, server: Process, baseMs: number) {
    this.world = world;
    this.baseMs = baseMs;
    this.client = new End(this, client);
    this.server = new End(this, server);
    this.up = wayTo(this.server);
    this.down = wayTo(this.client);
  }

  private from(end: End): Way {
    return end === this.client ? this.up : this.down;
  }

  private into(end: End): Way {
    return end === this.client ? this.down : this.up;
  }

  /** When what is sent now arrives: never before what was sent earlier. */
  private delayOf(way: Way): number {
    const { world } = this;
    way.lastMs = Math.max(way.lastMs, world.nowMs + this.baseMs * world.between(1, 2) + this.extraMs);
    return way.lastMs - world.nowMs;
  }

  send(end: End, chunk: Buffer, done: () => void): void {
    const way = this.from(end);
    way.bytes += chunk.length;
    way.flying.push(chunk);
    this.world.after(this.delayOf(way), way.to.owner, '', () => {
      const arrived = way.flying.shift();
      if (arrived === undefined || way.isSilent) return;
      way.waiting.push(arrived);
      this.arrive(way.to);
    });
    if (way.bytes > WINDOW_BYTES) way.held = done;
    else done();
  }

  /** Hands an end what has arrived, as far as it reads. */
  arrive(end: End): void {
    const { world } = this;
    const way = this.into(end);
    if (end.idleUntilMs > world.nowMs) return;
    while (end.wants && way.waiting.length > 0 && !end.destroyed) {
      const chunk = way.waiting.shift() ?? Buffer.alloc(0);
      way.bytes -= chunk.length;
      end.wants = end.push(chunk);
    }
    if (way.bytes > WINDOW_BYTES || way.held === null || way.isSilent) return;
    const { held } = way;
    way.held = null;
    world.after(this.baseMs, this.into(end) === this.up ? this.client.owner : this.server.owner, '', held);
  }

  /** No more comes from this end. */
  finish(end: End): void {
    const way = this.from(end);
    this.world.after(this.delayOf(way), way.to.owner, '', () => {
      if (!way.isSilent && !way.to.destroyed) way.to.push(null);
    });
  }

  /** An end let go: the other one hears of it, if anything is heard at all. */
  drop(end: End): void {
    const way = this.from(end);
    if (way.to.destroyed) this.isOver = true;
    else
      this.world.after(this.delayOf(way), way.to.owner, '', () => {
        if (!way.isSilent) way.to.destroy();
      });
  }

  // ---- faults -------------------------------------------------------------------------------------------------

  /** Both ends lose it, with part of a frame arrived. */
  cut(): void {
    for (const way of [this.up, this.down]) {
      const [first] = way.flying.splice(0);
      const part = first?.subarray(0, Math.floor(this.world.random() * first.length));
      const before = this.world.between(0, 5);
      this.world.after(before, way.to.owner, '', () => {
        if (way.to.destroyed) return;
        if (part !== undefined && part.length > 0 && way.to.wants) way.to.push(part);
        this.world.after(0, way.to.owner, '', () => way.to.destroy());
      });
    }
  }

  silence(direction: 'up' | 'down' | 'both'): void {
    if (direction !== 'down') this.up.isSilent = true;
    if (direction !== 'up') this.down.isSilent = true;
  }

  /** A client that does not read for a while. */
  idle(ms: number): void {
    this.client.idleUntilMs = this.world.nowMs + ms;
    this.world.after(ms, this.client.owner, '', () => this.arrive(this.client));
  }
}

const wayTo = (to: End): Way => ({
  to,
  bytes: 0,
  lastMs: 0,
  flying: [],
  waiting: [],
  held: null,
  isSilent: false,
});
