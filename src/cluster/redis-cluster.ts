/**
 * A server of a fleet. Once per second it writes a report about itself, valid for a few seconds, and reads the reports
 * of the others. The fleet counts as available while that succeeds: a Redis that cannot be written to is not available.
 */
import { randomBytes } from 'node:crypto';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import type { RedisAddress } from '../option-schemas.js';
import { withinOr } from '../within.js';
import type { Cluster } from './cluster.js';
import { FleetKeys } from './keys.js';
import { EXCHANGE, RedisLimits } from './limits.js';
import { type LinkTiming, RedisLink, type Reply, type Script } from './link.js';
import { BEAT, CLAIM, type FleetNode, HOLD, LEAVE, LOOK, type NodeFacts, readNode } from './nodes.js';
import { RedisSessionStore, STORE_SCRIPTS } from './redis-store.js';
import type { SessionStore } from './store.js';

export interface ClusterOptions {
  readonly redis: RedisAddress;
  readonly name: string;
  readonly log: Logger;
  /** HOST:PORT; called once the server listens. */
  readonly address: () => string;
  readonly facts: () => NodeFacts;
  readonly timing?: Partial<LinkTiming & { beatMs: number; leaseMs: number; claimMs: number }>;
}

/** client_ids per call when they are written again. */
const HELD_AT_ONCE = 1_000;

export class RedisCluster implements Cluster {
  readonly name: string;
  readonly node = randomBytes(9).toString('base64url');
  readonly store: SessionStore;
  readonly limits: RedisLimits;
  trouble: string | null = null;
  private readonly options: ClusterOptions;
  private readonly keys: FleetKeys;
  private readonly link: RedisLink;
  private readonly leaseMs: number;
  private readonly claimMs: number;
  private readonly timer: NodeJS.Timeout;
  private readonly startedAt = new Date().toISOString();
  /** Claims by client_id. */
  private readonly held = new Map<string, number>();
  private asked: (clientId: string) => void = () => {};
  /** Null until the first attempt has succeeded or failed. */
  private up: boolean | null = null;
  private beating = false;
  private seen: readonly FleetNode[] = [];
  private seenMs = Number.NEGATIVE_INFINITY;
  /** Redis's clock at `seenMs`. */
  private redisMs = 0;

  constructor(options: ClusterOptions) {
    const { name, redis, timing = {} } = options;
    this.options = options;
    this.name = name;
    this.keys = new FleetKeys(name);
    this.leaseMs = timing.leaseMs ?? LIMITS.clusterLeaseMs;
    this.claimMs = timing.claimMs ?? LIMITS.clusterClaimMs;
    const events = { up: () => this.beat(), down: (reason: Error) => this.change(false, reason) };
    this.link = new RedisLink(
      redis,
      [BEAT, CLAIM, LOOK, HOLD, LEAVE, EXCHANGE, ...STORE_SCRIPTS],
      events,
      timing,
    );
    const { node, leaseMs } = this;
    this.store = new RedisSessionStore(this, this.keys, { node, leaseMs, took: (id) => this.hold(id) });
    this.limits = new RedisLimits(this, this.keys, node, leaseMs);
    this.timer = setInterval(() => this.beat(), timing.beatMs ?? LIMITS.clusterBeatMs);
    this.timer.unref();
  }

  get available(): boolean {
    return this.up === true;
  }

  open(): void {
    this.link.open();
  }

  /**
   * Runs a program in Redis, for the store.
   * @throws Error when Redis cannot be reached, is too slow or refuses
   */
  run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply> {
    return this.link.run(script, keys, args);
  }

  deadline(): string {
    return String(Math.round(this.redisMs + performance.now() - this.seenMs + this.link.timing.callMs));
  }

  nodes(): readonly FleetNode[] {
    const { address, facts } = this.options;
    const own = { id: this.node, address: address(), started_at: this.startedAt, ...facts() };
    const others = performance.now() - this.seenMs < this.leaseMs ? this.seen : [];
    return [own, ...others.filter(({ id }) => id !== this.node)];
  }

