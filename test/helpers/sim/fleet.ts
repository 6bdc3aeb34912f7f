/** Servers, their store and the load balancer before them. */
import { WebSocket } from 'ws';
import { decodeSession } from '../../../src/session/record.js';
import { Connection } from './network.js';
import { type Pace, processOf, SimNode, WINDOW_MS } from './node.js';
import { SimFleetStore } from './store.js';
import type { Process, World } from './world.js';

/** A server may have noticed a connection's end so much earlier than its client. */
const NOTICED_MS = 10_000;

interface Resuming {
  readonly url: string;
  readonly connection: Connection;
}

export class Fleet {
  readonly store: SimFleetStore;
  readonly nodes: SimNode[] = [];
  readonly connections: Connection[] = [];
  /** How likely a resumption is made twice. */
  twins = 0;
  /** How likely it is made twice, and the server that has answered is cut off. */
  splits = 0;
  private readonly world: World;
  private readonly pace: Pace;
  private lives = 0;

  constructor(world: World, pace: Pace) {
    this.world = world;
    this.pace = pace;
    this.store = new SimFleetStore(world);
  }

  /** One more server, in a moment. */
  launch(): void {
    const process = processOf('node', ++this.lives);
    this.world.after(1, process, 'starts', () => {
      this.nodes.push(new SimNode(this.world, process, this.store.handle(process), this.pace));
    });
  }

  /** The network of a client's server fails: first towards the store, then towards the client. */
  private isolate(connection: Connection): void {
    const { world } = this;
    const server = this.serverOf(connection);
    if (server === undefined) return;
    world.log(`FAULT isolate ${server.process.name}`);
    server.store.cut(world.between(1_000, 10_000));
    world.after(world.between(300, 2_500), world.nature, '', () => connection.silence('down'));
  }

  /** The server at the other end of a client's connection. */
  serverOf({ server }: Connection): SimNode | undefined {
    return this.nodes.find(({ process }) => process === server.owner);
  }

  get ready(): SimNode[] {
    return this.nodes.filter(({ isReady }) => isReady);
  }

  /** A load balancer that is now and then late to see who is gone. */
  private choose(): SimNode | null {
    const { world, nodes } = this;
    const these = world.random() < 0.9 ? this.ready : nodes.filter(({ process }) => process.isAlive);
    return these.length === 0 ? null : world.pick(these);
  }

  /** A connection of a client to whichever server. */
  connect(client: Process): Connection {
    const { world } = this;
    const node = this.choose();
    const nobody = node?.process ?? world.nature;
    const connection = new Connection(world, client, nobody, world.between(0.5, 30));
    this.connections.push(connection);
    world.log(`connects to ${node?.process.name ?? 'nobody'}`);
    if (node === null)
      world.after(20, client, 'refused', () => connection.client.destroy(new Error('refused')));
    // The first bytes come after it.
    else world.after(0.1, node.process, '', () => node.accept(connection));
    return connection;
  }

  /**
   * Whether a session may be lost to a client that was told so much: it did not come back in time, or its server died
   * before it had written what changed between two recordings.
   */
  excuse(id: string, phase: number, silentMs: number): { isExcused: boolean; why: string } {
    if (silentMs > WINDOW_MS - NOTICED_MS) return { isExcused: true, why: `silent for ${silentMs} ms` };
    // Who has given no sign of life yet has told nothing that could be lost.
    if (phase === 0) return { isExcused: true, why: 'nothing was recorded' };
    const record = this.store.lastOf(id);
    if (record === null) return { isExcused: true, why: 'it was never written' };
    const { told } = decodeSession(record.bytes).outbox;
    const isBehind = told.phase !== phase;
    return { isExcused: isBehind, why: `the record is of phase ${told.phase}, the client of ${phase}` };
  }

  /** HTTP, as far as the client library asks for the reason of a refusal. */
  fetch(client: Process): typeof globalThis.fetch {
    const { world } = this;
    const ask = (address: string) =>
      new Promise((resolve, reject) => {
        const node = this.choose();
        if (node === null) {
          world.after(20, client, '', () => reject(new Error('refused')));
          return;
        }
        world.after(world.between(1, 30), node.process, '', () => {
          const { status, body } = node.explain(address);
          const answer = { status, headers: { get: () => null }, json: async () => body };
          world.after(world.between(1, 30), client, '', () => resolve(answer));
        });
      });
    return ask as unknown as typeof globalThis.fetch;
  }

  /**
   * Somebody resumes: now and then the same request arrives a second time, on a connection that says nothing and breaks.
   * Some come late, and some stay long, beside the client's own.
   */
  onResume(url: string, client: Process): void {
    const { world } = this;
    if (world.random() >= this.twins) return;
    const isLong = world.random() < 0.3;
    this.again(url, client, world.between(0, isLong ? 3_000 : 200), world.between(50, isLong ? 15_000 : 800));
  }

  /**
   * Somebody has resumed: now and then its server is cut off from the store, then from the client, while the same request
   * arrives at another one, which does not hear either that the token is used up.
   */
  onResumed({ url, connection }: Resuming, client: Process): void {
    const { world } = this;
    if (world.random() >= this.splits) return;
    this.isolate(connection);
    this.again(url, client, world.between(0, 200), world.between(8_000, 15_000));
  }

  private again(url: string, client: Process, lateMs: number, staysMs: number): void {
    const { world } = this;
    world.after(lateMs, client, 'a second resumption', () => {
      const connection = this.connect(client);
      const socket = new WebSocket(url, {
        createConnection: () => connection.client,
        perMessageDeflate: false,
        autoPong: false, // a sign of life would say that the client has the token
      });
      socket.on('error', () => {});
      world.after(staysMs, client, 'the second one breaks', () => {
        connection.cut();
        socket.terminate();
      });
    });
  }
}
