/** The server's report to its fleet, and its report about the fleet. */
import { networkInterfaces } from 'node:os';
import type { Cluster } from '../cluster/cluster.js';
import type { NodeFacts } from '../cluster/nodes.js';
import type { Config } from '../config.js';
import type { Engine } from '../inference/engine.js';
import { engineFingerprint } from '../inference/fingerprint.js';
import type { Logger } from '../log.js';
import { redisAddressOf } from '../option-schemas.js';
import { packageVersion } from '../paths.js';
import { type ServerContext, statusOf } from './context.js';

/** Hex digits that are shown of a fingerprint. */
const FINGERPRINT_DIGITS = 16;
const EVERYWHERE = ['0.0.0.0', '::'];

/**
 * Null without `--cluster`. Inactive until it is opened.
 * @param server used once it listens
 */
export async function createFleet(
  config: Config,
  log: Logger,
  server: { context(): ServerContext; port(): number },
): Promise<Cluster | null> {
  const redis = redisAddressOf(config.cluster);
  if (redis === undefined) return null;
  warnOfTokens(config, log);
  const { RedisCluster } = await import('../cluster/redis-cluster.js');
  return new RedisCluster({
    redis,
    name: config.clusterName,
    log,
    address: () => addressOf(config, server.port()),
    facts: () => factsOf(server.context()),
  });
}

/** Client tokens valid on only one server are refused at random on the others, which is hard to diagnose. */
function warnOfTokens({ authToken, keysFile, tokenSecret }: Config, log: Logger): void {
  const asksForKeys = authToken !== '' || keysFile !== '';
  if (!asksForKeys || tokenSecret !== '') return;
  log.warn(
    'there is no --token-secret: a client token is valid only on the server that issued it, not on others of the fleet',
  );
}

/** Address at which other servers can reach this one, as far as known: HOST:PORT. */
export function addressOf({ advertise, host }: Pick<Config, 'advertise' | 'host'>, port: number): string {
  if (advertise !== '') return advertise;
  const reached = EVERYWHERE.includes(host) ? (firstAddress() ?? 'localhost') : host;
  return reached.includes(':') ? `[${reached}]:${port}` : `${reached}:${port}`;
}

function firstAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter(({ internal }) => !internal);
  return (outside.find(({ family }) => family === 'IPv4') ?? outside[0])?.address;
}

/** Constant for the lifetime of an engine. */
const fingerprints = new WeakMap<Engine, string>();

function fingerprintOf(engine: Engine): string {
  const known = fingerprints.get(engine);
  if (known !== undefined) return known;
  const bytes = engineFingerprint(engine.model, engine.provider);
  const digits = Buffer.from(bytes).toString('hex').slice(0, FINGERPRINT_DIGITS);
  fingerprints.set(engine, digits);
  return digits;
}

function factsOf(context: ServerContext): NodeFacts {
  const { recogniser } = context;
  const engine = recogniser?.engine;
  return {
    version: packageVersion,
    model: engine?.model.manifest.name ?? null,
    fingerprint: engine === undefined ? null : fingerprintOf(engine),
    capacity: engine?.capacity.streams ?? 0,
    streams: recogniser?.sessions.leases.active ?? 0,
    status: statusOf(context),
  };
}

/** For `/ws/status` and `/health/extended`. Addresses are shown to operators only. */
export const fleetStatus = ({ cluster }: ServerContext, withAddresses: boolean) =>
  cluster && {
    name: cluster.name,
    available: cluster.available,
    nodes: cluster.nodes().map((node) => (withAddresses ? node : { ...node, address: null })),
  };
