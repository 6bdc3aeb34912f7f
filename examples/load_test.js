#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises';
/**
 * Many people talking at once: streams the bundled speech over N sockets in real time and measures what each of
 * them would feel.
 *
 *     node examples/load_test.js --connections 10 --duration 30
 *
 * result latency: a piece of audio left → the first partial that covers it came
 * word latency:   a word ended in the audio → the first message that shows it, and is not taken back, came
 * final latency:  stop_recording left → recording_stopped came
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Marks } from '../static/client/marks.js';
import { WordLatency } from '../static/client/word-latency.js';
import { connect, formatOf, paced, record } from './lib/session.js';
import { readWav } from './lib/wav.js';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'ws://localhost:8000/ws/transcribe' },
    connections: { type: 'string', default: '10' },
    duration: { type: 'string', default: '30' },
    file: { type: 'string', default: fileURLToPath(new URL('../static/sample.wav', import.meta.url)) },
    json: { type: 'boolean', default: false },
  },
});
const connections = Number(values.connections);
const seconds = Number(values.duration);
const wav = readWav(values.file);

/** One speaker. Speakers start spread over a second, so that their chunks do not coincide. */
async function talk(index, report) {
  await sleep((1000 * index) / connections);
  const { socket } = await connect(values.url);
  const sentAtMs = []; // per piece of 100 ms
  let next = 0; // the first piece not covered by a partial yet
  let stoppedAtMs = 0;
  const spoken = new Marks(); // in seconds
  const words = new WordLatency((seconds) => spoken.momentMs(seconds, 0.001));
  const onMessage = (message) => {
    if (message.type === 'partial' || message.type === 'transcription') {
      const final = words.show(message, { ms: performance.now() });
      // Words that came only with the flush at the end waited for the stop, not for the server.
      const live = final.filter(({ shown }) => stoppedAtMs === 0 || shown.ms < stoppedAtMs);
      report.wordLatencies.push(...words.measure(live));
    }
    if (message.type !== 'partial') return;
    report.partials++;
    const covered = Math.min(sentAtMs.length, Math.floor(message.audio_end * 10 + 1e-6));
    if (covered > next) report.results.push(performance.now() - sentAtMs[covered - 1]);
    next = Math.max(next, covered);
  };
  async function* audio() {
    yield* paced(wav, { seconds, loop: true });
    stoppedAtMs = performance.now();
  }
  const onSent = (bytes) => {
    sentAtMs.push(performance.now());
    spoken.add(bytes / wav.bytesPerSecond, performance.now());
  };
  const { final_transcript, total_duration } = await record(
    socket,
    formatOf(wav),
    audio(),
    onMessage,
    onSent,
  );
  report.finals.push(performance.now() - stoppedAtMs);
  report.audioSeconds += total_duration;
  report.words += final_transcript.split(' ').filter(Boolean).length;
  if (final_transcript === '') throw new Error('no words were recognised');
  socket.close();
}

function percentiles(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (part) => Number((sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN).toFixed(1));
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

const report = { results: [], wordLatencies: [], finals: [], partials: 0, audioSeconds: 0, words: 0 };
const startedMs = performance.now();
const outcomes = await Promise.allSettled(Array.from({ length: connections }, (_, i) => talk(i, report)));
const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
const reasons = {};
for (const { reason } of failed) reasons[reason.message] = (reasons[reason.message] ?? 0) + 1;

const summary = {
  connections,
  succeeded: connections - failed.length,
  failed: failed.length,
  failures: reasons,
  audio_seconds: Number(report.audioSeconds.toFixed(1)),
  wall_seconds: Number(((performance.now() - startedMs) / 1000).toFixed(1)),
  words: report.words,
  partials: report.partials,
  result_latency_ms: percentiles(report.results),
  word_latency_ms: percentiles(report.wordLatencies),
  final_latency_ms: percentiles(report.finals),
};

if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
else {
  const row = (name, { p50, p95, p99, max }) =>
    `${name}  p50 ${p50} ms  p95 ${p95} ms  p99 ${p99} ms  max ${max} ms\n`;
  process.stdout.write(
    `${summary.succeeded} of ${connections} streams finished, ${summary.audio_seconds} s of speech, ${summary.words} words\n` +
      row('result latency', summary.result_latency_ms) +
      row('word latency  ', summary.word_latency_ms) +
      row('final latency ', summary.final_latency_ms),
  );
  for (const [reason, count] of Object.entries(reasons))
    process.stdout.write(`failed ${count}×: ${reason}\n`);
}
process.exitCode = failed.length === 0 ? 0 : 1;
