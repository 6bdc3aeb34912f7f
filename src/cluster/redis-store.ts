/**
 * Sessions in Redis. Each call is one Lua program, so a half-written record is never visible, and of two servers only
 * the one with the higher epoch can write. Tokens are stored only as their SHA-256, which leads to the session.
 */

import type { FleetKeys } from './keys.js';
import { NOW, type Reply, Script } from './link.js';
import type { SessionRecord, SessionStore, TakenSession } from './store.js';

/** What the store needs of the connection. */
export interface StoreLink {
  readonly available: boolean;
  /** Deadline after which nobody waits for a call made now: milliseconds since 1970 by Redis's clock. */
  deadline(): string;
  run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply>;
}

/**
 * How long Redis remembers that a session ended or was taken over, once the rest is deleted. A server that was frozen
 * for longer (a suspended virtual machine) may write the session again.
 */
const FENCE_MS = 600_000;
/** Minimum time that a record is kept after a take-over, so that the new server can write it first. */
const TAKEN_MS = 10_000;

/**
 * KEYS: session. ARGV: prefix, id, epoch, ttl, key, client, bytes, node, count, token hashes. Returns 1: written, 0:
 * taken over. The count orders writes: one sent over a dropped connection may arrive after a later one.
 */
const WRITE = new Script(`
local held = redis.call('HMGET', KEYS[1], 'epoch', 'tokens', 'count')
if held[1] and tonumber(held[1]) > tonumber(ARGV[3]) then return 0 end
if held[1] == ARGV[3] and held[3] and tonumber(held[3]) > tonumber(ARGV[9]) then return 1 end
local tokens = {}
local stays = {}
for i = 10, #ARGV do
  tokens[#tokens + 1] = ARGV[i]
  stays[ARGV[i]] = true
  redis.call('SET', ARGV[1] .. 'token:' .. ARGV[i], ARGV[2], 'PX', ARGV[4])
end
for hash in string.gmatch(held[2] or '', '%S+') do
  if not stays[hash] then redis.call('DEL', ARGV[1] .. 'token:' .. hash) end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'key', ARGV[5], 'client', ARGV[6], 'bytes', ARGV[7],
  'node', ARGV[8], 'count', ARGV[9], 'tokens', table.concat(tokens, ' '))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`);

/** KEYS: session. ARGV: prefix, epoch, ttl. Returns 1: written, 0: taken over, -1: no record. */
const TOUCH = new Script(`
local held = redis.call('HMGET', KEYS[1], 'epoch', 'tokens')
if held[1] and tonumber(held[1]) > tonumber(ARGV[2]) then return 0 end
if not held[1] or not held[2] then return -1 end
for hash in string.gmatch(held[2], '%S+') do
  if redis.call('PEXPIRE', ARGV[1] .. 'token:' .. hash, ARGV[3]) == 0 then return -1 end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

/**
 * ARGV: prefix, token hash, key, node, minimum time to live, lease, deadline. Nothing is done after the deadline:
 * nobody would own a session taken then. The client_id moves with the session, so that the old server does not block
 * its own client. Returns nothing, or id, epoch, client, tokens, bytes.
 */
const TAKE = new Script(`${NOW}
if now > tonumber(ARGV[7]) then return false end
local id = redis.call('GET', ARGV[1] .. 'token:' .. ARGV[2])
if not id then return false end
local session = ARGV[1] .. 'session:' .. id
local held = redis.call('HMGET', session, 'key', 'client', 'tokens', 'bytes', 'node')
if not held[4] or held[1] ~= ARGV[3] then return false end
local epoch = redis.call('HINCRBY', session, 'epoch', 1)
redis.call('HSET', session, 'node', ARGV[4])
redis.call('HDEL', session, 'count')
if redis.call('PTTL', session) < tonumber(ARGV[5]) then
  redis.call('PEXPIRE', session, ARGV[5])
  for hash in string.gmatch(held[3], '%S+') do
    redis.call('SET', ARGV[1] .. 'token:' .. hash, id, 'PX', ARGV[5])
  end
end
if held[5] ~= ARGV[4] then redis.call('HDEL', ARGV[1] .. 'clients:' .. held[5], held[2]) end
redis.call('HSET', ARGV[1] .. 'clients:' .. ARGV[4], held[2], 1)
redis.call('PEXPIRE', ARGV[1] .. 'clients:' .. ARGV[4], ARGV[6])
return {id, epoch, held[2], held[3], held[4]}
`);

/** KEYS: session. ARGV: prefix, epoch, time for which writes of this epoch are refused. */
const REMOVE = new Script(`
local held = redis.call('HMGET', KEYS[1], 'epoch', 'tokens')
if not held[1] or tonumber(held[1]) > tonumber(ARGV[2]) then return 0 end
for hash in string.gmatch(held[2] or '', '%S+') do
  redis.call('DEL', ARGV[1] .. 'token:' .. hash)
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2] + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

