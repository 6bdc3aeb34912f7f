/**
 * `npm run faults -- overload [--streams N --seconds 20 --retry-ms 1000] [--json FILE] [--note TEXT]`: twice the rated
 * number of speakers connect to a real server, which is a process of its own, in real time, and refused ones retry.
 * Without `--streams`, the rated number is what the server has measured of itself; then the speakers need a machine of
 * their own, since the server counts on all cores. Prints, and saves for docs/RELIABILITY.md, how fast they were refused
 * and how late the chunks of the others were. Fails if a transcript differs from an undisturbed run. Takes half a minute
 * longer than `--seconds`.
 */
import { setInterval as every, setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { percentiles } from '../../src/load/generator.js';
import { clips, loadClip } from '../../test/helpers/fixtures.js';
import { bytesOf, cut, refusedUpgrade, TestClient } from '../../test/helpers/ws-client.js';
import { ChildServer } from './child-server.js';
import { save } from './fleet/report.js';

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    'retry-ms': { type: 'string', default: '1000' },
    json: { type: 'string', default: 'benchmarks/results/faults.json' },
    note: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const retryMs = Number(values['retry-ms']);
const TARGET_MS = 50;
const PIECE_MS = 100;
const PIECE_BYTES = 3_200;
const SECOND_BYTES = 32_000;

const refusals: number[] = [];
let speaking = true;

/** One of the excess speakers, who retries; they do not try all at the same moment. */
async function knock(url: string, excess: number): Promise<void> {
  await setTimeout((retryMs * excess) / streams);
  while (speaking) {
    const beganMs = performance.now();
    const { body } = await refusedUpgrade(url);
    if (body.code !== 'AT_CAPACITY') throw new Error(`refused with ${body.code}`);
    const refusedMs = performance.now() - beganMs;
    refusals.push(refusedMs);
    await setTimeout(Math.max(0, retryMs - refusedMs));
  }
}

/** A speaker that has finished stops the retries before it frees its place. */
async function speak(client: TestClient, bytes: Uint8Array, knocking: Promise<unknown>): Promise<string> {
  const pieces = cut(bytes, PIECE_BYTES);
  for await (const _ of every(PIECE_MS)) {
    const { value } = pieces.next();
    if (value === undefined) break;
    await client.audio(value);
  }
  speaking = false;
  await knocking;
  client.say({ type: 'stop_recording' });
  return (await client.until('recording_stopped')).final_transcript;
}

async function soundsOf(count: number): Promise<Uint8Array[]> {
  const sounds = await Promise.all(
    clips.slice(0, count).map(async ({ file }) => bytesOf(await loadClip(file))),
  );
  return sounds.map((sound) => {
    const times = Math.ceil((seconds * SECOND_BYTES) / sound.length);
    return Buffer.concat(Array.from({ length: times }, () => sound)).subarray(0, seconds * SECOND_BYTES);
  });
}

/** What it measures of itself, or as many as are wanted. */
async function startServer(): Promise<{ server: ChildServer; streams: number }> {
  const wanted = values.streams === undefined ? null : Number(values.streams);
  const rated = wanted === null ? { admission: 'measured' } : { maxStreams: wanted, admission: 'slots' };
  const server = await ChildServer.begin(rated);
  const capacity = wanted ?? (await server.report())?.capacity;
  if (capacity === undefined || capacity === 0) throw new Error('The server has no rated capacity.');
  return { server, streams: capacity };
}

/** What is said without any load, by a server of its own: the other one measures the latency of all its chunks. */
async function transcriptsOf(speech: readonly Uint8Array[]): Promise<string[]> {
  const alone = await ChildServer.begin({ maxStreams: 1, admission: 'slots' });
  const texts: string[] = [];
  for (const bytes of speech) {
    // `recording_stopped` comes a moment before the recording's place is free.
    while (((await alone.report())?.recordings ?? 0) > 0) await setTimeout(PIECE_MS);
    const client = await TestClient.open(alone.ws);
    texts.push((await client.transcribe(cut(bytes, PIECE_BYTES))).final_transcript);
    await client.close();
  }
  await alone.stop();
  return texts;
}

const speech = await soundsOf(4);
const undisturbed = await transcriptsOf(speech);
const { server, streams } = await startServer();
try {
  const admitted = await Promise.all(Array.from({ length: streams }, () => TestClient.recording(server.ws)));
  const knocking = Promise.all(Array.from({ length: streams }, (_, i) => knock(server.ws, i)));
  const texts = await Promise.all(
    admitted.map((client, i) => speak(client, speech[i % speech.length]!, knocking)), // within
  );
  const report = {
    note: values.note ?? null,
    rated: values.streams === undefined,
    admitted: streams,
    seconds,
    retry_ms: retryMs,
    refused: refusals.length,
    refused_ms: percentiles(refusals),
    refused_in_time_percent:
      Math.round((10_000 * refusals.filter((ms) => ms < TARGET_MS).length) / refusals.length) / 100,
    chunk_ms: (await server.report())?.chunkMs,
    different: texts.filter((text, i) => text !== undisturbed[i % undisturbed.length]).length,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  await save(values.json, 'overload', report);
  if (report.different > 0) process.exitCode = 1;
  for (const client of admitted) await client.close();
} finally {
  await server.stop();
}
