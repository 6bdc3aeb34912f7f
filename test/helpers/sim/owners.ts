/**
 * That no two servers have a session for long: one that another server has left behind hears of it at the next write or
 * renewal, if it can reach the store at all.
 */
import { LIMITS } from '../../../src/limits.js';
import type { Fleet } from './fleet.js';
import type { SimNode } from './node.js';
import type { World } from './world.js';

const LOOK_MS = 500;
/** A session that nothing happens to is renewed so often; then a sweep, a call and two looks. */
const MOST_MS = LIMITS.recordTouchMs + 3_000;

export class Owners {
  private readonly world: World;
  private readonly fleet: Fleet;
  /** Since when a server could have heard that it no longer has a session. */
  private readonly sinceMs = new Map<string, number>();

  constructor(world: World, fleet: Fleet) {
    this.world = world;
    this.fleet = fleet;
  }

  start(): void {
    this.world.after(LOOK_MS, this.world.nature, '', () => {
      for (const node of this.fleet.nodes) if (node.process.isAlive) this.look(node);
      this.start();
    });
  }

  private look(node: SimNode): void {
    const { store } = this.fleet;
    const isDeaf = node.isStopped || !node.store.isWell;
    for (const [id, epoch] of node.epochs) {
      const name = `${node.process.name} ${id} ${epoch}`;
      const isLeft = (store.memory.held.get(id)?.epoch ?? 0) > epoch;
      if (!isLeft || isDeaf) this.sinceMs.delete(name);
      else this.count(name, node);
    }
  }

  private count(name: string, node: SimNode): void {
    const { nowMs } = this.world;
    const sinceMs = this.sinceMs.get(name) ?? nowMs;
    this.sinceMs.set(name, sinceMs);
    if (nowMs - sinceMs <= MOST_MS) return;
    this.world.fail(`${node.process.name} has a session that another server has had since ${sinceMs} ms`);
    this.sinceMs.set(name, Number.POSITIVE_INFINITY); // once is enough
  }
}
