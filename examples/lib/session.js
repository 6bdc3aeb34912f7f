/**
 * One recording over a WebSocket in the raw protocol, as a client in any language would do it. Applications should use
 * the client library (`rnnt-server/client`), which reconnects by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';

const CHUNK_SECONDS = 0.1;
/** Time limit for the server's greeting. */
const GREETING_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Opens the connection and waits for the server's greeting.
 * @returns {Promise<{ socket: WebSocket, greeting: object }>}
 * @throws Error with the server's own words where it refuses
 */
export function connect(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { handshakeTimeout: GREETING_TIMEOUT_MS });
    const timer = setTimeout(() => {
      reject(new Error(`${url} accepts connections but does not send a greeting.`));
      socket.terminate();
    }, GREETING_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', (error) => reject(new Error(explain(error, url))));
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => reject(new Error(refusal(response, body))));
    });
    socket.once('message', (text) => {
      clearTimeout(timer);
      const greeting = JSON.parse(text);
      if (greeting.type === 'connection') resolve({ socket, greeting });
      else reject(new Error(`${greeting.code}: ${greeting.error}`));
    });
    socket.once('close', (code, reason) =>
      reject(new Error(`The server closed the connection: ${code} ${reason}`)),
    );
  });
}

function explain(error, url) {
  if (error.code === 'ECONNREFUSED') return `No server is listening at ${url}. Start it with: npm start`;
  return `Cannot connect to ${url}: ${error.message}`;
}

function refusal(response, body) {
  const again = response.headers['retry-after'];
  const hint = again === undefined ? '' : ` Try again in ${again} s.`;
  try {
    const { code, error } = JSON.parse(body);
    return `Refused with ${code}: ${error}${hint}`;
  } catch {
    return `Refused with HTTP ${response.statusCode}.${hint}`;
  }
}

/** A WAV's samples in pieces of 100 ms, at the pace of a microphone. */
export async function* paced(wav, { speed = 1, seconds = wav.seconds, loop = false } = {}) {
  const frameBytes = wav.bytesPerSecond / wav.sampleRate;
  const chunkBytes = Math.round(wav.sampleRate * CHUNK_SECONDS) * frameBytes;
  const limit = loop ? seconds : Math.min(seconds, wav.seconds);
  const started = performance.now();
  let at = 0;
  for (let n = 1; (n - 1) * CHUNK_SECONDS < limit; n++) {
    const waitMs = started + (n * CHUNK_SECONDS * 1000) / speed - performance.now();
    if (Number.isFinite(speed) && waitMs > 0) await sleep(waitMs);
    yield wav.data.subarray(at, at + chunkBytes);
    at += chunkBytes;
    if (at >= wav.data.length && loop) at = 0;
  }
}

/**
 * Streams audio and resolves with the `recording_stopped` message when everything is recognised.
 * @param {WebSocket} socket Connected and greeted.
 * @param {object} config Of `start_recording`.
 * @param {AsyncIterable<Uint8Array>} audio
 * @param {(message: object) => void} onMessage Every message of the server.
 * @param {(bytes: number) => void} [onSent] After each piece: bytes sent so far.
 */
export async function record(socket, config, audio, onMessage, onSent = () => {}) {
  let timer;
  const stopped = new Promise((resolve, reject) => {
    socket.on('message', (text) => {
      const message = JSON.parse(text);
      timer?.refresh();
      onMessage(message);
      if (message.type === 'recording_stopped') resolve(message);
      if (message.type === 'error')
        reject(new Error(`${message.code}: ${message.error} ${message.detail ?? ''}`));
    });
    socket.on('close', (code, reason) => reject(new Error(`The connection was closed: ${code} ${reason}`)));
  });
  stopped.catch(() => {}); // awaited below, after the audio
  socket.send(JSON.stringify({ type: 'start_recording', config }));
  let bytes = 0;
  for await (const piece of audio) {
    if (socket.readyState !== WebSocket.OPEN) break;
    socket.send(piece);
    bytes += piece.length;
    onSent(bytes);
    while (socket.bufferedAmount > 1 << 20) await sleep(10); // the server slows down a fast sender through TCP
  }
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ type: 'stop_recording' }));
    timer = setTimeout(() => socket.terminate(), STOP_TIMEOUT_MS); // which rejects `stopped` through the close event
  }
  return stopped.finally(() => clearTimeout(timer));
}

/** The settings that tell the server the format of a WAV. */
export const formatOf = ({ sampleRate, channels, encoding }) => ({
  sample_rate: sampleRate,
  channels,
  encoding,
});
