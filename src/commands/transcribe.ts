/** `rnnt-server transcribe FILE…`: transcribes files as an upload would, without HTTP. */
import { CodecPool } from '../codec/pool.js';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import { startEngine } from '../inference/engine.js';
import { LIMITS } from '../limits.js';
import { createLogger } from '../log.js';
import { loadModel } from '../models/store.js';
import type { FileFormat } from '../protocol/file-formats.js';
import { type FileTranscript, renderFile } from '../protocol/file-result.js';
import { round } from '../protocol/render.js';
import { parseUpload, type UploadRequest } from '../protocol/upload-query.js';
import { recordingDefaults } from '../session/defaults.js';
import { type FileJobParts, NO_PROGRESS, recogniseFile } from '../session/file-job.js';
import { pieceTable } from '../transcript/pieces.js';
import { EXIT, failureOf, joinExitCodes } from './exit-codes.js';
import { findInputs, type Input } from './inputs.js';
import { ProgressBar } from './progress-bar.js';
import { Results, targetOf } from './results.js';

export interface TranscribeFlags {
  readonly json?: boolean;
  readonly format?: FileFormat;
  readonly out?: string;
  readonly hotword?: readonly string[];
  readonly multichannel?: boolean;
  readonly language?: string;
  /** For raw samples. */
  readonly encoding?: string;
  readonly sampleRate?: string;
  readonly channels?: string;
}

/** Returns the exit code. Errors, per file or for the whole command, go to standard error. */
export async function transcribeFiles(
  paths: readonly string[],
  flags: TranscribeFlags,
  config: Config,
): Promise<number> {
  let recogniser: Recogniser | undefined;
  try {
    const format = flags.json ? 'json' : (flags.format ?? 'text');
    // Reports wrong usage before the model is loaded.
    parseUpload(pairsOf(flags), { language: 'en' });
    const inputs = await findInputs(paths, process.stdin);
    const target = await targetOf(flags.out, inputs.length, format);
    recogniser = await Recogniser.start(flags, config);
    const results = new Results(target, format, recogniser.language, inputs.length > 1, process.stdout);
    const codes: number[] = [];
    for (const input of inputs) codes.push(await transcribe(recogniser, input, results));
    return joinExitCodes(codes);
  } catch (thrown) {
    const { exitCode, code, message } = failureOf(thrown);
    process.stderr.write(`rnnt-server: ${code}: ${message}\n`);
    return exitCode;
  } finally {
    await recogniser?.close();
  }
}

/** Returns the exit code for this input. Files in a folder that are not audio are skipped. */
async function transcribe(recogniser: Recogniser, input: Input, results: Results): Promise<number> {
  const bar = new ProgressBar(process.stderr, input.name);
  try {
    const { file, about } = await recogniser.recognise(input, bar);
    bar.clear();
    for (const { detail } of file.warnings) process.stderr.write(`${input.name}: ${detail}\n`);
    await results.write(input, file, about);
    return EXIT.ok;
  } catch (thrown) {
    bar.clear();
    const failure = failureOf(thrown);
    if (input.found && failure.exitCode === EXIT.unsupported) {
      process.stderr.write(`${input.name}: skipped. ${failure.message}\n`);
      return EXIT.ok;
    }
    process.stderr.write(`${input.name}: ${failure.message}\n`);
    results.fail(input, failure);
    return failure.exitCode;
  }
}

/** Runs the model on one file after another. */
class Recogniser {
  private constructor(
    private readonly parts: FileJobParts,
    private readonly request: UploadRequest,
  ) {}

  static async start(flags: TranscribeFlags, config: Config): Promise<Recogniser> {
    const logLevel = config.logLevel === 'info' ? 'warn' : config.logLevel;
    const model = await loadModel(config.model);
    const { language } = model.manifest;
    const request = parseUpload(pairsOf(flags), model.manifest);
    const streams = request.separate ? LIMITS.maxFileChannels : 1;
    const quiet = { ...config, lanes: 1, logLevel, maxBatch: streams, maxStreams: streams } as const;
    const log = createLogger(quiet);
    const engine = await startEngine(model, quiet, log);
    const parts: FileJobParts = {
      engine,
      codecPool: new CodecPool({ fileThreads: 1, log }),
      pieces: pieceTable(model.tokens, model.manifest),
      defaults: recordingDefaults(config, language),
      maxSeconds: config.maxUploadSeconds,
    };
    return new Recogniser(parts, request);
  }

  get language(): string {
    return this.parts.engine.model.manifest.language;
  }

  async recognise(
    input: Input,
    bar: ProgressBar,
  ): Promise<{ file: FileTranscript; about: object & Record<string, unknown> }> {
    const { wanted, separate, raw, warnings } = this.request;
    const { name, language, confidence } = this.parts.engine.model.manifest;
    const bytes = await input.read();
    if (bytes.length === 0) throw new ServerError('CORRUPT_AUDIO', 'The file is empty.');
    const startedMs = performance.now();
    const result = await recogniseFile(
      this.parts,
      { bytes, wanted, separate, format: raw },
      { ...NO_PROGRESS, onProgress: (samples, total) => bar.update(samples, total) },
    );
    const tookMs = performance.now() - startedMs;
    const file = renderFile(result, confidence, separate, warnings);
    const factor = round(tookMs / 1000 / Math.max(0.01, file.audio_duration_s), 4);
    const about = { language, model: name, processing_time_ms: round(tookMs, 1), real_time_factor: factor };
    return { file, about };
  }

  async close(): Promise<void> {
    await this.parts.codecPool.close();
    await this.parts.engine.close();
  }
}

/** The flags as the query of an upload, so that the same rules parse both. */
function pairsOf(flags: TranscribeFlags): [string, string][] {
  const { multichannel = false, language, encoding, sampleRate, channels, hotword = [] } = flags;
  const given = { language, encoding, sample_rate: sampleRate, channels };
  return [
    ['multichannel', String(multichannel)],
    ...hotword.map((it): [string, string] => ['hotwords', it]),
    ...Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined),
  ];
}
