/** Finds a model, checks every file against its manifest, and reads the parts that the main thread needs. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { inPackage } from '../paths.js';
import { type Manifest, manifestSchema, stateLayout } from './manifest.js';

export interface Model {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly graphPath: string;
  /** Text of each token id; U+2581 (▁) begins a word. */
  readonly tokens: readonly string[];
}

/**
 * The embedded model's name.
 * @throws ServerError MODEL_MISSING
 */
function defaultModel(): string {
  const path = inPackage('models', 'default');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new ServerError('MODEL_MISSING', path, { cause });
  }
}

/** The folder that should hold manifest.json, for a model name or folder as the user gave it. */
export function modelFolder(reference: string): string {
  if (reference === 'default') return inPackage('models', defaultModel());
  const looksLikePath = isAbsolute(reference) || reference.includes(sep) || reference.includes('/');
  return looksLikePath ? resolve(reference) : inPackage('models', reference);
}

/** Names of the models included in the package. */
export function listModels(): string[] {
  const folder = inPackage('models');
  return (
    readdirSync(folder)
      // A hidden folder is a model that is still being written.
      .filter((entry) => !entry.startsWith('.') && existsSync(join(folder, entry, 'manifest.json')))
      .sort()
  );
}

/** @throws ServerError MODEL_MISSING, MODEL_INVALID */
export function readManifest(folder: string): Manifest {
  const path = join(folder, 'manifest.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ServerError('MODEL_MISSING', path, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ServerError('MODEL_CORRUPT', `${path} is not JSON`, { cause });
  }
  const result = manifestSchema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new ServerError('MODEL_INVALID', `${path}: ${where}`);
  }
  if (stateLayout(result.data).bytes > LIMITS.maxStateBytes) {
    throw new ServerError(
      'MODEL_INVALID',
      `${path}: the state of a stream is larger than ${LIMITS.maxStateBytes} bytes`,
    );
  }
  return result.data;
}

/** Reads a tokens.txt ("piece id" per line) into a table indexed by id. */
export function parseTokens(text: string, path: string): string[] {
  const table: string[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const split = line.lastIndexOf(' ');
    const id = Number(line.slice(split + 1));
    if (split < 0 || !Number.isInteger(id) || id < 0 || id > 1_000_000) {
      throw new ServerError('MODEL_CORRUPT', `${path}: not a "piece id" line: ${line.slice(0, 40)}`);
    }
    table[id] = line.slice(0, split);
  }
  return Array.from(table, (piece) => piece ?? '');
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

async function verifyFile(folder: string, file: Manifest['files'][number]): Promise<void> {
  const path = join(folder, file.path);
  let bytes: number;
  try {
    bytes = statSync(path).size;
  } catch (cause) {
    throw new ServerError('MODEL_MISSING', path, { cause });
  }
  if (bytes !== file.bytes) {
    throw new ServerError('MODEL_CORRUPT', `${path} has ${bytes} bytes, the manifest says ${file.bytes}`);
  }
  if ((await sha256(path)) !== file.sha256) {
    throw new ServerError('MODEL_CORRUPT', `${path} fails its SHA-256 checksum`);
  }
}

/**
 * Loads a model's manifest and tokens after checking every file it lists.
 * @throws ServerError MODEL_MISSING, MODEL_CORRUPT, MODEL_INVALID, each naming the file
 */
export async function loadModel(reference: string): Promise<Model> {
  const folder = modelFolder(reference);
  const manifest = readManifest(folder);
  const listed = new Set(manifest.files.map((file) => file.path));
  for (const needed of [manifest.graph, manifest.tokens]) {
    if (!listed.has(needed)) {
      throw new ServerError('MODEL_INVALID', `${folder}: files does not list ${needed}`);
    }
  }
  for (const file of manifest.files) await verifyFile(folder, file);
  const tokensPath = join(folder, manifest.tokens);
  const tokens = parseTokens(readFileSync(tokensPath, 'utf8'), tokensPath);
  return { manifest, folder, graphPath: join(folder, manifest.graph), tokens };
}
