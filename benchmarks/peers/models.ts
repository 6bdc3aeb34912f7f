/** The models that the peers serve: fresh weights of real shapes, and the trained digits, as their files and imported. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inPackage } from '../../src/paths.js';
import { SHAPES, type ShapeName, writeShape } from '../gpu/shapes.js';
import type { SherpaFiles } from './servers.js';

export const PRECISIONS = ['fp32', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface PeerModel {
  readonly name: string;
  /** As sherpa-onnx takes them. */
  readonly files: SherpaFiles;
  /** As rnnt-server takes it. */
  readonly folder: string;
}

export interface ImportFigures {
  readonly name: string;
  readonly megabytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const isShape = (shape: string): shape is ShapeName => (SHAPES as readonly string[]).includes(shape);

/** The files of a shape or of a fixture, written below `work` if they are not there yet. */
function sourceOf(shape: string, precision: Precision, work: string): string {
  if (!isShape(shape)) return inPackage('test', 'fixtures', 'foreign', shape);
  const folder = join(work, `${shape}-${precision}`);
  const whole = join(folder, 'tokens.txt'); // written last
  if (existsSync(whole)) return folder;
  mkdirSync(folder, { recursive: true });
  writeShape(folder, shape, precision);
  return folder;
}

const BIN = fileURLToPath(new URL('../../../scripts/bin.mjs', import.meta.url));

/** CPU seconds of the children of this process that have ended (proc(5): cutime, cstime, in hundredths). */
function childrenSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Runs `rnnt-server import` and tells what it took, the start of the program included. */
function importNew(source: string, out: string, name: string, precision: Precision): ImportFigures {
  const [startedMs, cpu] = [performance.now(), childrenSeconds()];
  const args = [BIN, 'import', source, '--out', out, '--name', name, '--precision', precision];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} cannot be imported: ${stderr}`);
  const megabytes = manifestOf(join(out, name)).files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
  const seconds = (performance.now() - startedMs) / 1_000;
  return { name, megabytes, seconds, cpuSeconds: childrenSeconds() - cpu };
}

/**
 * Writes and imports a model, if that was not done before.
 * @param onImport told what the import took
 */
export function prepareModel(
  shape: string,
  precision: Precision,
  work: string,
  onImport: (figures: ImportFigures) => void = () => {},
): PeerModel {
  const source = sourceOf(shape, precision, work);
  const name = `${shape}-${precision}`;
  const out = join(work, 'models');
  const folder = join(out, name);
  if (!existsSync(join(folder, 'manifest.json'))) onImport(importNew(source, out, name, precision));
  const part = (file: string) => {
    const quantised = join(source, `${file}.int8.onnx`);
    return precision === 'int8' && existsSync(quantised) ? quantised : join(source, `${file}.onnx`);
  };
  const tokens = join(source, 'tokens.txt');
  const [encoder, decoder, joiner] = ['encoder', 'decoder', 'joiner'].map(part) as [string, string, string];
  return { name, folder, files: { encoder, decoder, joiner, tokens, kind: manifestOf(folder).kind ?? '' } };
}

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    kind?: string;
    files: { bytes: number }[];
  };

/** The trained recogniser of digits, and recordings for it as −1…1. */
export const DIGITS = 'zipformer2-digits';
export function digitClips(): Float32Array[] {
  const folder = inPackage('test', 'fixtures', 'foreign', 'wavs');
  const names = readdirSync(folder).filter((name) => name.endsWith('.wav'));
  return names.sort().map((name) => {
    const bytes = readFileSync(join(folder, name));
    const start = bytes.indexOf('data') + 8;
    const samples = (bytes.length - start) >> 1;
    return Float32Array.from({ length: samples }, (_, i) => bytes.readInt16LE(start + 2 * i) / 32_768);
  });
}

/** Figures of finished rows, so that a run that was cut goes on where it stood. */
export class Rows<Row> {
  private readonly rows: Record<string, Row>;
  constructor(private readonly path: string) {
    this.rows = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Row>) : {};
  }
  async get(key: string, measure: () => Promise<Row>): Promise<Row> {
    const known = this.rows[key];
    if (known !== undefined) return known;
    const row = await measure();
    this.rows[key] = row;
    writeFileSync(this.path, `${JSON.stringify(this.rows, null, 1)}\n`);
    return row;
  }
}
