/** One WebSocket and its session: passes frames in and out, and sends heartbeats to detect dead sockets. */
import type { RawData, WebSocket } from 'ws';
import { LIMITS } from '../limits.js';
import type { Transport } from '../session/outbox.js';
import type { Session } from '../session/session.js';

/** Limits the wait for the client's part of the closing handshake. */
export const CLOSE_TIMEOUT_MS = 5_000;

export function transportOf(socket: WebSocket): Transport {
  let signs = 0; // of life
  let signsAtHeartbeat = -1;
  let probing = false;
  // Audio counts as a sign of life too: when a client sends a whole file at once, its pong comes after all of it.
  const alive = () => {
    signs++;
  };
  socket.on('pong', alive);
  socket.on('message', alive);
  return {
    heartbeat: () => {
      if (signs === signsAtHeartbeat) socket.terminate();
      else if (socket.readyState === socket.OPEN) {
        signsAtHeartbeat = signs;
        socket.ping();
      }
    },
    probe: () => {
      if (probing || socket.readyState !== socket.OPEN) return;
      probing = true;
      const before = signs;
      socket.ping();
      setTimeout(() => {
        probing = false;
        if (signs === before) socket.terminate();
      }, LIMITS.probeMs).unref();
    },
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    send: (frame) => {
      if (socket.readyState === socket.OPEN) socket.send(frame);
    },
    pause: () => {
      if (socket.readyState === socket.OPEN) socket.pause();
    },
    resume: () => {
      alive();
      if (socket.readyState === socket.OPEN) socket.resume();
    },
    mark: (last) => {
      if (socket.readyState === socket.OPEN) socket.ping(String(last));
    },
    close: (code, reason) => {
      if (socket.readyState === socket.CLOSED) return;
      socket.close(code, reason);
      setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
    },
  };
}

/** ws gives a Buffer, whose `slice` shares memory. On plain bytes, `slice` copies. */
const asBytes = (data: RawData): Uint8Array => {
  if (Buffer.isBuffer(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Array.isArray(data) ? Buffer.concat(data) : data);
};

/** 1005 is a close frame without a code. A client that intends to return closes with another code, or not at all. */
const GOODBYES = new Set([1000, 1001, 1005]);

/** Passes what a socket receives to its session, as long as the session uses this socket. */
export function bind(socket: WebSocket, transport: Transport, session: Session): void {
  const carried = () => session.carriedBy(transport);
  socket.on('message', (data, isBinary) => {
    if (carried()) session.onFrame(isBinary ? asBytes(data) : data.toString());
  });
  socket.on('pong', (data) => {
    if (!carried()) return;
    session.onAlive();
    if (data.length > 0) session.onDelivered(Number(data.toString()) || 0);
  });
  socket.on('close', (code) => {
    if (carried()) session.onSocketClosed(GOODBYES.has(code));
  });
  // A protocol error (an oversized frame, bad UTF-8): ws itself closes with the right code.
  socket.on('error', (err) => session.onSocketError(err));
}
