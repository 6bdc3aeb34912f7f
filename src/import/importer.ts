/**
 * Imports a foreign model: finds its files, composes the step, checks it, and writes the folder that the server loads.
 */
import { basename, resolve } from 'node:path';
import { ServerError } from '../errors.js';
import { GraphRunner } from '../inference/runner.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import { sha256 } from '../models/store.js';
import { checkBatches, runClip, StepRunner } from './check.js';
import { compose } from './compose.js';
import { withGuardRow } from './guard.js';
import { unsupported } from './meta.js';
import { modelCard, type Notes, notesOf } from './notes.js';
import type { Precision, Search, Streaming } from './options.js';
import { askSherpa } from './sherpa.js';
import { findSource, type LoadedSource, loadSource, type SourceFiles } from './sources.js';
import { type Composition, NAMES } from './step.js';
import { fittingTokens, tokensText } from './tokens.js';
import { ModelDraft } from './write.js';

export interface ImportOptions {
  readonly source: string;
  /** Folder in which the model's folder is created. */
  readonly out: string;
  /** Name of the model; null: that of the source's folder. */
  readonly name: string | null;
  readonly precision: Precision;
  readonly search: Search;
  /** For NeMo's own export, if its graph does not show them. */
  readonly streaming?: Streaming;
  /** Languages for the manifest; null: from the folder's name. */
  readonly language: string | null;
  /** A spoken clip, 16 kHz, −1…1, and the WAV file that begins with it. */
  readonly clip: { readonly path: string; readonly samples: Float32Array };
  /** Path of sherpa-onnx-node, for comparison; null: not installed. */
  readonly sherpa: string | null;
  /** Called with the current action. */
  readonly onProgress: (what: string) => void;
  /** Called with a function that undoes the import while that is possible; then with null. */
  readonly onUndo?: (undo: (() => void) | null) => void;
}

export interface ImportReport {
  readonly name: string;
  readonly folder: string;
  readonly step: Composition;
  readonly precision: string;
  /** The text of the clip as tokens. */
  readonly heard: readonly string[];
  /** The same from sherpa-onnx; null: not installed, or it cannot use the model. */
  readonly heardBySherpa: readonly string[] | null;
  /** Fastest time of a step on one core in milliseconds, by batch size. */
  readonly stepMs: ReadonlyMap<number, number>;
}

const GRAPH = 'step.onnx';
const GUARDED = 'step-guarded.onnx';
const TOKENS = 'tokens.txt';
/** Silence that sherpa-onnx's server adds after the audio; it processes as many whole windows as fit. */
const SHERPA_TAIL_MS = 800;
/** With long chunks almost nothing may remain after the last word; models emit about 200 ms late. */
const LEAST_TAIL_MS = 300;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** @throws ServerError MODEL_MISSING, MODEL_CORRUPT, MODEL_UNSUPPORTED; nothing is left behind then */
export async function importModel(options: ImportOptions): Promise<ImportReport> {
  try {
    return await importWhole(options);
  } catch (error) {
    // Errors of the file system: no space, no permission, a missing folder.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const advice = 'Check permissions and free space, or choose another --out.';
    throw new ServerError('MODEL_UNSUPPORTED', `${error.message}. ${advice}`, { cause: error });
  }
}

async function importWhole(options: ImportOptions): Promise<ImportReport> {
  const { out, search, streaming, onProgress, onUndo } = options;
  const name = nameFor(options);
  onProgress('reading');
  const files = findSource(options.source, options.precision);
  const loaded = loadSource(files);
  onProgress('composing');
  const composed = compose(loaded, { search, ...(streaming === undefined ? {} : { streaming }) });
  const { vocabulary, blank } = composed;
  const source = { ...loaded, tokens: fittingTokens(loaded.tokens, vocabulary, blank) };
  const draft = new ModelDraft(out, name);
  onUndo?.(() => draft.discard());
  const runner = new GraphRunner();
  try {
    onProgress('writing');
    for (const [file, from] of source.external) await draft.addCopy(file, from);
    const { step, graph, stepMs } = await addIndependentStep(draft, runner, composed, onProgress);
    onProgress('checking speech');
    const steps = new StepRunner(runner, draft.path(graph), step);
    const said = await runClip(steps, options.clip.samples, source.tokens.length);
    const saidBySherpa = await heardBySherpa(options, files);
    onProgress('describing');
    const found = notesOf(source);
    const notes = options.language === null ? found : { ...found, language: options.language };
    await addNotes(draft, name, source, step, notes, search);
    const folder = draft.publish({ ...manifestOf(name, step, files, notes, search), graph });
    const pieces = (ids: readonly number[]) => ids.map((id) => source.tokens[id] ?? '');
    const told = { heard: pieces(said), heardBySherpa: saidBySherpa === null ? null : pieces(saidBySherpa) };
    return { name, folder, step, precision: files.precision, stepMs, ...told };
  } finally {
    draft.discard();
    onUndo?.(null);
    await runner.close();
  }
}

/**
 * Writes the graph, and checks that no stream depends on its neighbours. If one does, an extra row may help.
 * @throws ServerError MODEL_UNSUPPORTED if it does not
 */
