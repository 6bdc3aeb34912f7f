/** One WebSocket and the session behind it: frames in, frames out, heartbeats to find sockets that died silently. */
import type { RawData, WebSocket } from 'ws';
import { LIMITS } from '../limits.js';
import type { Transport } from '../session/outbox.js';
import type { Session } from '../session/session.js';

/** A closing handshake that the client does not answer is cut short. */
export const CLOSE_TIMEOUT_MS = 5_000;

export function transportOf(socket: WebSocket): Transport {
  let signs = 0; // of life
  let signsAtHeartbeat = -1;
  let probing = false;
  // Audio counts too: the pong of a client that sends a whole file at once stands behind all of it.
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

/** ws gives a Buffer, whose `slice` would share memory: as plain bytes a slice is a copy. */
const asBytes = (data: RawData): Uint8Array => {
  if (Buffer.isBuffer(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Array.isArray(data) ? Buffer.concat(data) : data);
};

/** 1005: a close frame without a code. A client that means to come back closes with another, or not at all. */
const GOODBYES = new Set([1000, 1001, 1005]);

/** Hands what a socket brings to its session, as long as it is the one that carries it. */
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
  // A protocol error (an oversized frame, bad UTF-8): ws closes with the right code by itself.
  socket.on('error', (err) => session.onSocketError(err));
}
