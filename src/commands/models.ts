/** `rnnt-server models [name]`, `rnnt-server models show NAME` */
import type { Config } from '../config.js';
import { startEngine } from '../inference/engine.js';
import { createLogger } from '../log.js';
import { languagesOf } from '../models/languages.js';
import { chunkMs, type Manifest, stateLayout } from '../models/manifest.js';
import { listModels, loadModel, modelFolder, readManifest } from '../models/store.js';

export async function showModels(name: string | undefined): Promise<number> {
  if (name !== undefined) {
    const { manifest } = await loadModel(name);
    process.stdout.write(
      `${manifest.name} ${manifest.version}: ${manifest.files.length} files, all match the manifest\n`,
    );
    return 0;
  }
  for (const model of listModels()) {
    const { version, language, licence, description, files } = readManifest(modelFolder(model));
    const megabytes = files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
    process.stdout.write(
      `${model}  ${version}  ${language}  ${megabytes.toFixed(1)} MB  ${licence}\n    ${description}\n`,
    );
  }
  return 0;
}

/** Describes a model and its speed on this machine: starts and measures the lanes as for serving. */
export async function showModel(name: string, config: Config): Promise<number> {
  const model = await loadModel(name);
  process.stdout.write(described(model.manifest));
  const quiet = { ...config, logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel } as const;
  const engine = await startEngine(model, quiet, createLogger(quiet));
  const { capacity, lanes, laneBytes, provider } = engine;
  const times = capacity.stepTimes.map(({ batch, ms }) => `${batch}: ${ms.toFixed(1)} ms`).join(', ');
  process.stdout.write(
    `here        ${lanes.length} ${lanes.length === 1 ? 'lane' : 'lanes'} on ${provider}; a step by batch size, all lanes busy: ${times}\n` +
      `memory      ${Math.round(laneBytes / 1e6)} MB per lane: weights and the largest batch's working memory\n` +
      `streams     ${capacity.streams}, in batches of up to ${capacity.batch}\n`,
  );
  await engine.close();
  return 0;
}

function described(manifest: Manifest): string {
  const { kind = 'one graph', name, version, lookaheadMs, framesPerChunk, symbolsPerFrame } = manifest;
  const megabytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
  const { hotwords } = manifest.inputs;
  const { preview } = manifest.outputs;
  return [
    `${name} ${version}: ${manifest.description}`,
    `kind        ${kind}`,
    `languages   ${languagesOf(manifest)}`,
    `chunk       ${chunkMs(manifest)} ms: ${framesPerChunk} frames, at most ${symbolsPerFrame} ${symbolsPerFrame === 1 ? 'token' : 'tokens'} per frame`,
    `look-ahead  ${lookaheadMs} ms`,
    `state       ${stateLayout(manifest).bytes} bytes per stream`,
    `can do      ${[hotwords ? 'hotwords' : '', preview ? 'preview' : ''].filter(Boolean).join(', ') || 'final tokens only'}`,
    `files       ${manifest.files.length}, ${megabytes.toFixed(1)} MB, all match the manifest`,
    `licence     ${manifest.licence}`,
    '',
  ].join('\n');
}
