/** The fake model as a model on disk, for tests of lanes and of the engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Manifest } from '../../src/models/manifest.js';
import type { Model } from '../../src/models/store.js';
import { fakeGraph, graphManifest } from './fake-graph.js';
import { fakeModel } from './fake-model.js';

const folder = mkdtempSync(join(tmpdir(), 'rnnt-graph-'));
after(() => rmSync(folder, { recursive: true }));
let graphs = 0;

/** @param graph what lies on disk; by default the graph that the manifest of `graphModel()` describes */
export function graphModel(changes: Partial<Manifest> = {}, graph = fakeGraph()): Model {
  const graphPath = join(folder, `${graphs++}.onnx`);
  writeFileSync(graphPath, graph);
  return { ...fakeModel(), manifest: graphManifest(changes), graphPath };
}
