/** Checks that need a server. Each gives a list of findings and never throws: a failure is a finding. */
import { RNNTClient } from '../websocket-client.js';
import { asFormat, generateTestAudio } from './test-audio.js';

/**
 * @typedef {{ name: string, ok: boolean, ms?: number, detail: string }} Finding
 * @typedef {{ name: string, ok: boolean, findings: Finding[] }} CheckResult
 * @typedef {import('../client/types.js').Encoding} Encoding
 */

const TIMEOUT_MS = 10_000;
const TONE_SECONDS = 0.5;
/** Half a chunk at the lowest rate: the largest error by rounding. */
const DURATION_TOLERANCE_SECONDS = 0.02;

/** @type {{ sample_rate: number, encoding: Encoding, channels: 1 | 2 }[]} */
const FORMATS = [
  { sample_rate: 16_000, encoding: 'pcm16', channels: 1 },
  { sample_rate: 8_000, encoding: 'pcm16', channels: 1 },
  { sample_rate: 44_100, encoding: 'pcm16', channels: 1 },
  { sample_rate: 48_000, encoding: 'pcm16', channels: 2 },
  { sample_rate: 16_000, encoding: 'float32', channels: 1 },
  { sample_rate: 8_000, encoding: 'mulaw', channels: 1 },
  { sample_rate: 8_000, encoding: 'alaw', channels: 1 },
];

/**
 * @param {string} name
 * @param {() => Promise<string>} run Resolves with what was found, rejects with what is wrong.
 * @returns {Promise<Finding>}
 */
async function step(name, run) {
  const from = performance.now();
  try {
    const detail = await Promise.race([run(), expiry()]);
    return { name, ok: true, ms: performance.now() - from, detail };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { name, ok: false, ms: performance.now() - from, detail };
  }
}

/** @returns {Promise<never>} */
function expiry() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`No answer within ${TIMEOUT_MS / 1_000} s.`)), TIMEOUT_MS);
  });
}

/**
 * @param {string} name
 * @param {Finding[]} findings
 * @returns {CheckResult}
 */
const result = (name, findings) => ({ name, ok: findings.every((f) => f.ok), findings });

/**
 * Checks that the server is reachable, greets, responds and records.
 * @param {RNNTClient} client Fresh; closed at the end.
 * @param {string} statusUrl
 * @returns {Promise<CheckResult>}
 */
export async function checkConnection(client, statusUrl) {
  /** @type {Record<string, unknown>} */
  let greeting = {};
  client.on('connection', (message) => {
    greeting = message;
  });
  /** @type {[name: string, run: () => Promise<string>][]} */
  const steps = [
    [
      'Status over HTTP',
      async () => {
        const response = await fetch(statusUrl, {
          cache: 'no-store',
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const { status, admitted, capacity } = await response.json();
        if (status !== 'ready') throw new Error(`The server is ${status}.`);
        return `${status}, ${admitted} of ${capacity} streams admitted`;
      },
    ],
    [
      'WebSocket and greeting',
      async () => {
        await client.connect();
        return `protocol ${greeting.protocol_version}, model ${greeting.model ?? 'unnamed'}`;
      },
    ],
    ['Round trip', async () => `${(await roundTrip(client)).toFixed(1)} ms`],
    [
      'Start, audio, stop',
      async () => {
        await client.start();
        client.send(generateTestAudio(440, TONE_SECONDS));
        const { duration } = await client.stop();
        return `${duration} s recorded`;
      },
    ],
  ];
  /** @type {Finding[]} */
  const findings = [];
  for (const [name, run] of steps) {
    findings.push(await step(name, run));
    // Without a greeting, later checks cannot work; without the status page, all can.
    if (findings.length > 1 && !findings[findings.length - 1]?.ok) break;
  }
  client.close();
  return result('Connection', findings);
}

/**
 * Measures one round trip.
 * @param {RNNTClient} client
 * @returns {Promise<number>} Milliseconds, of the ping that follows the greeting.
 */
function roundTrip(client) {
  const { last } = client.stats.rttMs;
  if (last !== null) return Promise.resolve(last);
  return new Promise((resolve) => client.on('latency', ({ rttMs }) => rttMs !== undefined && resolve(rttMs)));
}

/**
 * Checks that the server receives every format at the right length.
 * @param {RNNTClient} client Fresh; closed at the end.
 * @returns {Promise<CheckResult>}
 */
export async function checkFormats(client) {
  let heardSeconds = 0;
  client.on('message', ({ direction, message }) => {
    if (direction === 'in' && message.type === 'recording_stopped')
      heardSeconds = Number(message.total_duration);
  });
  /** @type {Finding[]} */
  const findings = [];
  for (const format of FORMATS) {
    const name = `${format.encoding}, ${format.sample_rate} Hz, ${format.channels === 1 ? 'mono' : 'stereo'}`;
    const finding = await step(name, async () => {
      await client.start(format);
      client.send(asFormat(generateTestAudio(440, TONE_SECONDS, format.sample_rate), format));
      await client.stop();
      const wrong = Math.abs(heardSeconds - TONE_SECONDS) > DURATION_TOLERANCE_SECONDS;
      if (wrong)
        throw new Error(`${TONE_SECONDS} s were sent, but ${heardSeconds.toFixed(3)} s were received.`);
      return `${heardSeconds.toFixed(2)} s received of ${TONE_SECONDS} s`;
    });
    findings.push(finding);
    if (client.recording) break; // It did not stop, so the next start would also fail.
  }
  client.close();
  return result('Audio formats', findings);
}

/**
 * What this browser can do.
 * @returns {CheckResult}
 */
export function checkBrowser() {
  const rate = typeof AudioContext === 'undefined' ? 0 : deviceRate();
  /** @type {Finding[]} */
  const findings = [
    { name: 'Secure context', ok: globalThis.isSecureContext, detail: location.origin },
    { name: 'WebSocket', ok: typeof WebSocket === 'function', detail: '' },
    { name: 'Microphone access', ok: Boolean(navigator.mediaDevices?.getUserMedia), detail: '' },
    { name: 'AudioWorklet', ok: typeof AudioWorkletNode === 'function', detail: '' },
    { name: 'Device sample rate', ok: rate > 0, detail: `${rate} Hz` },
  ];
  return result('Browser', findings);
}

function deviceRate() {
  const context = new AudioContext();
  const { sampleRate } = context;
  context.close();
  return sampleRate;
}
