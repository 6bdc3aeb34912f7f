/**
 * Use of access keys by the servers of a fleet. For each counter of streams or uploads there is a hash with the use of
 * every server; entries of dead servers do not count. All servers take requests per minute from one bucket.
 */

import type { Spending } from '../auth/rates.js';
import type { SharedLimits, Use } from '../auth/sharing.js';
import type { FleetKeys } from './keys.js';
import { NOW, Script } from './link.js';
import type { StoreLink } from './redis-store.js';

/** After this long, even a fully overdrawn bucket is full again and can be dropped. */
const BUCKET_MS = 120_000;
/** Redis replies with integers, so rates are in thousandths. */
const PARTS = 1_000;

/**
 * KEYS: nodes. ARGV: prefix, id, lease, number of counters; id and count of each; then name, requests per minute and
 * number of requests taken of each key. Returns the use of each counter by the other servers, and the thousandths of
 * requests left for each key.
 */
export const EXCHANGE = new Script(`${NOW}
local lives = {}
local function isAlive(node)
  if lives[node] == nil then
    local good = redis.call('ZSCORE', KEYS[1], node)
    lives[node] = good and tonumber(good) > now or false
  end
  return lives[node]
end
local others = {}
local at = 5
for i = 1, tonumber(ARGV[4]) do
  local key = ARGV[1] .. 'uses:' .. ARGV[at]
  local held = redis.call('HGETALL', key)
  local sum = 0
  for j = 1, #held, 2 do
    if held[j] ~= ARGV[2] then
      if isAlive(held[j]) then sum = sum + tonumber(held[j + 1]) else redis.call('HDEL', key, held[j]) end
    end
  end
  if ARGV[at + 1] == '0' then redis.call('HDEL', key, ARGV[2]) end
  if ARGV[at + 1] ~= '0' then
    redis.call('HSET', key, ARGV[2], ARGV[at + 1])
    redis.call('PEXPIRE', key, ARGV[3])
  end
  others[i] = sum
  at = at + 2
end
local left = {}
while ARGV[at] do
  local key = ARGV[1] .. 'rate:' .. ARGV[at]
  local most = tonumber(ARGV[at + 1])
  local tokens = most
  local held = redis.call('HMGET', key, 'tokens', 'at')
  if held[1] then tokens = math.min(most, held[1] + math.max(0, now - held[2]) * most / 60000) end
  tokens = math.max(-most, tokens - ARGV[at + 2])
  redis.call('HSET', key, 'tokens', tokens, 'at', now)
  redis.call('PEXPIRE', key, ${BUCKET_MS})
  left[#left + 1] = math.floor(tokens * ${PARTS})
  at = at + 3
end
return {others, left}
`);

export class RedisLimits implements SharedLimits {
  private readonly link: StoreLink;
  private readonly keys: FleetKeys;
  private readonly node: string;
  private readonly leaseMs: number;

  constructor(link: StoreLink, keys: FleetKeys, node: string, leaseMs: number) {
    this.link = link;
    this.keys = keys;
    this.node = node;
    this.leaseMs = leaseMs;
  }

  get available(): boolean {
    return this.link.available;
  }

  async exchange(uses: readonly Use[], spendings: readonly Spending[]) {
    const args = [this.keys.prefix, this.node, String(this.leaseMs), String(uses.length)];
    for (const { id, count } of uses) args.push(id, String(count));
    for (const { name, perMinute, spent } of spendings) args.push(name, String(perMinute), String(spent));
    const answer = await this.link.run(EXCHANGE, [this.keys.nodes], args);
    const [others, left] = answer as readonly [readonly number[], readonly number[]];
    return { others, left: left.map((parts) => parts / PARTS) };
  }
}
