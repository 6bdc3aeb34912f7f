/**
 * The names of a fleet's keys in Redis. They begin with the fleet's name in braces, so that in a Redis Cluster they are
 * all in one hash slot, as the Lua programs require.
 *
 *     {name}:nodes                 sorted set   node id by the time (ms) until which it is valid
 *     {name}:node:ID               string       the node's report about itself, JSON
 *     {name}:clients:ID            hash         client_ids of the sessions that the node holds
 *     {name}:asked:ID              set          those client_ids that other nodes want: are their clients alive?
 *     {name}:session:ID            hash         epoch, key, client, tokens, bytes, node
 *     {name}:token:HASH            string       id of the session that the token resumes
 *     {name}:uses:key:NAME:WHAT    hash         streams or uploads of an access key, by node; token:ID:WHAT for a client token
 *     {name}:rate:NAME             hash         requests left for an access key, and the time of that count
 *
 * Every key has a time to live: keys of a node expire with its lease, keys of a session with the session's.
 */
export class FleetKeys {
  readonly prefix: string;

  constructor(name: string) {
    this.prefix = `{${name}}:`;
  }

  get nodes(): string {
    return `${this.prefix}nodes`;
  }

  clients(node: string): string {
    return `${this.prefix}clients:${node}`;
  }

  session(id: string): string {
    return `${this.prefix}session:${id}`;
  }
}
