/** `rnnt-server start` as a process of its own, at a port that it keeps over restarts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { inPackage } from '../../src/paths.js';
import { endsWithUs } from './children.js';
import { freePort } from './free-port.js';
import { until } from './redis.js';

const START_MS = 60_000;
/** A folder for the servers' logs; if it is not set, they say nothing. */
const LOGS = process.env.RNNT_TEST_SERVER_LOGS;

export class ServerProcess {
  readonly port: number;
  private readonly args: readonly string[];
  private child: ChildProcess | null = null;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.args = args;
  }

  /**
   * Not started yet.
   * @param args of `rnnt-server start`
   */
  static async reserve(...args: string[]): Promise<ServerProcess> {
    return new ServerProcess(await freePort(), args);
  }

  get http(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.port}/ws/transcribe`;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const own = [
      '--host',
      '127.0.0.1',
      '--port',
      String(this.port),
      '--log-level',
      LOGS ? 'debug' : 'silent',
    ];
    const out = LOGS ? openSync(join(LOGS, `${this.port}.log`), 'a') : 'ignore';
    const bin = inPackage('scripts', 'bin.mjs');
    const child = spawn(process.execPath, [bin, 'start', ...own, ...this.args], {
      stdio: ['ignore', out, out],
    });
    this.child = endsWithUs(child);
    const isReady = async () => {
      assert.equal(child.exitCode, null, 'the server ended');
      return this.answers('/health/ready');
    };
    await until('a server is ready', isReady, START_MS);
  }

  /** Within `ms`, as health checks ask. */
  async answers(path: string, ms = 1_000): Promise<boolean> {
    try {
      const answer = await fetch(this.http + path, { signal: AbortSignal.timeout(ms) });
      await answer.body?.cancel();
      return answer.ok;
    } catch {
      return false;
    }
  }

  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(name);
  }

  async exited(): Promise<void> {
    const { child } = this;
    if (child !== null && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Seconds of CPU that it has used since its start. */
  async cpuSeconds(): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    const [, seconds] = /^rnnt_cpu_seconds_total (\S+)/m.exec(text) ?? [];
    assert.ok(seconds !== undefined);
    return Number(seconds);
  }

  /** That are recorded now. */
  async streams(): Promise<number> {
    const { admitted } = (await (await fetch(`${this.http}/ws/status`)).json()) as { admitted: number };
    return admitted;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited();
  }
}
