/** Imports go one way (docs/ARCHITECTURE.md, Layout). What only types are needed of may stand anywhere. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { inPackage, packageRoot } from '../src/paths.js';

interface Import {
  /** Folder or file of the repository: `src/audio`, `src/errors`, `machines`. */
  readonly layer: string;
  readonly typesOnly: boolean;
  /** The bare name of a package or Node module; null for files of the repository. */
  readonly outside: string | null;
  readonly at: string;
}

/** src/audio/pcm.ts → src/audio; src/errors.ts → src/errors; the wire's names and constants stand alone. */
function layerOf(path: string): string {
  const parts = path.replace(/\.[jt]s$/, '').split('/');
  if (parts.join('/') === 'src/protocol/types') return 'src/wire';
  return parts[0] === 'src' ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

function sourcesIn(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(inPackage(folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(packageRoot, join(entry.parentPath, entry.name))),
  );
}

const STATEMENT =
  /^(?:import|export)\s+(?:(type)\s)?(?:([^;'"]*?)\sfrom\s)?['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/gm;

function importsOf(path: string): Import[] {
  const text = readFileSync(inPackage(path), 'utf8');
  return [...text.matchAll(STATEMENT)].map(([, keyword, names = '', from, dynamic]) => {
    const target = from ?? dynamic ?? '';
    const named = /^\{([^}]*)\}$/s.exec(names.trim())?.[1];
    const each = named?.split(',').map((name) => name.trim()).filter((name) => name !== ''); // biome-ignore format: short
    const typesOnly = keyword === 'type' || (each?.every((name) => name.startsWith('type ')) ?? false);
    const outside = target.startsWith('.') ? null : target;
    const layer = outside === null ? layerOf(join(dirname(path), target)) : '';
    return { layer, typesOnly, outside, at: path };
  });
}

const BASE = ['src/errors', 'src/limits', 'src/wire'];
/** What the code of each layer may run, itself apart. */
const MAY_RUN: Record<string, readonly string[]> = {
  'src/wire': [],
  'src/errors': [],
  'src/limits': [],
  'src/histogram': [],
  'src/paths': [],
  'src/log': [],
  'src/config': BASE,
  'src/models': [...BASE, 'src/paths'],
  'src/audio': [...BASE, 'src/paths'],
  'src/transcript': BASE,
  'src/protocol': [...BASE, 'src/transcript'],
  'src/inference': [...BASE, 'src/config', 'src/histogram', 'src/models', 'src/paths'],
  machines: [],
  workers: [...BASE, 'src/audio', 'src/inference', 'src/models'],
};
/** Layers that nothing below the server may run. */
const UPPER = ['src/session', 'src/server', 'src/commands', 'src/cli', 'src/main'];
const RANK = new Map(UPPER.map((layer, i) => [layer, i]));

const files = sourcesIn('src', 'workers', 'machines');
const running = files.flatMap(importsOf).filter((it) => !it.typesOnly);

test('the tree is read: every source has its imports', () => {
  assert.ok(files.length > 50);
  assert.ok(importsOf('src/session/session.ts').some((it) => it.layer === 'machines' && !it.typesOnly));
  assert.ok(importsOf('src/audio/sink.ts').length === 0);
});

test('each lower layer runs only what lies below it', () => {
  for (const { layer, outside, at } of running) {
    const own = layerOf(at);
    const allowed = MAY_RUN[own];
    if (allowed === undefined || outside !== null || layer === own) continue;
    assert.ok(allowed.includes(layer), `${at} may not import ${layer}`);
  }
});

test('the session knows no server, the server no command line', () => {
  for (const { layer, outside, at } of running) {
    const own = RANK.get(layerOf(at));
    if (own === undefined || outside !== null) continue;
    assert.ok((RANK.get(layer) ?? -1) <= own || layer === 'src/main', `${at} may not import ${layer}`);
    assert.notEqual(layer, 'workers', `${at} must reach workers through their pool`);
  }
});

test('every layer is in one of the two tables', () => {
  for (const path of files) {
    const layer = layerOf(path);
    assert.ok(layer in MAY_RUN || RANK.has(layer), `${path}: add ${layer} to test/architecture.test.ts`);
  }
});

test('machines and transcripts do no input or output and know no clock but the one they are given', () => {
  const pure = running.filter(({ at }) => /^(machines|src\/transcript)\//.test(at));
  for (const { outside, at } of pure) {
    if (outside === null) continue;
    assert.ok(['xstate', 'xstate/graph'].includes(outside), `${at} may not import ${outside}`);
  }
  for (const path of files.filter((it) => /^(machines|src\/transcript)\//.test(it)))
    assert.doesNotMatch(
      readFileSync(inPackage(path), 'utf8'),
      /Date\.now|performance\.now|setTimeout\(/,
      path,
    );
});

test('only lanes touch ONNX Runtime, only connections touch ws', () => {
  for (const { outside, at } of running) {
    if (outside === 'onnxruntime-node') assert.equal(layerOf(at), 'workers', at);
    if (outside === 'ws') assert.match(at, /^src\/(server|commands)\//, at);
  }
});
