/**
 * The names of all that a fleet keeps in Redis. They begin with the fleet's name in braces, so that where keys are spread
 * over slots all of a fleet are in one, as its programs need them.
 *
 *     {name}:nodes                 sorted set   node id by the time (ms) until which it is good
 *     {name}:node:ID               string       what the node says of itself, JSON
 *     {name}:clients:ID            hash         client_ids of the sessions that the node holds
 *     {name}:asked:ID              set          client_ids of them that were asked for elsewhere: are their clients alive?
 *     {name}:session:ID            hash         epoch, key, client, tokens, bytes, node
 *     {name}:token:HASH            string       id of the session that the token resumes
 *     {name}:uses:key:NAME:WHAT    hash         streams or uploads of an access key, by node; token:ID:WHAT of a client token
 *     {name}:rate:NAME             hash         requests that are left to an access key, and when that was
 *
 * Nothing is without a time to live: what belongs to a node ends with its lease, what belongs to a session with its own.
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
