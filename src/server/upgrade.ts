/** The HTTP upgrade: admission, then a WebSocket and its session. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { ERRORS, ServerError, toServerError } from '../errors.js';
import type { InspectHub } from '../inspect/hub.js';
import { LIMITS } from '../limits.js';
import type { DialectDefinition } from '../protocol/dialect.js';
import { dialectAt, refusalAt } from '../protocol/dialects/index.js';
import { KeyLeases } from '../session/leases.js';
import type { Transport } from '../session/outbox.js';
import { Session } from '../session/session.js';
import { checkAdmin } from './admin.js';
import {
  type Admitted,
  admit,
  admitNew,
  asksFleet,
  pathOf,
  requireReady,
  retryAfter,
  urlOf,
} from './admission.js';
import { arrive, type Host } from './arrival.js';
import { type Claim, claim } from './claims.js';
import { bind, CLOSE_TIMEOUT_MS, transportOf } from './connection.js';
import type { ServerContext } from './context.js';
import { whoAsks } from './keys.js';
import { checkOrigin } from './origins.js';

/** permessage-deflate for mobile clients: little memory per connection, few threads, no compression of small frames. */
const DEFLATE = {
  threshold: 1024,
  concurrencyLimit: 4,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 12,
  zlibDeflateOptions: { level: 3, memLevel: 5 },
};

