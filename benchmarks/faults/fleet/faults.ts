/** What is done to a fleet behind nginx, and when everybody has got over it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Trace } from '../../../test/helpers/fleet-speaker.js';
import type { Replacement, TestNginx } from '../../../test/helpers/nginx.js';
import type { ProcessFleet } from '../../../test/helpers/process-fleet.js';
import { until } from '../../../test/helpers/redis.js';
import type { ServerProcess } from '../../../test/helpers/server-process.js';

/** How long a supervisor takes to start a killed server again. */
const RESTART_MS = 3_000;
/** A health check asks so often, waits so long for an answer, and takes a server out after so many failures. */
const CHECK_EVERY_MS = 1_000;
const CHECKS = 2;
const SETTLE_MS = 45_000;
/** Results that each speaker must have had behind a fault. */
const RESULTS = 3;

export interface Scene {
  readonly fleet: ProcessFleet;
  readonly nginx: TestNginx;
  readonly traces: readonly Trace[];
  readonly random: () => number;
}

/** One by chance of those that somebody speaks to: a server that was just started has nobody to lose. */
async function victim({ fleet, random }: Scene): Promise<ServerProcess> {
  const streams = await Promise.all(fleet.servers.map((server) => server.streams()));
  const used = fleet.servers.filter((_, i) => (streams[i] ?? 0) > 0);
  const server = used[Math.floor(random() * used.length)];
  if (server === undefined) throw new Error('nobody speaks to any server');
  return server;
}

/** The servers behind nginx in place of those that deploy/nginx.conf names. @param down taken out, as by a health check */
export const upstreams = ({ servers }: Pick<ProcessFleet, 'servers'>, down?: ServerProcess): Replacement[] =>
  servers.map((server, i) => [
    `server speech-${i + 1}:8000`,
    `server 127.0.0.1:${server.port}${server === down ? ' down' : ''}`,
  ]);

/** Everybody is connected, and has been understood since. */
export const settled = ({ traces }: Pick<Scene, 'traces'>, sinceMs: number, results = RESULTS) =>
  until(
    'everybody is understood again',
    () => traces.every((trace) => trace.isConnected && (trace.results.at(-results) ?? 0) > sinceMs),
    SETTLE_MS,
  );

/** Each resolves when what was broken works again. */
export const FAULTS: Record<string, (scene: Scene) => Promise<void>> = {
  async 'server killed (SIGKILL), started again 3 s later'(scene) {
    const server = await victim(scene);
    await server.kill();
    await wait(RESTART_MS);
    await server.start();
  },

  async 'server asked to stop (SIGTERM), started again'(scene) {
    const server = await victim(scene);
    server.signal('SIGTERM');
    await server.exited();
    await server.start();
  },

  async 'all servers asked to stop and started again, one after another'({ fleet }) {
    for (const server of fleet.servers) {
      server.signal('SIGTERM');
      await server.exited();
      await server.start();
    }
  },

  async 'Redis killed, empty when it is back'({ fleet }) {
    await fleet.redis.stop();
    await fleet.redis.start();
  },

  async 'server frozen (SIGSTOP), woken when its sessions had gone'(scene) {
    const { fleet, nginx, traces } = scene;
    const server = await victim(scene);
    const frozenMs = performance.now();
    server.signal('SIGSTOP');
    // nginx itself does not notice: the kernel takes the connections of a process that stands still.
    for (let failures = 0; failures < CHECKS; failures++) {
      if (await server.answers('/health/ready', CHECK_EVERY_MS)) throw new Error('a frozen server answers');
    }
    await nginx.reload(upstreams(fleet, server));
    // Woken all the same where somebody does not come back.
    await settled({ traces }, frozenMs + 1_000).catch(() => {});
    server.signal('SIGCONT');
    await nginx.reload(upstreams(fleet));
  },

  async 'nginx read its configuration again (reload)'({ nginx, fleet }) {
    await nginx.reload(upstreams(fleet));
  },

  async 'all workers of nginx killed (SIGKILL)'({ nginx }) {
    for (const pid of await nginx.workers()) process.kill(pid, 'SIGKILL');
  },
};
