/** Models from other programs that the tests import (test/fixtures/foreign/README.md), and their recordings. */
import { readFileSync } from 'node:fs';
import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from 'onnxruntime-node';
import { readModel, writeModel } from '../../src/import/onnx.js';
import { type Composition, type Model, NAMES, type Source } from '../../src/import/step.js';
import { EDGE_INTS } from '../../src/inference/hotwords.js';
import { parseTokens } from '../../src/models/store.js';
import { inPackage } from '../../src/paths.js';
import { openSession } from './run-graph.js';

export const fixture = (...parts: string[]): string => inPackage('test', 'fixtures', 'foreign', ...parts);

/** What sherpa-onnx gives for a recording: ids, frames (zipformer: 40 ms, NeMo: 80 ms), log-probabilities. */
export interface Expected {
  readonly f: string;
  readonly tokens: readonly number[];
  readonly frames: readonly number[];
  readonly logp: readonly number[];
}

export const expected = <Row = Expected>(name: string): Row[] =>
  readFileSync(fixture('expected', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

export const readFixture = (...parts: string[]): Model => readModel(readFileSync(fixture(...parts)));

/** The digits recogniser's files: fp32, or as sherpa-onnx has int8. */
export function digits(suffix: '' | '.int8' = ''): Source {
  const folder = 'zipformer2-digits';
  const path = fixture(folder, 'tokens.txt');
  return {
    encoder: readFixture(folder, `encoder${suffix}.onnx`),
    decoder: readFixture(folder, 'decoder.onnx'),
    joiner: readFixture(folder, `joiner${suffix}.onnx`),
    tokens: parseTokens(readFileSync(path, 'utf8'), path),
  };
}

/** NeMo's digits recogniser as its three files, chunks of 80 or 560 ms; those of 560 ms in int8, too. */
export function nemoDigits(chunkMs: 80 | 560, suffix: '' | '.int8' = ''): Source {
  const folder = `nemo-digits-${chunkMs}`;
  const path = fixture(folder, 'tokens.txt');
  const model = (part: string): Model => readFixture(folder, `${part}${suffix}.onnx`);
  return {
    encoder: model('encoder'),
    decoder: model('decoder'),
    joiner: model('joiner'),
    tokens: parseTokens(readFileSync(path, 'utf8'), path),
  };
}

/** A recording of `wavs` (16 kHz, 16 bits, mono) as −1…1. */
export function recording(name: string): Float32Array {
  const bytes = readFileSync(fixture('wavs', name));
  const at = bytes.indexOf('data') + 8;
  return Float32Array.from(
    { length: (bytes.length - at) >> 1 },
    (_, i) => bytes.readInt16LE(at + 2 * i) / 32_768,
  );
}

/** An emitted token: id, frame from the start minus its age, log-probability. */
export interface Said {
  readonly token: number;
  readonly frame: number;
  readonly logp: number;
}

export interface Heard {
  readonly said: Said[][];
  /** Packed state of the whole batch after the last step; after each step if requested. */
  readonly states: Float32Array[];
  /** By stream and step: tokens that the search holds and has not emitted. */
  readonly previews: Said[][][];
}

export interface StepSession {
  readonly session: InferenceSession;
  readonly step: Composition;
}

/** Composed from bytes in memory: encoder.onnx, decoder.onnx, joiner.onnx, tokens.txt. */
export function sourceOf(files: Readonly<Record<string, Uint8Array>>): Source {
  const model = (part: string): Model => readModel(files[`${part}.onnx`] ?? new Uint8Array());
  const text = Buffer.from(files['tokens.txt'] ?? []).toString();
  return {
    encoder: model('encoder'),
    decoder: model('decoder'),
    joiner: model('joiner'),
    tokens: parseTokens(text, 'tokens.txt'),
  };
}

export const openStep = async (step: Composition): Promise<StepSession> => ({
  session: await openSession(writeModel(step.model)),
  step,
});

/** sherpa-onnx takes a chunk once there is one more frame of 10 ms than the chunk needs. */
export const SHERPA_WAITS = 160;

/**
 * Runs recordings as the streams of one batch, as far as whole windows go, each followed by `padSamples` of silence.
 * @param waits samples that must follow a window before it is taken
 */
export async function hear(
  { session, step }: StepSession,
  audios: readonly Float32Array[],
  {
    padSamples = 12_800,
    waits = 0,
    hotwords = [] as readonly (Int32Array | null)[],
    prompts = [] as readonly number[],
  } = {},
): Promise<Heard> {
  const { chunkSamples, windowSamples, stateFloats, framesPerChunk, symbolsPerFrame } = step;
  const size = audios.length;
  const steps = audios.map(
    (it) => Math.floor((it.length + padSamples - waits - windowSamples) / chunkSamples) + 1,
  );
  const extra: Record<string, Tensor> = {};
  if (step.hotwordEdges !== undefined) {
    const table = new Int32Array(size * step.hotwordEdges * EDGE_INTS);
    hotwords.forEach((it, row) => {
      if (it !== null) table.set(it, row * (step.hotwordEdges ?? 0) * EDGE_INTS);
    });
    extra[NAMES.hotwords] = new Tensor('int32', table, [size, step.hotwordEdges, EDGE_INTS]);
  }
  if (step.prompts !== undefined) {
    const { auto } = step.prompts;
    extra[NAMES.prompt] = new Tensor(
      'int32',
      Int32Array.from(audios, (_, row) => prompts[row] ?? auto),
      [size],
    );
  }
  const previews: Said[][][] = audios.map(() => []);
  let state = new Float32Array(size * stateFloats);
  const said: Said[][] = audios.map(() => []);
  const states: Float32Array[] = [];
  for (let k = 0; k < Math.max(...steps); k++) {
    const pcm = new Float32Array(size * windowSamples);
    audios.forEach((it, row) => {
      pcm.set(it.subarray(k * chunkSamples, k * chunkSamples + windowSamples), row * windowSamples);
    });
    const answer = await session.run({
      [NAMES.audio]: new Tensor('float32', pcm, [size, windowSamples]),
      [NAMES.state]: new Tensor('float32', state, [size, stateFloats]),
      ...extra,
    });
    state = Float32Array.from(answer[NAMES.next]?.data as Float32Array);
    states.push(state);
    const shown = previewOf(answer, step, (k + 1) * framesPerChunk - 1);
    previews.forEach((list, row) => {
      list.push(shown[row] ?? []);
    });
    const tokens = answer[NAMES.tokens]?.data as Int32Array;
    const logp = answer[NAMES.logp]?.data as Float32Array;
    const times = answer[NAMES.times]?.data as Int32Array | undefined;
    const width = framesPerChunk * symbolsPerFrame;
    for (let i = 0; i < tokens.length; i++) {
      const row = Math.floor(i / width);
      const token = tokens[i] ?? -1;
      if (token < 0 || k >= (steps[row] ?? 0)) continue;
      const saidIn = k * framesPerChunk + Math.floor((i % width) / symbolsPerFrame);
      const frame = saidIn - (times?.[2 * i] ?? 0);
      said[row]?.push({ token, frame, logp: logp[i] ?? Number.NaN });
    }
  }
  return { said, states, previews };
}

/** @param lastFrame of the chunk, from the stream's start */
function previewOf(
  answer: InferenceSession.OnnxValueMapType,
  step: Composition,
  lastFrame: number,
): Said[][] {
  const { previewTokens: n } = step;
  const [shown, logp] = [
    answer[NAMES.preview]?.data as Int32Array,
    answer[NAMES.previewLogp]?.data as Float32Array,
  ];
  if (n === undefined) return [];
  const rows = Array.from({ length: logp.length / n }, (): Said[] => []);
  for (let i = 0; i < logp.length; i++) {
    const [token = -1, age = 0] = shown.subarray(3 * i, 3 * i + 2);
    const said = { token, frame: lastFrame - age, logp: logp[i] ?? Number.NaN };
    if (token >= 0) rows[Math.floor(i / n)]?.push(said);
  }
  return rows;
}
