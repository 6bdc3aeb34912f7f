/**
 * A model's manifest: everything the server must know about a fused step graph. ONNX Runtime's Node binding does not
 * expose a graph's metadata, so the manifest is a separate file.
 */
import { z } from 'zod';
import { LIMITS } from '../limits.js';
import { TOKEN_STYLES } from './vocabulary.js';

/** Element types a state tensor may have; the stream table only moves their bytes. */
export const STATE_TYPES = {
  float32: {
    bytes: 4,
    make: (buffer: ArrayBuffer, at: number, n: number) => new Float32Array(buffer, at, n),
  },
  float16: { bytes: 2, make: (buffer: ArrayBuffer, at: number, n: number) => new Uint16Array(buffer, at, n) },
  int32: { bytes: 4, make: (buffer: ArrayBuffer, at: number, n: number) => new Int32Array(buffer, at, n) },
  int64: { bytes: 8, make: (buffer: ArrayBuffer, at: number, n: number) => new BigInt64Array(buffer, at, n) },
  int8: { bytes: 1, make: (buffer: ArrayBuffer, at: number, n: number) => new Int8Array(buffer, at, n) },
  uint8: { bytes: 1, make: (buffer: ArrayBuffer, at: number, n: number) => new Uint8Array(buffer, at, n) },
} as const;
export type StateType = keyof typeof STATE_TYPES;

const positive = z.number().int().positive();
const name = z.string().min(1);

const stateTensor = z.object({
  input: name,
  output: name,
  type: z.enum(Object.keys(STATE_TYPES) as [StateType, ...StateType[]]),
  /** Without the batch axis. */
  shape: z.array(positive),
});
export type StateTensor = z.output<typeof stateTensor>;

const MOST_PROMPT = 65_535;

const fields = z.object({
  schema: z.literal(1),
  name,
  version: name,
  language: name,
  description: z.string(),
  licence: name,
  /** Kind of network, for display: zipformer2, conformer, … */
  kind: name.optional(),
  provenance: z.string(),
  sampleRate: z.literal(LIMITS.sampleRateHz),
  /** Samples by which a step advances; 1,600 is 100 ms. */
  chunkSamples: positive.max(LIMITS.maxChunkSamples),
  /** Samples that a step reads: its chunk and the look-ahead. Default: only the chunk. */
  windowSamples: positive.max(LIMITS.maxWindowSamples).optional(),
  framesPerChunk: positive.max(64),
  symbolsPerFrame: positive.max(16),
  lookaheadMs: z.number().min(0),
  /** Silence fed after the last audio, so that the last tokens come out. */
  flushMs: z.number().min(0).max(5_000),
  graph: name,
  tokens: name,
  blank: z.number().int().min(0),
  /** How tokens form words. Default: detected from the token table. */
  tokenStyle: z.enum(TOKEN_STYLES).optional(),
  /**
   * `lower` converts the text to lower case, the default for a vocabulary in capitals only; `keep` leaves it as it is.
   */
  letterCase: z.enum(['lower', 'keep']).optional(),
  inputs: z.object({ audio: name, hotwords: name.optional(), prompt: name.optional() }),
  /** Numbers of the languages that the graph can be told, when `inputs.prompt` names the input for it. */
  prompts: z
    .object({
      /** Number used when the client names no language. */
      auto: z.number().int().min(0).max(MOST_PROMPT),
      /** By language tag, such as en-US. */
      languages: z.record(z.string().max(35), z.number().int().min(0).max(MOST_PROMPT)),
    })
    .optional(),
  /** Number of hotword-trie edges per stream that the graph takes, when `inputs.hotwords` names the input for them. */
  hotwordEdges: positive.max(4096).optional(),
  outputs: z.object({
    tokens: name,
    logp: name,
    vad: name.optional(),
    times: name.optional(),
    preview: name.optional(),
    previewLogp: name.optional(),
  }),
  /**
   * Largest number of preview tokens: found by the search but not yet emitted. Used when `outputs.preview` names that
   * output.
   */
  previewTokens: positive.max(64).optional(),
  /**
   * Milliseconds of silence after which a flush may end, provided the preview is empty. A flush ends after flushMs at
   * the latest; that is also the default.
   */
  previewFlushMs: z.number().min(0).max(5_000).optional(),
  state: z.array(stateTensor).max(64),
  /**
   * Word start = start of the first token's first frame + startShiftMs. Word end = end of the last token's last frame +
   * endShiftMs; with speechEndShiftMs, the end of the speech that continues from there + speechEndShiftMs.
   */
  timing: z.object({
    startShiftMs: z.number(),
    endShiftMs: z.number(),
    speechEndShiftMs: z.number().optional(),
  }),
  /** p = sigmoid(scale · logit(exp(mean token log-probability)) + bias), fitted on held-out speech. */
  confidence: z.object({ scale: z.number(), bias: z.number() }),
  /** Level of the model's voice activity above which a frame counts as speech. */
  vadThreshold: z.number().min(0).max(1).default(0.5),
  files: z.array(
    z.object({ path: name, bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});
const together = (...values: unknown[]): boolean =>
  values.every((value) => (value === undefined) === (values[0] === undefined));
export const manifestSchema = fields
  .refine(({ inputs, hotwordEdges }) => together(inputs.hotwords, hotwordEdges), {
    path: ['hotwordEdges'],
    message: 'inputs.hotwords and hotwordEdges go together',
  })
  .refine(({ inputs, prompts }) => together(inputs.prompt, prompts), {
    path: ['prompts'],
    message: 'inputs.prompt and prompts go together',
  })
  .refine(({ outputs, previewTokens }) => together(outputs.preview, outputs.previewLogp, previewTokens), {
    path: ['previewTokens'],
    message: 'outputs.preview, outputs.previewLogp and previewTokens go together',
  })
  .refine(({ chunkSamples, windowSamples }) => (windowSamples ?? chunkSamples) >= chunkSamples, {
    path: ['windowSamples'],
    message: 'windowSamples must be at least chunkSamples',
  });
export type Manifest = z.output<typeof manifestSchema>;

export const elements = (tensor: StateTensor): number => tensor.shape.reduce((n, d) => n * d, 1);
export const tensorBytes = (tensor: StateTensor): number => elements(tensor) * STATE_TYPES[tensor.type].bytes;

/** Bytes of one stream's state, each tensor aligned to 16 bytes. */
export function stateLayout(manifest: Manifest): { offsets: number[]; bytes: number } {
  let bytes = 0;
  const offsets = manifest.state.map((tensor) => {
    const at = bytes;
    bytes += Math.ceil(tensorBytes(tensor) / 16) * 16;
    return at;
  });
  return { offsets, bytes };
}

/** Samples of the graph's audio input, which is everything that a step reads. */
export const windowOf = (manifest: Manifest): number => manifest.windowSamples ?? manifest.chunkSamples;

/** Milliseconds of audio by which a step advances. */
export const chunkMs = (manifest: Manifest): number => (manifest.chunkSamples / manifest.sampleRate) * 1000;

export const frameMs = (manifest: Manifest): number =>
  (manifest.chunkSamples / manifest.sampleRate / manifest.framesPerChunk) * 1000;

/** Token positions in the output of a step: frames × symbols. */
export const resultTokens = (manifest: Manifest): number =>
  manifest.framesPerChunk * manifest.symbolsPerFrame;
