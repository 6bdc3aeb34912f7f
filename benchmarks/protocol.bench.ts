/** Cost of messages: parsing, rendering, writing. Run: `node dist/benchmarks/protocol.bench.js`. */
import { controlInBinary, parseControl } from '../src/protocol/parse.js';
import { renderTranscription, writePartial } from '../src/protocol/render.js';
import type { Word } from '../src/transcript/words.js';
import { createBench, report, times } from './report.js';
import { FRAME } from './rig.js';

const CALIBRATION = { scale: 1, bias: 0 };
const words: Word[] = Array.from({ length: 12 }, (_, i) => ({
  text: 'transcription',
  startSamples: i * 6_400,
  endSamples: i * 6_400 + 5_600,
  tokens: 3,
  logpSum: -0.4,
}));
const partial = (withWords: boolean) =>
  writePartial(
    { segmentId: 1, words, stableWords: 11, audioEndSamples: 80_000, processingMs: 31.4, withWords },
    CALIBRATION,
  );
const segment = { id: 1, words, reason: 'silence' } as const;
const start = JSON.stringify({
  type: 'start_recording',
  config: {
    sample_rate: 16_000,
    encoding: 'pcm16',
    channels: 1,
    language: 'en',
    partials: true,
    vad_threshold: 0.01,
  },
});
const bytes = new TextEncoder().encode(start);
const brace = Uint8Array.from(FRAME);
brace[0] = 0x7b;

const bench = createBench('messages, 12 words each');
const COUNT = 100;
const tasks: Record<string, () => unknown> = {
  'render and write a partial with words': () => partial(true),
  'render and write a partial without words': () => partial(false),
  'render and write a transcription': () =>
    JSON.stringify(renderTranscription(segment, 30, true, CALIBRATION)),
  'read start_recording': () => parseControl(start),
  'read ping': () => parseControl('{"type":"ping"}'),
  'read start_recording from a binary frame': () => controlInBinary(bytes),
  'recognise a frame as audio': () => controlInBinary(FRAME),
  'recognise a frame that begins with { as audio': () => controlInBinary(brace),
};
for (const [name, run] of Object.entries(tasks)) bench.add(name, times(COUNT, run));
await bench.run();
report(bench, () => COUNT);
