/** An HTTP proxy that has a server below a sub-path and takes the path away, as nginx does with `proxy_pass http://server/`. */
import { createServer, type IncomingMessage, request as requestOf, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface PrefixProxy {
  /** With the sub-path, without a slash at the end. */
  readonly http: string;
  /** Paths outside the sub-path that somebody asked for: where a page has lost it. */
  readonly strays: string[];
  close(): Promise<void>;
}

/**
 * @param prefix such as `/speech`
 * @param tls a certificate and its key in PEM: the proxy then speaks https, and the server behind it does not
 */
export async function startPrefixProxy(
  target: string,
  prefix: string,
  tls?: { readonly cert: Buffer; readonly key: Buffer },
): Promise<PrefixProxy> {
  const { hostname, port } = new URL(target);
  const strays: string[] = [];
  const sockets = new Set<Socket>();
  const pathOf = ({ url = '' }: IncomingMessage) => {
    if (url.startsWith(`${prefix}/`)) return url.slice(prefix.length);
    strays.push(url);
    return null;
  };
  const pass = (incoming: IncomingMessage, answer: ServerResponse) => {
    const path = pathOf(incoming);
    if (path === null) return void answer.writeHead(404).end();
    const { method, headers } = incoming;
    const passed = requestOf({ hostname, port, method, path, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    incoming.pipe(passed);
  };
  const proxy = tls === undefined ? createServer(pass) : createSecureServer(tls, pass);
  proxy.on('upgrade', (incoming, client: Socket) => {
    const path = pathOf(incoming);
    if (path === null) return client.destroy();
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
    const { rawHeaders: raw } = incoming;
    const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
    upstream.write(`${[`GET ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    http: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}`,
    strays,
    close: () => {
      for (const socket of sockets) socket.destroy();
      proxy.closeAllConnections();
      return new Promise((resolve) => proxy.close(() => resolve()));
    },
  };
}