export const STORE_SCRIPTS: readonly Script[] = [WRITE, TOUCH, TAKE, REMOVE];

export interface StoreHolder {
  /** Id of this server, stored with what it writes. */
  readonly node: string;
  readonly leaseMs: number;
  /** This server now holds the client_id of a session that it took over. */
  took(clientId: string): void;
}

export class RedisSessionStore implements SessionStore {
  private readonly link: StoreLink;
  private readonly keys: FleetKeys;
  private readonly holder: StoreHolder;
  private writes = 0;

  constructor(link: StoreLink, keys: FleetKeys, holder: StoreHolder) {
    this.link = link;
    this.keys = keys;
    this.holder = holder;
  }

  get available(): boolean {
    return this.link.available;
  }

  async write(id: string, epoch: number, record: SessionRecord, ttlMs: number): Promise<'written' | 'taken'> {
    const { key, clientId, tokens, bytes } = record;
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { prefix } = this.keys;
    const head = [prefix, id, String(epoch), lasting(ttlMs), key, clientId, content, this.holder.node];
    const args = [...head, String(++this.writes), ...tokens];
    return (await this.link.run(WRITE, [this.keys.session(id)], args)) === 1 ? 'written' : 'taken';
  }

  async touch(id: string, epoch: number, ttlMs: number): Promise<'written' | 'taken' | 'lost'> {
    const args = [this.keys.prefix, String(epoch), lasting(ttlMs)];
    const answer = await this.link.run(TOUCH, [this.keys.session(id)], args);
    if (answer === -1) return 'lost';
    return answer === 1 ? 'written' : 'taken';
  }

  async take(tokenHash: string, key: string): Promise<TakenSession | null> {
    const { node, leaseMs } = this.holder;
    const times = [String(TAKEN_MS), String(leaseMs), this.link.deadline()];
    const args = [this.keys.prefix, tokenHash, key, node, ...times];
    const answer = await this.link.run(TAKE, [this.keys.nodes], args);
    if (!Array.isArray(answer)) return null;
    const [id, epoch, clientId, tokens, bytes] = answer as readonly (Buffer | number)[];
    if (typeof epoch !== 'number' || !Buffer.isBuffer(bytes)) return null;
    this.holder.took(String(clientId));
    const hashes = String(tokens)
      .split(' ')
      .filter((hash) => hash !== '');
    return { id: String(id), epoch, key, clientId: String(clientId), tokens: hashes, bytes };
  }

  async remove(id: string, epoch: number): Promise<void> {
    const args = [this.keys.prefix, String(epoch), String(FENCE_MS)];
    await this.link.run(REMOVE, [this.keys.session(id)], args);
  }
}

/** Redis accepts only positive integers of milliseconds. */
const lasting = (ttlMs: number): string => String(Math.max(1, Math.ceil(ttlMs)));
