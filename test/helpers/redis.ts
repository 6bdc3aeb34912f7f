/**
 * A Redis for tests, which may be stopped, emptied and frozen. `RNNT_TEST_REDIS_PROGRAM` names the program, such as
 * valkey-server or its path. Without it, redis-server or valkey-server is started.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type RedisAddress, redisAddressOf } from '../../src/option-schemas.js';
import { endsWithUs } from './children.js';
import { freePort } from './free-port.js';

const { RNNT_TEST_REDIS_PROGRAM } = process.env;
const programs = RNNT_TEST_REDIS_PROGRAM ? [RNNT_TEST_REDIS_PROGRAM] : ['redis-server', 'valkey-server'];
const program = programs.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);

/** For node:test's `skip`. */
export const skipWithoutRedis = program === undefined ? `not installed: ${programs.join(', ')}` : false;

const SOON_MS = 20_000;
const LOOK_EVERY_MS = 5;

/** Waits until something holds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = SOON_MS,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, `not within ${withinMs} ms: ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}

export function addressOfRedis(url: string): RedisAddress {
  const address = redisAddressOf(url);
  assert.ok(address !== undefined, url);
  return address;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A Redis on a fixed port, in memory only: it is empty after a restart. */
export class TestRedis {
  readonly port: number;
  private readonly args: readonly string[];
  private child: ChildProcess | null = null;

  /** On a port that speaks TLS only. */
  static async startTls(...args: string[]): Promise<TestRedis> {
    const port = await freePort();
    const redis = new TestRedis(port, ['--port', '0', '--tls-port', String(port), ...args]);
    await redis.start();
    return redis;
  }

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.args = args;
  }

  /** On a free port, not started yet. */
  static async reserve(...args: string[]): Promise<TestRedis> {
    return new TestRedis(await freePort(), args);
  }

  static async start(...args: string[]): Promise<TestRedis> {
    const redis = await TestRedis.reserve(...args);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    assert.ok(program !== undefined);
    const own = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--appendonly', 'no'];
    const child = spawn(program, [...own, ...this.args], { stdio: 'ignore' });
    this.child = endsWithUs(child);
    await until('Redis answers', () => answers(this.port));
    assert.equal(child.exitCode, null, `${program} ended`);
  }

  async stop(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Accepts connections and bytes, but answers nothing. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }
}
