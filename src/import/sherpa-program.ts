/**
 * Transcribes files with sherpa-onnx. A separate program, because sherpa-onnx includes another ONNX Runtime: `node
 * sherpa-program.js '{"module", "encoder", "decoder", "joiner", "tokens", "method", "frameMs", "files", "samples"}'`
 * prints a line of JSON for each file.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { CLIP_PAD_SAMPLES } from './check.js';
import type { SherpaAnswer, SherpaTask } from './sherpa.js';

const FRAME_MS = 40;

/** The parts of sherpa-onnx-node in use; it has no types of its own. */
interface Sherpa {
  readWave(path: string): { samples: Float32Array; sampleRate: number };
  OnlineRecognizer: new (
    config: object,
  ) => {
    createStream(): { acceptWaveform(wave: { sampleRate: number; samples: Float32Array }): void };
    isReady(stream: object): boolean;
    decode(stream: object): void;
    getResult(stream: object): { tokens: string[]; timestamps: number[]; ys_probs: number[] };
  };
}

const task = JSON.parse(process.argv[2] ?? '') as SherpaTask;
const sherpa = createRequire(import.meta.url)(task.module) as Sherpa;
const { encoder, decoder, joiner, tokens } = task;
const recogniser = new sherpa.OnlineRecognizer({
  featConfig: { sampleRate: 16_000, featureDim: 80 },
  modelConfig: { transducer: { encoder, decoder, joiner }, tokens, numThreads: 1, provider: 'cpu' },
  decodingMethod: task.method,
  maxActivePaths: 4,
  enableEndpoint: false,
});

const ids = new Map<string, number>();
for (const line of readFileSync(tokens, 'utf8').trim().split('\n')) {
  const split = line.lastIndexOf(' ');
  ids.set(line.slice(0, split), Number(line.slice(split + 1)));
}

for (const file of task.files) {
  const { samples, sampleRate } = sherpa.readWave(file);
  const stream = recogniser.createStream();
  stream.acceptWaveform({ sampleRate, samples: samples.slice(0, task.samples ?? samples.length) });
  stream.acceptWaveform({ sampleRate, samples: new Float32Array(CLIP_PAD_SAMPLES) });
  while (recogniser.isReady(stream)) recogniser.decode(stream);
  const result = recogniser.getResult(stream);
  const answer: SherpaAnswer = {
    f: basename(file),
    tokens: result.tokens.map((it) => ids.get(it.replace(/^ /, '▁')) ?? ids.get(it) ?? -1),
    frames: result.timestamps.map((it) => Math.round((1000 * it) / (task.frameMs ?? FRAME_MS))),
    logp: result.ys_probs.map((it) => Number(it.toFixed(4))),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
