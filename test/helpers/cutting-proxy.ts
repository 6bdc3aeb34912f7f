/** A TCP proxy that breaks connections at given bytes: in the middle of a frame, or leaving one end open. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Break {
  /** Counted in this direction from the start of the connection. */
  readonly direction: 'up' | 'down';
  readonly afterBytes: number;
  /**
   * `cut`: both ends see it. `server-blind`: only the client does; the server's end stays open. `silent`: neither does;
   * nothing passes any more.
   */
  readonly how: 'cut' | 'server-blind' | 'silent';
}

export interface CuttingProxy {
  readonly ws: string;
  close(): Promise<void>;
}

/** @param breaks one per connection, in order; later connections are not broken */
export async function startCuttingProxy(target: string, breaks: readonly Break[]): Promise<CuttingProxy> {
  const { hostname, port, pathname } = new URL(target);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    const plan = breaks[connections];
    connections++;
    const upstream = connect(Number(port), hostname);
    let broken = false;
    const breakNow = () => {
      broken = true;
      if (plan?.how !== 'silent') client.destroy();
      if (plan?.how === 'cut') upstream.end(); // after what was passed on
    };
    const pass = (from: Socket, to: Socket, direction: Break['direction']) => {
      sockets.add(from);
      let left = plan?.direction === direction ? plan.afterBytes : Number.POSITIVE_INFINITY;
      from.on('error', () => {});
      from.on('data', (data) => {
        if (broken) return;
        to.write(data.subarray(0, left));
        left -= data.length;
        if (left <= 0) breakNow();
      });
      from.on('close', () => {
        sockets.delete(from);
        if (!broken) to.destroy();
      });
    };
    pass(client, upstream, 'up');
    pass(upstream, client, 'down');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    ws: `ws://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
