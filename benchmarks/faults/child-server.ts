/** A server process whose faults the benchmark commands, restarted whenever it fails, as a supervisor does. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './lanes-server.js';

export class ChildServer {
  port = 0;
  /** Exit code or signal of each end. */
  readonly ends: (number | string)[] = [];
  restarts = 0;
  private child: ChildProcess | null = null;
  private told: (report: Report | null) => void = () => {};
  private readonly options: object;
  private readonly standardError: number | 'inherit';
  private over = false;

  /** @param standardError where its log goes */
  constructor(options: object, standardError: number | 'inherit' = 'inherit') {
    this.options = options;
    this.standardError = standardError;
  }

  static async begin(options: object, standardError?: number): Promise<ChildServer> {
    const server = new ChildServer(options, standardError);
    await server.start();
    return server;
  }

  get http(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.port}/ws/transcribe`;
  }

  say(order: Order): void {
    this.child?.send(order);
  }

  /** Null: it is ending. */
  async report(): Promise<Report | null> {
    const { child } = this;
    if (child === null || !child.connected) return null;
    return new Promise((resolve) => {
      this.told = resolve;
      this.say({ report: true });
    });
  }

  async stop(): Promise<void> {
    this.over = true;
    const { child } = this;
    if (child === null) return;
    const ended = once(child, 'exit');
    this.say({ drain: true });
    await ended;
  }

  /** On the port that it had before, if it is started again. */
  private async start(): Promise<void> {
    const program = fileURLToPath(new URL('./lanes-server.js', import.meta.url));
    const stdio = ['ignore', 'inherit', this.standardError, 'ipc'] as const;
    const child = fork(program, [JSON.stringify({ ...this.options, port: this.port })], {
      stdio: [...stdio],
    });
    this.child = child;
    child.on('message', (report: Report) => this.told(report));
    child.once('exit', (code, signal) => {
      this.told(null);
      this.ends.push(signal ?? code ?? 0);
      if (this.over) return;
      this.restarts++;
      void this.start();
    });
    const [{ port }] = (await once(child, 'message')) as [Report];
    this.port = port;
  }
}
