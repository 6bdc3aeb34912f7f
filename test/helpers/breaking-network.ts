/**
 * A network between clients and a server that breaks after a given number of bytes, possibly in the middle of a frame.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How the connection breaks. */
export type Break =
  /** Both ends see the connection close. */
  | 'cut'
  /** The client sees it close; to the server it looks open but silent. */
  | 'half-open';

export interface Plan {
  /** Bytes that pass, from the client and from the server. */
  readonly up: number;
  readonly down: number;
  readonly kind: Break;
}

const FOREVER: Plan = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY, kind: 'cut' };

export class BreakingNetwork {
  /** For the coming connections; the last plan applies to all later ones. Without plans, connections last. */
  readonly plans: Plan[] = [];
  cuts = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.server = server;
  }

  static async open(port: number): Promise<BreakingNetwork> {
    const server = createServer();
    const proxy = new BreakingNetwork(server);
    server.on('connection', (client) => proxy.carry(client, connect(port, '127.0.0.1')));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get ws(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/ws/transcribe`;
  }

  private carry(client: Socket, server: Socket): void {
    const plan = this.plans.shift() ?? FOREVER;
    for (const socket of [client, server]) {
      socket.setNoDelay();
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    }
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      this.cuts++;
      client.destroy();
      if (plan.kind === 'cut') server.destroy();
    };
    pass(client, server, plan.up, end);
    pass(server, client, plan.down, end);
    client.on('close', () => {
      if (!over) server.destroy();
    });
    server.on('close', () => client.destroy());
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Passes on `budget` bytes at the reader's pace, then ends. */
function pass(from: Socket, to: Socket, budget: number, end: () => void): void {
  let left = budget;
  from.on('data', (data) => {
    if (left <= 0) return;
    const part = data.subarray(0, Math.min(left, data.length));
    left -= part.length;
    // Passed bytes must arrive before the cut, since they define its place.
    const more = to.write(part, () => left <= 0 && end());
    if (more) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
}
