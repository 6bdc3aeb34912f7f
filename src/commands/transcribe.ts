/** `rnnt-server transcribe FILE…`: the upload path without HTTP. */
import { readFile } from 'node:fs/promises';
import { CodecPool } from '../codec/pool.js';
import type { Config } from '../config.js';
import { toServerError } from '../errors.js';
import { startEngine } from '../inference/engine.js';
import { createLogger } from '../log.js';
import { loadModel } from '../models/store.js';
import { parseConfig, parseHotword } from '../protocol/parse.js';
import { renderFile } from '../protocol/render.js';
import { recordingDefaults } from '../session/defaults.js';
import { recogniseFile } from '../session/file-job.js';
import { pieceTable } from '../transcript/pieces.js';

/** What the system says of a file that cannot be read, in words. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'There is no such file.',
  ENOTDIR: 'There is no such file.',
  EACCES: 'The file may not be read.',
  EPERM: 'The file may not be read.',
  EISDIR: 'This is a folder, not a file.',
};

/** Why a file has no transcript. Not being able to read it is no fault of the server. */
function reasonOf(thrown: unknown): string {
  const { code = '' } = thrown as NodeJS.ErrnoException;
  return UNREADABLE[code] ?? toServerError(thrown).message;
}

export async function transcribeFiles(
  files: readonly string[],
  flags: { json?: boolean; hotword?: string[] },
  config: Config,
): Promise<number> {
  const wanted = parseConfig({ hotwords: flags.hotword?.map(parseHotword) }, 'CONFIG_INVALID');
  const quiet = {
    ...config,
    lanes: 1,
    logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel,
  } as const;
  const model = await loadModel(config.model);
  const log = createLogger(quiet);
  const engine = await startEngine(model, { ...quiet, maxBatch: 1, maxStreams: 1 }, log);
  const codecPool = new CodecPool({ log });
  const pieces = pieceTable(model.tokens, model.manifest);
  const defaults = recordingDefaults(config, model.manifest.language);
  const parts = { engine, codecPool, pieces, defaults, maxSeconds: config.maxUploadSeconds };
  let failed = 0;
  for (const file of files) {
    try {
      const bytes = await readFile(file);
      const result = await recogniseFile(parts, { bytes, wanted });
      for (const warning of result.warnings) process.stderr.write(`${warning}\n`);
      const report = { file, ...renderFile(result, model.manifest.confidence) };
      process.stdout.write(
        flags.json ? `${JSON.stringify(report)}\n` : `${files.length > 1 ? `${file}: ` : ''}${result.text}\n`,
      );
    } catch (thrown) {
      failed++;
      process.stderr.write(`${file}: ${reasonOf(thrown)}\n`);
    }
  }
  await codecPool.close();
  await engine.close();
  return failed === 0 ? 0 : 1;
}
