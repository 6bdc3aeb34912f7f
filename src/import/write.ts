/** Writes an imported model's folder under a hidden name, and moves it into place when it is complete. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { type Manifest, manifestSchema } from '../models/manifest.js';
import { draftName, removeStaleDrafts } from './drafts.js';
import { unsupported } from './meta.js';
import { encodeModel } from './onnx.js';
import type { Model } from './step.js';

/** A file of the model, as its manifest lists it. */
type ListedFile = Manifest['files'][number];

const GATHER_BYTES = 1 << 20;
const MANIFEST = 'manifest.json';

/** A folder being written. Nothing of it remains unless `publish` was called. */
export class ModelDraft {
  /** Path of the files until then. */
  readonly folder: string;
  private readonly target: string;
  private readonly listed: ListedFile[] = [];

  /** @throws ServerError MODEL_UNSUPPORTED if the model already exists */
  constructor(out: string, name: string) {
    this.target = join(out, name);
    if (existsSync(this.target)) {
      throw unsupported(
        `${this.target} exists already.`,
        'Choose another --name, or delete that folder first.',
      );
    }
    this.folder = join(out, draftName(name, { host: hostname(), pid: process.pid }));
    mkdirSync(out, { recursive: true });
    removeStaleDrafts(out);
    mkdirSync(this.folder);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  addText(name: string, text: string): void {
    writeFileSync(this.path(name), text);
    this.list(name, createHash('sha256').update(text).digest('hex'));
  }

  /**
   * Writes a graph piece by piece, so that its weights are never copied as a whole.
   * @throws ServerError MODEL_UNSUPPORTED beyond 2 GB
   */
  addGraph(name: string, model: Model): void {
    const { parts, size } = encodeModel(model);
    if (size > LIMITS.maxOnnxBytes) {
      throw unsupported(
        `The composed graph would have ${size} bytes; an ONNX file is limited to 2 GB (protobuf).`,
        'Save the encoder with external data (onnx.save_model with save_as_external_data=True).',
      );
    }
    const hash = createHash('sha256');
    const file = openSync(this.path(name), 'wx');
    try {
      for (const piece of gathered(parts)) {
        hash.update(piece);
        writeWhole(file, piece);
      }
    } finally {
      closeSync(file);
    }
    this.list(name, hash.digest('hex'));
  }

  remove(name: string): void {
    rmSync(this.path(name));
    this.listed.splice(
      this.listed.findIndex((it) => it.path === name),
      1,
    );
  }

  /**
   * Adds a copy of a file. A hard link would change whenever the source is written again in place, and Python's onnx
   * package refuses weights that have more than one.
   */
  async addCopy(name: string, from: string): Promise<void> {
    const hash = createHash('sha256');
    await pipeline(
      createReadStream(from, { highWaterMark: GATHER_BYTES }),
      async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          hash.update(piece);
          yield piece;
        }
      },
      createWriteStream(this.path(name), { flags: 'wx' }),
    );
    this.list(name, hash.digest('hex'));
  }

  private list(path: string, hash: string): void {
    this.listed.push({ path, bytes: statSync(this.path(path)).size, sha256: hash });
  }

  /**
   * Writes the manifest and moves the folder into place.
   * @returns the model's folder
   */
  publish(manifest: Omit<Manifest, 'files'>): string {
    const files = [...this.listed].sort((a, b) => (a.path < b.path ? -1 : 1));
    const whole = { ...manifest, files };
    const checked = manifestSchema.safeParse(whole);
    if (!checked.success) {
      const where = checked.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
        .join('; ');
      throw unsupported(
        `The model exceeds the server's limits: ${where}.`,
        'Use a model with shorter chunks.',
      );
    }
    writeFileSync(this.path(MANIFEST), `${JSON.stringify(whole, null, 2)}\n`);
    try {
      renameSync(this.folder, this.target);
    } catch (cause) {
      throw new ServerError('MODEL_UNSUPPORTED', `${this.target} cannot be created.`, { cause });
    }
    return this.target;
  }

  /** Removes what was written; no effect after `publish`. */
  discard(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Joins small pieces and passes on large ones. */
function* gathered(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (part.length >= GATHER_BYTES || bytes + part.length > GATHER_BYTES) {
      yield Buffer.concat(small);
      small = [];
      bytes = 0;
    }
    if (part.length >= GATHER_BYTES) yield part;
    else {
      small.push(part);
      bytes += part.length;
    }
  }
  yield Buffer.concat(small);
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
