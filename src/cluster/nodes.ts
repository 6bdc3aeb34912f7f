/**
 * The servers of a fleet: what each reports, for how long a report is valid, and which client_ids each server holds.
 */
import { z } from 'zod';
import { LIMITS } from '../limits.js';
import { NOW, Script } from './link.js';

/** Unknown and missing fields are accepted, since a fleet runs two versions while it is upgraded. */
const nodeSchema = z.object({
  id: z.string(),
  address: z.string(),
  version: z.string(),
  /** Null until the model is loaded, as are the next two fields. */
  model: z.string().nullable(),
  /**
   * The first 16 hex digits of the engine's fingerprint. Servers with the same fingerprint can continue each other's
   * sessions.
   */
  fingerprint: z.string().nullable(),
  /** Rated capacity in streams; 0 until measured. */
  capacity: z.number(),
  streams: z.number(),
  status: z.string(),
  started_at: z.string(),
});
export type FleetNode = z.output<typeof nodeSchema>;

/** The part of a server's report that changes. */
export type NodeFacts = Omit<FleetNode, 'id' | 'address' | 'started_at'>;

/** Undefined if it cannot be read; the node is then left out. */
export function readNode(json: string): FleetNode | undefined {
  try {
    return nodeSchema.parse(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/**
 * KEYS: nodes. ARGV: prefix, id, lease, report. Returns the reports of all live nodes, the clients requested elsewhere,
 * and Redis's time.
 */
export const BEAT = new Script(`${NOW}
local lease = tonumber(ARGV[3])
redis.call('SET', ARGV[1] .. 'node:' .. ARGV[2], ARGV[4], 'PX', lease)
redis.call('ZADD', KEYS[1], now + lease, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], lease)
redis.call('PEXPIRE', ARGV[1] .. 'clients:' .. ARGV[2], lease)
local said = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ${LIMITS.clusterNodes - 1})) do
  local node = redis.call('GET', ARGV[1] .. 'node:' .. id)
  if node then said[#said + 1] = node end
end
return {said, redis.call('SPOP', ARGV[1] .. 'asked:' .. ARGV[2], ${LIMITS.clusterAsked}), now}
`);

/** KEYS: nodes. ARGV: prefix, id. */
export const LEAVE = new Script(`
redis.call('ZREM', KEYS[1], ARGV[2])
for _, kind in ipairs({'node:', 'clients:', 'asked:'}) do redis.call('DEL', ARGV[1] .. kind .. ARGV[2]) end
return 1
`);

/**
 * KEYS: nodes. ARGV: prefix, id, lease, client_id, deadline. Returns 1 if this server now holds it, 0 if another live
 * server has it (which is asked whether its client is alive), or nothing if it is too late.
 */
export const CLAIM = new Script(`${NOW}
if now > tonumber(ARGV[5]) then return false end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  if id ~= ARGV[2] and redis.call('HEXISTS', ARGV[1] .. 'clients:' .. id, ARGV[4]) == 1 then
    redis.call('SADD', ARGV[1] .. 'asked:' .. id, ARGV[4])
    redis.call('PEXPIRE', ARGV[1] .. 'asked:' .. id, ARGV[3])
    return 0
  end
end
redis.call('HSET', ARGV[1] .. 'clients:' .. ARGV[2], ARGV[4], 1)
redis.call('PEXPIRE', ARGV[1] .. 'clients:' .. ARGV[2], ARGV[3])
return 1
`);

/** KEYS: nodes. ARGV: prefix, id, client_id. Returns 1 if another live server has it, else 0. Changes nothing. */
export const LOOK = new Script(`${NOW}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  if id ~= ARGV[2] and redis.call('HEXISTS', ARGV[1] .. 'clients:' .. id, ARGV[3]) == 1 then return 1 end
end
return 0
`);

/** KEYS: clients of this server. ARGV: lease, client_ids. Writes them again after an outage. */
export const HOLD = new Script(`
for i = 2, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], 1) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);
