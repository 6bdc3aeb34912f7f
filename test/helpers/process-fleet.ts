/** A fleet as it is run: server processes with the real model, and the Redis that they share. */
import { TestRedis } from './redis.js';
import { ServerProcess } from './server-process.js';

/** One lane each, and no measuring at the start, so that several of them start soon on a small machine. */
const ARGS = ['--lanes', '1', '--max-batch', '16', '--admission', 'slots'];

export interface ProcessFleet {
  readonly redis: TestRedis;
  readonly servers: readonly ServerProcess[];
  stop(): Promise<void>;
}

/** @param args of each `rnnt-server start`, beside those that name the fleet */
export async function startProcessFleet(count: number, ...args: string[]): Promise<ProcessFleet> {
  const redis = await TestRedis.start();
  const all = ['--cluster', redis.url, ...ARGS, ...args];
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    await redis.stop();
  };
  try {
    for (let i = 0; i < count; i++) servers.push(await ServerProcess.reserve(...all));
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { redis, servers, stop };
}
