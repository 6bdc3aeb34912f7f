import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { FakeServer, type FakeServerOptions, type Peer } from './fake-server.js';

const ROOT = process.cwd();
const VENDORS: Record<string, string> = {
  uplot: 'node_modules/uplot/dist',
  'source-sans': 'node_modules/@fontsource-variable/source-sans-3/files',
};
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wav': 'audio/wav',
  '.woff2': 'font/woff2',
};
/** The policy of a strict deployment; the pages must work under it. */
export const STRICT_CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; media-src 'self' blob:; object-src 'none'; base-uri 'none'";

export interface FakeHttpServer {
  url: string;
  fake: FakeServer;
  /** While set, upgrades are refused with it. */
  refusal: { status: number; body: Record<string, unknown>; retryAfter?: string } | null;
  status: () => Record<string, unknown>;
  /** Path and query of every request and upgrade, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** The pages and a scripted `/ws/transcribe` behind them, on a free port of the loopback interface. */
export async function startFakeHttpServer(
  options: FakeServerOptions = {},
  port = 0,
): Promise<FakeHttpServer> {
  const fake = new FakeServer(options);
  const http = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    handle.asked.push(request.url ?? '');
    if (pathname === '/ws/status' || pathname === '/ws/transcribe') {
      const refusal = handle.refusal;
      const status = pathname === '/ws/status' ? 200 : 426;
      response.writeHead(refusal ? refusal.status : status, {
        'content-type': 'application/json',
        ...(refusal?.retryAfter ? { 'retry-after': refusal.retryAfter } : {}),
      });
      response.end(JSON.stringify(refusal ? refusal.body : handle.status()));
      return;
    }
    if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ model: { name: 'fake', version: '1', language: 'en' }, dialects: ['openai'] }),
      );
      return;
    }
    sendFile(pathname, response);
  });
  const sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    handle.asked.push(request.url ?? '');
    socket.on('error', () => {}); // a page that is closed may reset its connection
    if (handle.refusal) {
      socket.end(
        `HTTP/1.1 ${handle.refusal.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const peer: Peer = {
        send: (text) => ws.send(text),
        close: (code, reason) => (code === 1006 ? ws.terminate() : ws.close(code, reason)),
      };
      ws.on('message', (data, isBinary) => {
        if (isBinary) fake.binary(peer, data as Buffer);
        else fake.text(peer, String(data));
      });
      ws.on('close', () => fake.disconnected(peer));
      fake.connect(peer, new URL(request.url ?? '/', 'http://localhost'));
    });
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const handle: FakeHttpServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    fake,
    refusal: null,
    asked: [],
    status: () => ({ status: 'ready', admitted: fake.peers.size, capacity: 100 }),
    close: () => closeAll(http, sockets),
  };
  return handle;
}

function sendFile(pathname: string, response: ServerResponse): void {
  const vendor = /^\/vendor\/([^/]+)\/(.+)$/.exec(pathname);
  const relative = vendor ? join(VENDORS[vendor[1] ?? ''] ?? 'nowhere', vendor[2] ?? '') : pathname;
  const path = join(ROOT, normalize(relative));
  if (!path.startsWith(ROOT) || !existsSync(path) || !statSync(path).isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
    'content-security-policy': STRICT_CSP,
    'cache-control': 'no-store',
  });
  createReadStream(path).pipe(response);
}

async function closeAll(http: Server, sockets: WebSocketServer): Promise<void> {
  for (const ws of sockets.clients) ws.terminate();
  http.closeAllConnections();
  await new Promise<void>((resolve) => http.close(() => resolve()));
}

/** The words of the bundled sample, spread evenly over it: the results of a fake recogniser. */
export function sampleWords(): { word: string; start: number; end: number }[] {
  const about = JSON.parse(readFileSync(join(ROOT, 'static/sample.json'), 'utf8')) as {
    text: string;
    seconds: number;
  };
  const words = about.text.split(' ');
  const each = (about.seconds - 1) / words.length;
  return words.map((word, i) => ({ word, start: 0.3 + i * each, end: 0.3 + (i + 0.9) * each }));
}
