/**
 * What sherpa-onnx hears: node recognise.cjs '{"folder", "suffix", "method", "files"}' prints a line of JSON for each file. A program
 * of its own, because sherpa-onnx brings another ONNX Runtime.
 */
const { readFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const sherpa = require('sherpa-onnx-node');

/** Silence behind every file, so that the last tokens come out. */
const PAD_SAMPLES = 12_800;
const FRAME_SECONDS = 0.04;

const { folder, suffix = '', method = 'greedy_search', files } = JSON.parse(process.argv[2]);
const model = (part, end = suffix) => join(folder, `${part}${end}.onnx`);
const tokensPath = join(folder, 'tokens.txt');

const recogniser = new sherpa.OnlineRecognizer({
  featConfig: { sampleRate: 16_000, featureDim: 80 },
  modelConfig: {
    transducer: { encoder: model('encoder'), decoder: model('decoder', ''), joiner: model('joiner') },
    tokens: tokensPath,
    numThreads: 1,
    provider: 'cpu',
  },
  decodingMethod: method,
  maxActivePaths: 4,
  enableEndpoint: false,
});

const ids = new Map();
for (const line of readFileSync(tokensPath, 'utf8').trim().split('\n')) {
  const split = line.lastIndexOf(' ');
  ids.set(line.slice(0, split), Number(line.slice(split + 1)));
}

for (const file of files) {
  const { samples, sampleRate } = sherpa.readWave(file);
  const stream = recogniser.createStream();
  stream.acceptWaveform({ sampleRate, samples });
  stream.acceptWaveform({ sampleRate, samples: new Float32Array(PAD_SAMPLES) });
  while (recogniser.isReady(stream)) recogniser.decode(stream);
  const { tokens, timestamps, ys_probs: logp } = recogniser.getResult(stream);
  const line = {
    f: basename(file),
    tokens: tokens.map((it) => ids.get(it.replace(/^ /, '▁'))),
    frames: timestamps.map((it) => Math.round(it / FRAME_SECONDS)),
    logp: logp.map((it) => Number(it.toFixed(4))),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
