/**
 * Cost of audio per 100 ms chunk of one stream: on the main thread (intake, by encoding), and in a codec worker
 * (resampling, by rate). Run: `node dist/benchmarks/audio.bench.js`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Bench } from 'tinybench';
import { type AudioFormat, COMMON_SAMPLE_RATES, ENCODINGS } from '../src/audio/format.js';
import { LiveDecoding } from '../src/audio/live/decode.js';
import { StreamResampler } from '../src/audio/resampler.js';
import { StreamFilters } from '../src/codec/filters.js';
import { runCodecJob } from '../src/codec/job.js';
import { CodecPool } from '../src/codec/pool.js';
import { codecSlabBytes, codecSlotAt } from '../src/codec/slab.js';
import { CodecStream } from '../src/codec/stream.js';
import type { SampleSink } from '../src/inference/sink.js';
import { inPackage } from '../src/paths.js';
import { createIntake, type Intake } from '../src/session/intake.js';

const RING_SAMPLES = 64_000;

/** A ring that is emptied as fast as it is filled. */
class EndlessSink implements SampleSink {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset = 0;
  readonly ring: Int16Array;
  written = 0;
  constructor(buffer = new SharedArrayBuffer(RING_SAMPLES * 2)) {
    this.buffer = buffer;
    this.ring = new Int16Array(buffer);
  }
  free(): number {
    return RING_SAMPLES;
  }
  commit(samples: number): void {
    this.written += samples;
  }
}

const SAMPLE_BYTES = { pcm16: 2, float32: 4, mulaw: 1, alaw: 1 } as const;

/** 100 ms of a tone in the given format. */
function chunkOf({ sample_rate, encoding, channels }: AudioFormat): Uint8Array {
  const values = (sample_rate / 10) * channels;
  const tone = Array.from({ length: values }, (_, i) => 0.3 * Math.sin(i * 0.05));
  if (encoding === 'float32') return new Uint8Array(Float32Array.from(tone).buffer);
  if (encoding === 'pcm16') return new Uint8Array(Int16Array.from(tone, (it) => it * 32_767).buffer);
  return Uint8Array.from({ length: values * SAMPLE_BYTES[encoding] }, (_, i) => i & 0xff);
}

const noPool = new CodecPool();
const bench = new Bench({ time: 300, warmupTime: 100 });

for (const encoding of ENCODINGS) {
  for (const channels of [1, 2] as const) {
    const format: AudioFormat = { sample_rate: 16_000, encoding, channels };
    const intake = createIntake(format, new EndlessSink(), noPool);
    const chunk = chunkOf(format);
    bench.add(`intake, direct: 16 kHz ${encoding} × ${channels}`, () => intake.push(chunk));
  }
}

const ringSink = new EndlessSink();
const samples = new Int16Array(1_600);
let at = 0;
bench.add('ring write: 1,600 samples, plain copy', () => {
  ringSink.ring.set(samples, at);
  at = (at + 1_600) % RING_SAMPLES;
});

/** The main thread's part of the codec path and the worker's part, without the thread between them. */
const filters = new StreamFilters();
for (const sample_rate of [8_000, 44_100, 48_000]) {
  const format: AudioFormat = { sample_rate, encoding: 'pcm16', channels: 1 };
  const sink = new EndlessSink();
  const slab = new SharedArrayBuffer(codecSlabBytes(1));
  const slot = codecSlotAt(slab, 0);
  const events = { progressed: () => {}, flushed: () => {}, failed: () => {} };
  const stream = new CodecStream(slab, 0, format, sink, events, { ready: () => {}, closed: () => {} });
  const chunk = chunkOf(format);
  bench.add(`codec job: ${sample_rate} Hz pcm16, decode and resample (and 2 µs of main thread)`, () => {
    stream.write(chunk);
    stream.beginJob();
    runCodecJob(slot, sink.buffer, filters);
    stream.endJob(undefined);
  });
}

const out = new Int16Array(8_000);
for (const rateHz of [...COMMON_SAMPLE_RATES.filter((rate) => rate !== 16_000), 44_101]) {
  const resampler = new StreamResampler(rateHz);
  const input = Float32Array.from({ length: Math.round(rateHz / 10) }, (_, i) => 9_000 * Math.sin(i * 0.05));
  bench.add(`resampler: ${rateHz} Hz → 16 kHz, 100 ms`, () => void resampler.process(input, out, 0));
}

/** A browser's recording as it arrives: about 345 bytes per 100 ms. */
const recorded = readFileSync(inPackage('test', 'fixtures', 'opus', 'media-recorder.webm'));
bench.add('live decoder: 9 s of WebM with Opus, 100 ms at a time, decode and resample', async () => {
  let looked = () => {};
  const decoding = new LiveDecoding(
    { encoding: 'container', channels: 1, outputs: 1 },
    { piece: async () => looked() },
  );
  const run = decoding.run();
  for (let from = 0; from < recorded.length; from += 345) {
    const dry = new Promise<void>((resolve) => {
      looked = resolve;
    });
    decoding.source.push(recorded.subarray(from, from + 345));
    await dry;
  }
  decoding.source.end();
  await run;
});

await bench.run();
console.table(
  bench.tasks.map(({ name, result }) => ({
    task: name,
    'median µs': 'latency' in result ? (result.latency.p50 * 1_000).toFixed(2) : '',
    'p99 µs': 'latency' in result ? (result.latency.p99 * 1_000).toFixed(2) : '',
  })),
);

/** CPU time of the main thread, µs. Not wall time, so that other work on the machine does not count; Linux only. */
function mainThreadCpuUs(): number {
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ');
  return Number(nanoseconds) / 1_000;
}

/** N streams of 48 kHz through a real pool, each in real time with its own phase. */
async function throughPool(streams: number, seconds: number): Promise<void> {
  const slab = new EndlessSink();
  const pool = new CodecPool({ streamSlab: slab.buffer, slots: streams });
  const format: AudioFormat = { sample_rate: 48_000, encoding: 'pcm16', channels: 1 };
  const chunk = chunkOf(format);
  const intakes = Array.from({ length: streams }, () =>
    createIntake(format, new EndlessSink(slab.buffer), pool),
  );
  const run = async (push: (intake: Intake) => void): Promise<number> => {
    const cpuBefore = mainThreadCpuUs();
    const start = performance.now();
    for (let sent = 0; sent < streams * seconds * 10; ) {
      const due = Math.floor(((performance.now() - start) / 100) * streams);
      for (; sent < due; sent += 1) push(intakes[sent % streams]!);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return mainThreadCpuUs() - cpuBefore;
  };
  const received = (): number => intakes.reduce((sum, intake) => sum + intake.receivedSamples, 0) / 1_600;
  await run((intake) => intake.push(chunk)); // threads start, code is compiled
  const chunksBefore = received();
  const pacingUs = await run(() => {}); // the pacing's own cost
  const cpuUs = (await run((intake) => intake.push(chunk))) - pacingUs;
  const chunks = received() - chunksBefore;
  await Promise.all(intakes.map((intake) => intake.end()));
  console.log(
    `${streams} streams of 48 kHz through the pool: ${chunks.toFixed(0)} chunks in ${seconds} s, ` +
      `main thread ${(cpuUs / chunks).toFixed(1)} µs of CPU per chunk`,
  );
  await Promise.all(intakes.map((intake) => intake.close()));
  await pool.close();
}
// With fewer streams, the noise of the pacing exceeds the measured cost.
if (existsSync('/proc/self/task')) for (const streams of [128, 256]) await throughPool(streams, 2);
await noPool.close();
