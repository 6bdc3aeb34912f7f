/** Finds the files of a transducer in a folder, under any known names, and reads them. */
import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { ExternalFiles } from './external.js';
import { splitJoined } from './joined.js';
import { unsupported } from './meta.js';
import { metaOf, readModel } from './onnx.js';
import type { Precision } from './options.js';
import type { Model, Source } from './step.js';
import { readTokens } from './tokens.js';

type Exact = Exclude<Precision, 'auto'>;

/** Order for `auto`. int8 costs a little accuracy, so it must be requested if others exist. */
const PREFERRED: readonly Exact[] = ['fp32', 'fp16', 'int8'];
const PARTS = ['encoder', 'decoder', 'joiner'] as const;
type Part = (typeof PARTS)[number];
const TOKENS = 'tokens.txt';
const GENAI = 'genai_config.json';

/** The files of a source. */
export interface SourceFiles {
  readonly folder: string;
  readonly paths: Readonly<Record<Part, string>>;
  readonly tokensPath: string;
  readonly precision: Exact;
}

export interface LoadedSource extends Source {
  readonly files: SourceFiles;
  /** Weight files by their names in the composed graph. */
  readonly external: ReadonlyMap<string, string>;
}

/**
 * Finds encoder, decoder, joiner and tokens.txt, under any of sherpa-onnx's names (`encoder.onnx`,
 * `encoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx`, …) or NeMo's `encoder-model.onnx` and
 * `decoder_joint-model.onnx`.
 * @throws ServerError MODEL_MISSING for a missing file, MODEL_UNSUPPORTED if it is not a transducer
 */
export function findSource(folder: string, wanted: Precision): SourceFiles {
  const names = listFolder(folder);
  if (names.includes(GENAI)) {
    throw unsupported(
      `${GENAI} shows that these files are for onnxruntime-genai, whose inputs differ.`,
      'Use the files for sherpa-onnx, or NeMo’s own export.',
    );
  }
  const candidates = (part: Part, precision: Exact): string[] =>
    names.filter((name) => partOf(name) === part && precisionOf(name) === precision);
  const complete = (precision: Exact): boolean => candidates('encoder', precision).length > 0;
  const precision = wanted === 'auto' ? PREFERRED.find(complete) : wanted;
  if (precision === undefined || !complete(precision)) throw noEncoder(folder, names, wanted);
  const paths = chooseSet(folder, precision, candidates);
  const tokensPath = join(
    folder,
    names.includes(TOKENS) ? TOKENS : (names.find((it) => /tokens.*\.txt$/.test(it)) ?? TOKENS),
  );
  if (!names.includes(basename(tokensPath))) throw missing(tokensPath, 'the text of each token id');
  return { folder, paths, tokensPath, precision };
}

function listFolder(folder: string): string[] {
  let stats: Stats;
  try {
    stats = statSync(folder);
  } catch (cause) {
    throw new ServerError('MODEL_MISSING', `There is no folder ${folder}.`, { cause });
  }
  if (stats.isDirectory()) return readdirSync(folder).sort();
  throw unsupported(
    `${folder} is not a folder.`,
    'Give the folder with the model’s files; unpack an archive first.',
  );
}

/** The part that a file is, by its name; the word must stand alone in the name. */
function partOf(name: string): Part | null {
  if (!name.endsWith('.onnx')) return null;
  const words = name.toLowerCase().split(/[^a-z]+/);
  return PARTS.find((part) => words.includes(part)) ?? null;
}

function precisionOf(name: string): Exact {
  if (/[._-]int8\b/.test(name)) return 'int8';
  return /[._-]fp16\b/.test(name) ? 'fp16' : 'fp32';
}

/** NeMo's own export has decoder and joiner in one file: `decoder_joint-model.onnx`. */
const isJoined = (name: string): boolean => /decoder[._-]?joint/i.test(name);

/**
 * The common part of the names of a set of files: `encoder-epoch-99.int8.onnx` belongs with
 * `joiner-epoch-99.int8.onnx`.
 */
const setOf = (name: string): string =>
  name.replace(/encoder|decoder|joiner/i, '*').replace(/[._-](int8|fp16)\b/, '');

