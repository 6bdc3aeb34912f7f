/**
 * `npm run faults -- overload [--streams 16 --seconds 20]`: twice the rated number of speakers connect to a real server
 * in real time, and refused ones retry continuously. Prints how fast they were refused and how late the chunks of the
 * others were. Fails if a transcript differs from an undisturbed run.
 */
import { setInterval as every, setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { percentiles } from '../../src/load/generator.js';
import { clips, loadClip } from '../../test/helpers/fixtures.js';
import { startLiveServer } from '../../test/helpers/live-server.js';
import { bytesOf, cut, refusedUpgrade, TestClient } from '../../test/helpers/ws-client.js';

const { values } = parseArgs({
  allowPositionals: true,
  options: { streams: { type: 'string', default: '16' }, seconds: { type: 'string', default: '20' } },
});
const streams = Number(values.streams);
const seconds = Number(values.seconds);
const PIECE_MS = 100;
const PIECE_BYTES = 3_200;

const live = await startLiveServer({ maxStreams: streams, admission: 'slots' });
const refusals: number[] = [];
let speaking = true;

/** Retries as fast as refusals come one after the other: twenty per second for each excess stream. */
async function knock(): Promise<void> {
  for await (const _ of every(50)) {
    if (!speaking) return;
    const beganMs = performance.now();
    const { body } = await refusedUpgrade(live.ws);
    if (body.code !== 'AT_CAPACITY') throw new Error(`refused with ${body.code}`);
    refusals.push(performance.now() - beganMs);
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

try {
  const sounds = await Promise.all(clips.slice(0, 4).map(async ({ file }) => bytesOf(await loadClip(file))));
  const speech = sounds.map((sound) => {
    const whole = Math.ceil((seconds * 32_000) / sound.length);
    return Buffer.concat(Array.from({ length: whole }, () => sound)).subarray(0, seconds * 32_000);
  });
  const undisturbed: string[] = [];
  for (const bytes of speech) {
    const client = await TestClient.open(live.ws);
    undisturbed.push((await client.transcribe(cut(bytes, PIECE_BYTES))).final_transcript);
    await client.close();
  }
  // `recording_stopped` comes a moment before the recording's place is free.
  while ((live.server.context.recogniser?.sessions.leases.active ?? 0) > 0) await setTimeout(PIECE_MS);
  const admitted = await Promise.all(Array.from({ length: streams }, () => TestClient.recording(live.ws)));
  const knocking = Promise.all(Array.from({ length: streams }, knock));
  const texts = await Promise.all(
    admitted.map((client, i) => speak(client, speech[i % speech.length]!, knocking)),
  ); // within
  const different = texts.filter((text, i) => text !== undisturbed[i % undisturbed.length]).length;
  const { p95 } = live.server.context.metrics.chunk.percentiles();
  const report = {
    admitted: streams,
    refused: refusals.length,
    refused_ms: percentiles(refusals),
    chunk_p95_ms: p95,
    different,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (different > 0) process.exitCode = 1;
  for (const client of admitted) await client.close();
} finally {
  await live.stop();
}