/** Answers a refused upgrade as HTTP, in the format of the dialect at this path. */
function refuseUpgrade(socket: Duplex, error: ServerError, path: string, dialects: readonly string[]): void {
  const refusal = refusalAt(path, dialects, error.code, error.detail);
  const { status = error.entry.httpStatus } = refusal;
  const body = JSON.stringify(refusal.body);
  const after = retryAfter(error.code);
  const head = [
    `HTTP/1.1 ${status} ${error.code}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(after === undefined ? [] : [`Retry-After: ${after}`]),
    ...Object.entries(refusal.headers).map(([name, value]) => `${name}: ${headerText(value)}`),
    'Connection: close',
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** A detail may contain input from the client, so characters that could end a header are replaced. */
const headerText = (value: string): string => value.replace(/[^\x20-\x7e]/g, '?');

export type InspectHandler = (socket: WebSocket) => void;

/** Without an error listener, a protocol violation by a client would end the process. */
const ignoreErrors = (ws: WebSocket): WebSocket => ws.on('error', () => {});

/** Joins an inspector page to the hub. */
export function inspectOver(socket: WebSocket, hub: InspectHub): void {
  const watching = hub.add(socket);
  if (watching === null) {
    socket.close(ERRORS.AT_CAPACITY.closeCode ?? 1013, 'AT_CAPACITY');
    return;
  }
  socket.on('message', (data, isBinary) => {
    if (!isBinary) watching.receive(data.toString());
  });
  socket.on('close', () => watching.leave());
  socket.on('error', () => socket.terminate());
}

const OF_THE_OFFER = new Set(['upgrade', 'connection', 'http2-settings']);

/**
 * Offers of other protocols may be ignored and the request answered normally (Java's HTTP client and `curl --http2`
 * offer h2c with every request). Node passes every offer to `upgrade`, so the request is handed back without it.
 */
function ignoreOffer(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!OF_THE_OFFER.has(rawHeaders[i]!.toLowerCase())) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
}

/** Headers that a dialect adds to the response that accepts an upgrade. */
const acceptHeaders = new WeakMap<IncomingMessage, Readonly<Record<string, string>>>();

export interface Upgrades {
  /** To be closed with the HTTP servers. */
  readonly sockets: WebSocketServer;
  /** Handles the upgrades of an HTTP server. */
  serve(server: Server): void;
}

export function acceptUpgrades(context: ServerContext, inspect: InspectHandler): Upgrades {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true, // for closeSockets
    // Twice the limit: above `maxPayload` ws closes without a message, so slightly larger frames are left for the
    // session to refuse.
    maxPayload: 2 * LIMITS.maxFrameBytes,
    perMessageDeflate: context.config.deflate ? DEFLATE : false,
  });
  sockets.on('headers', (lines, request) => {
    for (const [name, value] of Object.entries(acceptHeaders.get(request) ?? {})) {
      lines.push(`${name}: ${headerText(value)}`);
    }
  });
  const serve = (server: Server) =>
    server.on('upgrade', (request, socket, head) => {
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
        ignoreOffer(server, request, socket, head);
        return;
      }
      socket.on('error', () => socket.destroy());
      const refuse = (thrown: unknown) => {
        context.metrics.refused++;
        const error = toServerError(thrown);
        context.metrics.countError(error.code);
        context.log.info({ code: error.code, detail: error.detail }, 'upgrade refused');
        refuseUpgrade(socket, error, pathOf(request), context.config.dialects);
      };
      try {
        const url = urlOf(request);
        const spoken = dialectAt(url.pathname, context.config.dialects);
        if (spoken !== undefined) {
          const asked = { spoken, request, socket, head, url };
          const admitted = admit(context, request, url, spoken.resumes);
          const host = hostOf(admitted, asked);
          if (asksFleet(admitted)) arriveAndOpen(sockets, context, asked, admitted, host).catch(refuse);
          else claimAndOpen(sockets, context, asked, admitted, host)?.catch(refuse);
        } else if (url.pathname === '/ws/inspect') {
          checkOrigin(context.config.allowedOrigins, request);
          checkAdmin(context.config, request, url);
          if (context.config.adminToken === '') whoAsks(context.keyring, request, url);
          sockets.handleUpgrade(request, socket, head, (ws) => inspect(ignoreErrors(ws)));
        } else throw new ServerError('NOT_FOUND');
      } catch (thrown) {
        refuse(thrown);
      }
    });
  return { sockets, serve };
}

/** Accepts no more sockets and closes those that are open; clients that do not respond are cut off. */
export function closeSockets(sockets: WebSocketServer): void {
  sockets.close();
  for (const socket of sockets.clients) {
    socket.close(ERRORS.DRAINING.closeCode ?? 1001, 'DRAINING');
    setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }
}

/** An upgrade to one of the streaming protocols. */
interface Asked {
  readonly spoken: DialectDefinition;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly url: URL;
}

/**
 * Data with which the session of this upgrade is created.
 * @throws ServerError if the protocol does not support the request
 */
function hostOf({ recogniser: { sessions }, grant }: Admitted, { spoken, request, url }: Asked): Host {
  const { manifest } = sessions.engine.model;
  const defined = { manifest, defaults: sessions.defaults, resumes: sessions.resumeWindowMs > 0 };
  const dialect = spoken.create({ url, headers: request.headers }, defined);
  const own = { ...sessions, leases: new KeyLeases(sessions.leases, grant) };
  return { sessions: own, dialect, remote: request.socket.remoteAddress ?? '' };
}

/** First asks the fleet for the session. */
async function arriveAndOpen(
  sockets: WebSocketServer,
  context: ServerContext,
  asked: Asked,
  admitted: Admitted,
  host: Host,
): Promise<void> {
  const resumption = await arrive(context, admitted, host);
  if (asked.socket.destroyed) return; // the session waits for its client like any other
  requireReady(context);
  if (resumption?.session === undefined) admitNew(context, admitted);
  await claimAndOpen(sockets, context, asked, { ...admitted, resumption }, host);
}

/**
 * Asks the fleet for the client_id, if necessary.
 * @returns a promise only if it asks
 */
function claimAndOpen(
  sockets: WebSocketServer,
  context: ServerContext,
  asked: Asked,
  admitted: Admitted,
  host: Host,
): Promise<void> | undefined {
  const claimed = claim(context, admitted, asked.url);
  if (claimed instanceof Promise) {
    return claimed.then((given) => openClaimed(sockets, context, asked, admitted, host, given));
  }
  openStream(sockets, context, asked, admitted, host, claimed);
  return undefined;
}

/**
 * Checks again, since the state may have changed while the fleet was asked.
 * @throws ServerError NOT_READY, DRAINING
 */
function openClaimed(
  sockets: WebSocketServer,
  context: ServerContext,
  asked: Asked,
  admitted: Admitted,
  host: Host,
  claimed: Claim,
): void {
  let isHeld = false;
  try {
    requireReady(context);
    isHeld = openStream(sockets, context, asked, admitted, host, claimed);
  } finally {
    if (!isHeld) claimed.giveBack();
  }
}

/** @returns whether a session was opened; it then holds the client_id until it closes */
function openStream(
  sockets: WebSocketServer,
  context: ServerContext,
  { request, socket, head }: Asked,
  admitted: Admitted,
  { sessions, dialect, remote }: Host,
  claimed: Claim,
): boolean {
  if (dialect.headers !== undefined) acceptHeaders.set(request, dialect.headers);
  let isOpen = false;
  // Subprotocols: ws answers with the first offered, as every client expects. The callback comes at once, or never.
  sockets.handleUpgrade(request, socket, head, (ws) => {
    const transport = transportOf(ws);
    if (resumed(admitted, ws, transport, remote)) return;
    const { clientId, grant, resumption } = admitted;
    const holder = context.registry.holder(clientId);
    if (holder !== undefined || !claimed.free) {
      holder?.probe(); // the holder may be the same client, back from a lost network: a second attempt then succeeds
      ignoreErrors(ws);
      const code = 'CLIENT_ID_IN_USE';
      for (const frame of dialect.render({ type: 'error', code, fatal: true })) transport.send(frame);
      transport.close(dialect.closeCode(code), code);
      context.metrics.countError(code);
      return;
    }
    context.metrics.connections++;
    const peer = { clientId, remote, key: grant.identity, keyName: grant.name, expired: resumption !== null };
    const session = new Session(sessions, transport, dialect, peer);
    bind(ws, transport, session);
    context.registry.add(session);
    isOpen = context.registry.get(session.id) === session;
    // The session that could not be resumed held the name and has released it.
    if (isOpen && resumption?.session !== undefined) context.cluster?.holdClient(clientId);
  });
  return isOpen;
}

/** Whether the connection got the session that it asked for. A session that cannot be resumed completely is ended. */
function resumed({ resumption }: Admitted, ws: WebSocket, transport: Transport, remote: string): boolean {
  const { session, token, seen } = resumption ?? {};
  if (session === undefined || token === undefined || seen === undefined) return false;
  if (session.resume({ transport, remote, token, seen })) {
    bind(ws, transport, session);
    return true;
  }
  session.actor.send({ type: 'CLOSE', code: null });
  return false;
}
