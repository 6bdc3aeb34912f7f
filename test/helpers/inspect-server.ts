import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import type { InspectHub } from '../../src/inspect/hub.js';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const FOLDERS: Record<string, string> = {
  '/static/': 'static',
  '/vendor/mermaid/': 'node_modules/@mermaid-js/tiny/dist',
  '/vendor/source-sans/': 'node_modules/@fontsource-variable/source-sans-3/files',
};
/** As in src/server/routes.ts: Mermaid styles its drawing within itself, scripts come from the server alone. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws:";

export interface InspectServer {
  url: string;
  /** Sockets of inspector pages that are open now. */
  sockets(): number;
  /** Breaks every one of them. */
  drop(): void;
  close(): Promise<void>;
}

/** The pages, Mermaid and a hub behind `/ws/inspect`, on a free port of the loopback interface. */
export async function startInspectServer(hub: InspectHub): Promise<InspectServer> {
  const http = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const prefix = Object.keys(FOLDERS).find((candidate) => path.startsWith(candidate));
    const type = TYPES[extname(path)];
    if (prefix === undefined || type === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', type);
    response.setHeader('cache-control', 'max-age=300');
    response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    createReadStream(join(process.cwd(), FOLDERS[prefix] ?? '', path.slice(prefix.length)))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  });
  const sockets = new WebSocketServer({ server: http, path: '/ws/inspect' });
  sockets.on('connection', (socket) => {
    const watching = hub.add(socket);
    if (watching === null) {
      socket.close(1013);
      return;
    }
    socket.on('message', (data) => watching.receive(String(data)));
    socket.on('close', () => watching.leave());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const socket of sockets.clients) socket.terminate();
  };
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    sockets: () => sockets.clients.size,
    drop,
    close: async () => {
      drop();
      sockets.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
