/**
 * sherpa-onnx in a separate process, for comparison. Installed under test/sherpa by the first test that needs it; the
 * tests are skipped if that fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameOf, readModel, TYPE, tensor, writeModel } from '../../src/import/onnx.js';
import { askSherpa, findSherpa, type SherpaAnswer, type SherpaTask } from '../../src/import/sherpa.js';
import { inPackage } from '../../src/paths.js';
import { fixture } from './foreign.js';

/** A program there has sherpa-onnx at hand, once it is installed. */
export const SHERPA_FOLDER = inPackage('test', 'sherpa');
const INSTALLED = join(SHERPA_FOLDER, 'node_modules', 'sherpa-onnx-node');
const INSTALL_MS = 300_000;

/** Why sherpa-onnx cannot be used, or null after it is installed. */
export function sherpaProblem(): string | null {
  if (!existsSync(INSTALLED)) {
    const install = [
      'install',
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      '--ignore-scripts',
      '--fetch-retries=1',
    ];
    const { status, stderr } = spawnSync('npm', install, {
      cwd: SHERPA_FOLDER,
      encoding: 'utf8',
      timeout: INSTALL_MS,
    });
    if (status !== 0 || !existsSync(INSTALLED))
      return `sherpa-onnx-node cannot be installed: ${stderr?.slice(0, 200)}`;
  }
  const { status, stderr } = spawnSync(process.execPath, ['-e', "require('sherpa-onnx-node')"], {
    cwd: SHERPA_FOLDER,
    encoding: 'utf8',
  });
  return status === 0 ? null : `sherpa-onnx-node cannot be loaded here: ${stderr.slice(0, 200)}`;
}

export interface SherpaRun {
  /** With encoder.onnx, decoder.onnx, joiner.onnx and tokens.txt. */
  readonly folder: string;
  readonly method?: SherpaTask['method'];
  /** Of the encoder; 40 if missing. */
  readonly frameMs?: number;
  readonly files: readonly string[];
}

/** @throws Error with its words if it cannot load the model */
export function sherpaHears(run: SherpaRun): Promise<SherpaAnswer[]> {
  const { folder, method = 'greedy_search', frameMs = 40, files } = run;
  const [encoder, decoder, joiner] = ['encoder', 'decoder', 'joiner'].map((it) =>
    join(folder, `${it}.onnx`),
  ) as [string, string, string];
  const module = findSherpa(SHERPA_FOLDER) ?? '';
  const paths = files.map((it) => fixture('wavs', it));
  return askSherpa({
    module,
    encoder,
    decoder,
    joiner,
    tokens: join(folder, 'tokens.txt'),
    method,
    frameMs,
    files: paths,
  });
}

/**
 * Writes a transducer's files into a folder, with the joiner's logits doubled: sherpa-onnx divides them by a
 * temperature of two for log-probabilities, which its Node package cannot change. Greedy results are the same.
 */
export function withDoubledLogits(files: Record<string, Uint8Array>, folder: string): void {
  const changed = Object.entries(files).map(([name, bytes]) => [
    name,
    name.startsWith('joiner') ? doubled(bytes) : bytes,
  ]);
  withFiles(Object.fromEntries(changed), folder);
}

/** Puts a transducer's files into a folder as they are. */
export function withFiles(files: Record<string, Uint8Array>, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
}

function doubled(bytes: Uint8Array): Uint8Array {
  const model = readModel(bytes);
  const { graph } = model;
  const logit = graph.outputs[0];
  const last = graph.nodes.find((it) => logit !== undefined && it.outputs.includes(nameOf(logit)));
  if (logit === undefined || last === undefined) throw new Error('the joiner has no output');
  const half = `${nameOf(logit)}/half`;
  last.outputs = last.outputs.map((it) => (it === nameOf(logit) ? half : it));
  const two = tensor(`${half}/two`, TYPE.float, [], [2]);
  const mul = {
    op: 'Mul',
    name: `${half}/mul`,
    inputs: [half, nameOf(two)],
    outputs: [nameOf(logit)],
    attributes: [],
  };
  graph.nodes.push(mul);
  graph.initializers.push(two);
  return writeModel(model);
}

/** A fixture's files by the names that sherpa-onnx is given. */
export function fixtureFiles(folder: string, names: readonly string[]): Record<string, Uint8Array> {
  return Object.fromEntries(names.map((name) => [name, readFileSync(fixture(folder, name))]));
}