function chooseSet(
  folder: string,
  precision: Exact,
  candidates: (part: Part, precision: Exact) => string[],
): SourceFiles['paths'] {
  const [encoder = '', ...others] = candidates('encoder', precision);
  if (others.length > 0) {
    throw unsupported(
      `There are several encoders: ${[encoder, ...others].join(', ')}.`,
      'Put the files of the one you want into a folder of their own.',
    );
  }
  const joined = [precision, ...PREFERRED].flatMap((it) => candidates('decoder', it)).find(isJoined);
  if (joined !== undefined) {
    const path = join(folder, joined);
    return { encoder: join(folder, encoder), decoder: path, joiner: path };
  }
  // A quantised export may include the small decoder and joiner only in float.
  const find = (part: Part): string => {
    const choices = [precision, ...PREFERRED].flatMap((it) => candidates(part, it));
    const found = choices.find((it) => setOf(it) === setOf(encoder)) ?? choices[0];
    if (found === undefined) throw withoutPart(folder, part, encoder);
    return join(folder, found);
  };
  return { encoder: join(folder, encoder), decoder: find('decoder'), joiner: find('joiner') };
}

const missing = (path: string, what: string): ServerError =>
  new ServerError('MODEL_MISSING', `${path}: ${what}. Download the whole model again.`);

function withoutPart(folder: string, part: Part, encoder: string): ServerError {
  if (part === 'joiner') {
    return unsupported(
      `There is an encoder (${encoder}) but no joiner. Either a file is missing, or this is not a transducer (Whisper, Moonshine, Paraformer).`,
      'Use a streaming transducer: encoder, decoder, joiner and tokens.txt.',
    );
  }
  return missing(join(folder, `${part}*.onnx`), `there is no ${part} next to ${encoder}`);
}

/** An error that says what the folder contains instead of an encoder. */
function noEncoder(folder: string, names: readonly string[], wanted: Precision): ServerError {
  if (names.some((name) => partOf(name) === 'encoder')) {
    return missing(
      join(folder, 'encoder*.onnx'),
      `there is no ${wanted} encoder, only one of another --precision`,
    );
  }
  const other = names.find((name) => name.endsWith('.onnx'));
  if (other === undefined) return missing(join(folder, 'encoder*.onnx'), 'there is no ONNX file');
  const kind = kindOfSingle(join(folder, other));
  return unsupported(
    `${other} is ${kind}, not the encoder of a transducer.`,
    'Use a streaming transducer: encoder, decoder, joiner and tokens.txt.',
  );
}

function kindOfSingle(path: string): string {
  const { model_type: type = '', comment = '' } = metaOf(readOnnx(path));
  if (/ctc/i.test(`${type} ${comment} ${basename(path)}`)) return `a CTC model${type ? ` (${type})` : ''}`;
  return type === '' ? 'a single-file model' : `a model of the kind ${type}`;
}

function readOnnx(path: string): Model {
  const { size } = statSync(path);
  if (size > LIMITS.maxOnnxBytes) {
    throw unsupported(
      `${path} has ${size} bytes; an ONNX file is limited to 2 GB (protobuf).`,
      'Save it with external data (onnx.save_model with save_as_external_data=True).',
    );
  }
  try {
    return readModel(readFileSync(path));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw new ServerError(error.code, `${path}: ${error.detail ?? ''} Download the file again.`, {
      cause: error,
    });
  }
}

/**
 * Reads all files of a source; weights are views of the files' bytes.
 * @throws ServerError MODEL_MISSING, MODEL_CORRUPT, MODEL_UNSUPPORTED, each naming the file and the remedy
 */
export function loadSource(files: SourceFiles): LoadedSource {
  const external = new ExternalFiles();
  const load = (part: Part): Model => {
    const path = files.paths[part];
    const model = readOnnx(path);
    checkWhole(model, path);
    return { ...model, graph: external.claim(model.graph, dirname(realpathSync(path))) };
  };
  const { paths } = files;
  const encoder = load('encoder');
  const { decoder, joiner } =
    paths.decoder === paths.joiner
      ? splitJoined(load('decoder'))
      : { decoder: load('decoder'), joiner: load('joiner') };
  return { encoder, decoder, joiner, tokens: readTokens(files.tokensPath), files, external: external.files };
}

const MODEL_FUNCTIONS = 25;
const GRAPH_SPARSE = 15;

/** Refuses parts of a model that a composed graph cannot include. */
function checkWhole(model: Model, path: string): void {
  const has = (of: Model | Model['graph'], field: number) =>
    of.unknown?.some((it) => it.field === field) === true;
  if (has(model, MODEL_FUNCTIONS) || has(model.graph, GRAPH_SPARSE)) {
    throw unsupported(
      `${basename(path)} has functions or sparse weights of its own.`,
      'Export it without (torch.onnx.export with export_modules_as_functions=False), or inline them with onnx.inliner.',
    );
  }
}
