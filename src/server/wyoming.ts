/** The listener for Wyoming: each TCP connection is a session of that dialect. The protocol has no keys. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ServerError, toServerError } from '../errors.js';
import { wyoming, wyomingError } from '../protocol/dialects/wyoming.js';
import type { Transport } from '../session/outbox.js';
import { Session } from '../session/session.js';
import { requireReady } from './admission.js';
import { CLOSE_TIMEOUT_MS } from './connection.js';
import type { ServerContext } from './context.js';

/** Idle time before the system probes a silent peer (TCP keep-alive). */
const KEEP_ALIVE_MS = 60_000;
/** The client's end of input, as the dialect sees it. */
const NO_MORE = new Uint8Array(0);

/** A server that is not listening yet; its connections end with their sessions. */
export function createWyomingServer(context: ServerContext): Server {
  // A client that has closed its side still reads its transcript.
  const server = createServer({ allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    try {
      accept(context, socket);
    } catch (thrown) {
      refuse(context, socket, toServerError(thrown));
    }
  });
  return server;
}

function accept(context: ServerContext, socket: Socket): void {
  const { sessions } = requireReady(context);
  if (context.registry.size >= context.config.maxConnections) {
    throw new ServerError('AT_CAPACITY', `${context.registry.size} connections are open`);
  }
  const { manifest } = sessions.engine.model;
  const dialect = wyoming({ manifest, defaults: sessions.defaults, resumes: false });
  const peer = { clientId: randomUUID(), remote: socket.remoteAddress ?? '', key: '' };
  context.metrics.connections++;
  const session = new Session(sessions, transportOf(socket), dialect, peer);
  socket.on('data', (bytes) => {
    session.onFrame(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  });
  socket.on('end', () => session.onFrame(NO_MORE));
  socket.on('close', () => session.onSocketClosed());
  context.registry.add(session);
}

function refuse(context: ServerContext, socket: Socket, error: ServerError): void {
  context.metrics.refused++;
  context.metrics.countError(error.code);
  context.log.info({ code: error.code, detail: error.detail }, 'a Wyoming connection was refused');
  socket.resume();
  closeGently(socket, wyomingError(error));
}

/** Sends the rest and closes; a client that does not close its side is cut off. */
function closeGently(socket: Socket, ...rest: Uint8Array[]): void {
  for (const frame of rest) socket.write(frame);
  socket.end();
  setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
}

/** The protocol has no ping from the server; TCP keep-alive finds dead peers. */
const transportOf = (socket: Socket): Transport => ({
  get bufferedAmount() {
    return socket.writableLength;
  },
  send: (frame) => {
    if (socket.writable) socket.write(frame);
  },
  pause: () => {
    socket.pause();
  },
  resume: () => {
    socket.resume();
  },
  heartbeat: () => {},
  probe: () => {},
  mark: () => {},
  close: () => closeGently(socket),
});

/** Resolves with the port when it listens. */
export async function listenForWyoming(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