  async claimClient(clientId: string): Promise<boolean> {
    // Held from here on: if an earlier session releases it before the answer, it must not be deleted behind this claim.
    this.hold(clientId);
    if (!this.available) return true;
    const { prefix, nodes } = this.keys;
    const args = [prefix, this.node, String(this.leaseMs), clientId, this.deadline()];
    const claim = this.link.run(CLAIM, [nodes], args);
    // Without an answer in time the caller continues.
    const isGranted = (await withinOr<Reply>(this.claimMs, claim, null)) !== 0;
    if (!isGranted) this.releaseClient(clientId);
    return isGranted;
  }

  async isHeldElsewhere(clientId: string): Promise<boolean> {
    if (!this.available) return false;
    const { prefix, nodes } = this.keys;
    const look = this.link.run(LOOK, [nodes], [prefix, this.node, clientId]);
    return (await withinOr<Reply>(this.claimMs, look, null)) === 1;
  }

  holdClient(clientId: string): void {
    this.hold(clientId);
    if (!this.available) return;
    const write = this.link.run(HOLD, [this.keys.clients(this.node)], [String(this.leaseMs), clientId]);
    write.catch(() => {}); // written again after the next outage
  }

  releaseClient(clientId: string): void {
    const left = (this.held.get(clientId) ?? 0) - 1;
    if (left > 0) this.held.set(clientId, left);
    else if (this.held.delete(clientId) && this.available) {
      this.link.send(['HDEL', this.keys.clients(this.node), clientId]).catch(() => {}); // expires with the lease
    }
  }

  onAsked(tell: (clientId: string) => void): void {
    this.asked = tell;
  }

  beat(): void {
    if (this.link.connected && !this.beating) void this.tryBeat();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    if (this.available) {
      await this.link.run(LEAVE, [this.keys.nodes], [this.keys.prefix, this.node]).catch(() => {});
    }
    this.link.close();
    this.up = false;
  }

  private hold(clientId: string): void {
    this.held.set(clientId, (this.held.get(clientId) ?? 0) + 1);
  }

  private async tryBeat(): Promise<void> {
    this.beating = true;
    const { prefix, nodes } = this.keys;
    try {
      const own = JSON.stringify(this.nodes()[0]);
      const answer = await this.link.run(BEAT, [nodes], [prefix, this.node, String(this.leaseMs), own]);
      const [said, asked, redisMs] = answer as readonly [Buffer[], Buffer[], number];
      this.seen = said.flatMap((json) => readNode(String(json)) ?? []);
      this.seenMs = performance.now();
      this.redisMs = redisMs;
      this.change(true, null);
      for (const clientId of asked) this.asked(String(clientId));
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      // A primary became a replica: its name may now resolve to the new primary.
      if (error.message.startsWith('READONLY')) this.link.renew(error);
      if (this.link.connected) this.change(false, error); // otherwise the loss was already reported
    } finally {
      this.beating = false;
    }
  }

  /** Redis may have lost the ids, or may still hold ids that were released meanwhile. */
  private async holdAgain(): Promise<void> {
    const key = this.keys.clients(this.node);
    const ids = [...this.held.keys()];
    try {
      const calls = [this.link.send(['DEL', key])];
      for (let i = 0; i < ids.length; i += HELD_AT_ONCE) {
        const some = ids.slice(i, i + HELD_AT_ONCE);
        calls.push(this.link.run(HOLD, [key], [String(this.leaseMs), ...some]));
      }
      await Promise.all(calls);
    } catch (error) {
      this.options.log.warn({ err: error }, 'client_ids could not be written to the fleet');
    }
  }

  /** Logged once per change. */
  private change(up: boolean, reason: Error | null): void {
    this.trouble = reason === null ? null : reason.message || ((reason as NodeJS.ErrnoException).code ?? '');
    if (this.up === up) return;
    this.up = up;
    const { log, redis, name } = this.options;
    const at = { cluster: name, redis: `${redis.host}:${redis.port}` };
    if (up) void this.holdAgain();
    if (up) log.info({ ...at, node: this.node, nodes: this.seen.length }, 'the fleet is available');
    else log.warn({ ...at, reason: this.trouble }, 'the fleet is not available: this server runs on its own');
  }
}