async function addIndependentStep(
  draft: ModelDraft,
  runner: GraphRunner,
  composed: Composition,
  onProgress: ImportOptions['onProgress'],
): Promise<{ step: Composition; graph: string; stepMs: ReadonlyMap<number, number> }> {
  let dependence: string | null = null;
  for (const graph of [GRAPH, GUARDED]) {
    const step = graph === GRAPH ? composed : withGuardRow(composed);
    draft.addGraph(graph, step.model);
    onProgress(graph === GRAPH ? 'checking batches' : 'checking batches with an extra row');
    const checked = await checkBatches(new StepRunner(runner, draft.path(graph), step));
    dependence = checked.dependence;
    if (dependence === null) return { step, graph, stepMs: checked.stepMs };
    draft.remove(graph);
  }
  throw unsupported(
    `A stream's result depends on the other streams of its batch (${dependence}).`,
    'Use another --precision; if fp32 has the same problem, please report it.',
  );
}

/** Ids of the tokens that sherpa-onnx finds in the clip with the same files; null if it is not available. */
async function heardBySherpa(options: ImportOptions, files: SourceFiles): Promise<readonly number[] | null> {
  const { sherpa, search, clip, onProgress } = options;
  // sherpa-onnx does not support NeMo's own export, with decoder and joiner in one file.
  if (sherpa === null || files.paths.decoder === files.paths.joiner) return null;
  onProgress('asking sherpa-onnx');
  const method = search === 'beam' ? 'modified_beam_search' : 'greedy_search';
  const place = {
    ...files.paths,
    tokens: files.tokensPath,
    files: [clip.path],
    samples: clip.samples.length,
  };
  // A model that sherpa-onnx cannot use is not an error of the import.
  const answers = await askSherpa({ module: sherpa, method, ...place }).catch(() => []);
  return answers[0]?.tokens ?? null;
}

function nameFor({ name, source }: ImportOptions): string {
  const chosen = name ?? basename(resolve(source));
  if (NAME.test(chosen) && chosen !== 'default') return chosen;
  throw unsupported(
    `${JSON.stringify(chosen)} cannot be a model’s name.`,
    'Give it a --name of letters, digits, dots and dashes.',
  );
}

async function addNotes(
  draft: ModelDraft,
  name: string,
  source: LoadedSource,
  step: Composition,
  notes: Notes,
  search: Search,
): Promise<void> {
  draft.addText(TOKENS, tokensText(source.tokens));
  for (const [file, from] of notes.files) await draft.addCopy(file, from);
  const sums = new Map<string, string>();
  for (const path of [...Object.values(source.files.paths), source.files.tokensPath]) {
    sums.set(basename(path), await sha256(path));
  }
  draft.addText('MODEL_CARD.md', modelCard(name, source, step, notes, search, sums));
}

function manifestOf(
  name: string,
  step: Composition,
  files: SourceFiles,
  notes: Notes,
  search: Search,
): Omit<Manifest, 'files'> {
  const { chunkSamples, windowSamples, framesPerChunk, symbolsPerFrame, blank, stateFloats } = step;
  const { hotwordEdges, prompts, previewTokens, holdsFrames = 0 } = step;
  const toMs = (samples: number) => (samples / LIMITS.sampleRateHz) * 1000;
  const holdsMs = toMs((holdsFrames * chunkSamples) / framesPerChunk);
  const lookaheadMs = toMs(windowSamples - chunkSamples);
  // The silence that sherpa-onnx processes at least after the audio: the same number of steps gives the same last
  // words. Another step for safety would make every final a fifth to a third slower.
  const tailMs = Math.max(LEAST_TAIL_MS, lookaheadMs, SHERPA_TAIL_MS - toMs(windowSamples));
  return {
    schema: 1,
    name,
    version: '1',
    language: notes.language,
    description: `${step.kind} transducer, ${files.precision}, ${search} search; imported`,
    licence: notes.licence,
    kind: step.kind,
    provenance: `Imported from ${basename(resolve(files.folder))}; see MODEL_CARD.md.`,
    sampleRate: LIMITS.sampleRateHz,
    chunkSamples,
    windowSamples,
    framesPerChunk,
    symbolsPerFrame,
    lookaheadMs,
    flushMs: Math.ceil(tailMs - lookaheadMs + holdsMs),
    ...(holdsMs > 0 ? { previewFlushMs: Math.ceil(tailMs) } : {}),
    graph: GRAPH,
    tokens: TOKENS,
    blank,
    inputs: {
      audio: NAMES.audio,
      ...(hotwordEdges === undefined ? {} : { hotwords: NAMES.hotwords }),
      ...(prompts === undefined ? {} : { prompt: NAMES.prompt }),
    },
    ...(prompts === undefined ? {} : { prompts }),
    outputs: {
      tokens: NAMES.tokens,
      logp: NAMES.logp,
      ...(previewTokens === undefined
        ? {}
        : { times: NAMES.times, preview: NAMES.preview, previewLogp: NAMES.previewLogp }),
    },
    ...(hotwordEdges === undefined ? {} : { hotwordEdges }),
    ...(previewTokens === undefined ? {} : { previewTokens }),
    state: [{ input: NAMES.state, output: NAMES.next, type: 'float32', shape: [stateFloats] }],
    timing: { startShiftMs: 0, endShiftMs: 0 },
    confidence: { scale: 1, bias: 0 },
    vadThreshold: 0.5,
  };
}
