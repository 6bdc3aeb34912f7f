/**
 * The layering of the sources, stated here and nowhere else. A room is a folder `src/<room>`, a file of `src` itself,
 * `machines` or `workers`. Imports go downwards only, those of types included.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { inPackage } from '../src/paths.js';
import { sourcesIn } from './helpers/sources.js';

/** From top to bottom. Rooms of one row stand side by side and do not know each other. */
const ROWS: readonly (readonly string[])[] = [
  ['src/cli'],
  ['src/main', 'src/commands'],
  ['src/server'],
  ['src/session', 'src/inspect'],
  ['src/cluster'],
  ['src/dialects', 'machines', 'workers'],
  ['src/docs'],
  ['src/protocol', 'src/load'],
  ['src/text'],
  ['src/transcript', 'src/codec', 'src/import', 'src/mock'],
  ['src/inference'],
  ['src/models', 'src/audio', 'src/auth', 'src/end'],
  ['src/log'],
  ['src/config', 'src/log-sink'],
  [
    'src/errors',
    'src/limits',
    'src/paths',
    'src/histogram',
    'src/threads',
    'src/within',
    'src/rate-limiter',
    'src/option-schemas',
  ],
];

/** Rooms that may know less than what lies below them. */
const ONLY: Record<string, readonly string[]> = {
  machines: ['src/errors', 'src/protocol'],
  workers: ['src/docs', 'src/codec', 'src/inference', 'src/models', 'src/audio', 'src/errors', 'src/limits'],
};

/** Packages that few rooms may know. */
const PACKAGES: Record<string, readonly string[]> = {
  'onnxruntime-node': ['workers'],
  piscina: ['src/threads', 'workers'],
  ws: ['src/server', 'src/load'],
  fastify: ['src/server'],
  '@redis/client': ['src/cluster'],
  marked: ['src/docs'],
};

/** Rooms that decide and do nothing else: no input or output, no clock but the one they are given. */
const PURE = /^(machines|src\/transcript)\//;

interface Import {
  /** The file with the statement, relative to the package. */
  readonly at: string;
  /** The file it names; for what lies outside of the repository, the bare name. */
  readonly to: string;
  readonly outside: boolean;
  readonly typesOnly: boolean;
}

const row = (room: string): number => ROWS.findIndex((rooms) => rooms.includes(room));

/** src/audio/pcm.ts → src/audio; src/errors.ts → src/errors; machines/server.ts → machines */
function roomOf(path: string): string {
  const parts = path.replace(/\.c?ts$/, '').split('/');
  return parts[0] === 'src' ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

const STATEMENT =
  /^(?:import|export)\s+(?:(type)\s)?(?:([^;'"]*?)\sfrom\s)?['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/gm;

function importsIn(text: string, at: string): Import[] {
  return [...text.matchAll(STATEMENT)].map(([, keyword, names = '', from, dynamic]) => {
    const target = from ?? dynamic ?? '';
    const outside = !target.startsWith('.');
    const named = /^\{([^}]*)\}$/s.exec(names.trim())?.[1]?.split(',') ?? [];
    const each = named.map((name) => name.trim()).filter((name) => name !== '');
    const typesOnly = keyword === 'type' || (each.length > 0 && each.every((it) => it.startsWith('type ')));
    const to = outside ? target : join(dirname(at), target).replace(/\.js$/, '.ts');
    return { at, to, outside, typesOnly };
  });
}

/** One circle of a graph as the names on its way, the first one again at the end; null if there is none. */
function circleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | null {
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]): string[] | null => {
    if (way.includes(node)) return [...way.slice(way.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next, [...way, node]);
      if (circle !== null) return circle;
    }
    done.add(node);
    return null;
  };
  for (const node of edges.keys()) {
    const circle = visit(node, []);
    if (circle !== null) return circle;
  }
  return null;
}

function graphOf(pairs: readonly (readonly [string, string])[]): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [from, to] of pairs) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  return edges;
}

const files = sourcesIn('src', 'workers', 'machines');
const imports = files.flatMap((at) => importsIn(readFileSync(inPackage(at), 'utf8'), at));
const inside = imports.filter((it) => !it.outside);
const outside = imports.filter((it) => it.outside);
/** Imports that leave their room. */
const between = inside.filter(({ at, to }) => roomOf(at) !== roomOf(to));

test('every kind of import statement is read', () => {
  const read = (text: string) => importsIn(text, 'src/a/b.ts')[0];
  const to = 'src/c/d.ts';
  assert.deepEqual(read("import { x } from '../c/d.js';"), { at: 'src/a/b.ts', to, outside: false, typesOnly: false }); // biome-ignore format: short
  for (const types of ["import type { x } from '../c/d.js';", "import { type x } from '../c/d.js';"])
    assert.deepEqual(read(types), { at: 'src/a/b.ts', to, outside: false, typesOnly: true });
  for (const code of [
    "import '../c/d.js';",
    "import {\n  x,\n  type y,\n} from '../c/d.js';",
    "export * from '../c/d.js';",
    "const { x } = await import('../c/d.js');",
    "type X = typeof import('../c/d.js');",
  ])
    assert.equal(read(code)?.to, to, code);
  assert.deepEqual(read("import { z } from 'zod';"), { at: 'src/a/b.ts', to: 'zod', outside: true, typesOnly: false }); // biome-ignore format: short
});

test('every import of the repository names a file that is there', () => {
  assert.ok(files.length > 50 && inside.length > 200);
  for (const { at, to } of inside) assert.ok(existsSync(inPackage(to)), `${at} imports ${to}`);
});

test('every room has its place in the one list', () => {
  for (const path of files)
    assert.ok(row(roomOf(path)) >= 0, `${path}: give ${roomOf(path)} a place in ROWS`);
  assert.equal(new Set(ROWS.flat()).size, ROWS.flat().length);
});

test('imports go downwards only, those of types included', () => {
  for (const { at, to } of between)
    assert.ok(row(roomOf(to)) > row(roomOf(at)), `${at} may not import ${to}: ${roomOf(to)} is not below it`);
});

test('machines and workers know no more than they are allowed to', () => {
  for (const { at, to } of between) {
    const allowed = ONLY[roomOf(at)];
    if (allowed !== undefined) assert.ok(allowed.includes(roomOf(to)), `${at} may not import ${to}`);
  }
  for (const { at, to, typesOnly } of between)
    if (roomOf(at) === 'machines') assert.ok(typesOnly, `${at} may import types of ${to}, nothing that runs`);
});

test('nobody imports a worker: it is reached through its pool', () => {
  for (const { at, to } of between) assert.notEqual(roomOf(to), 'workers', at);
});

test('no document is rendered on the main thread', () => {
  const reached = new Set(['src/cli.ts']);
  for (const path of reached) {
    for (const { at, to, outside, typesOnly } of imports)
      if (at === path && !outside && !typesOnly) reached.add(to);
  }
  assert.ok(reached.has('src/server/docs-routes.ts'));
  assert.ok(!reached.has('src/docs/markdown.ts'));
});

test('a circle is found, however long it is, and none where there is none', () => {
  const chain = [['a', 'b'], ['b', 'c'], ['c', 'd'], ['a', 'd']] as const; // biome-ignore format: pairs
  assert.equal(circleIn(graphOf(chain)), null);
  assert.deepEqual(circleIn(graphOf([...chain, ['d', 'b']])), ['b', 'c', 'd', 'b']);
});

test('no circle leads through folders, types included', () => {
  const circle = circleIn(graphOf(between.map(({ at, to }) => [roomOf(at), roomOf(to)] as const)));
  assert.equal(circle?.join(' → ') ?? '', '');
});

test('no circle leads through files, types included', () => {
  const circle = circleIn(graphOf(inside.map(({ at, to }) => [at, to] as const)));
  assert.equal(circle?.join(' → ') ?? '', '');
});

test('only the rooms that need it know a runtime, a socket, a thread pool or an HTTP server', () => {
  for (const { at, to, typesOnly } of outside) {
    const name = to.startsWith('@fastify/') ? 'fastify' : to;
    const allowed = PACKAGES[name];
    if (allowed !== undefined && !typesOnly) assert.ok(allowed.includes(roomOf(at)), `${at} imports ${to}`);
  }
});

test('machines and transcripts do no input or output and know no clock but the one they are given', () => {
  for (const { at, to } of outside.filter((it) => PURE.test(it.at)))
    assert.equal(to, 'xstate', `${at} may not import ${to}`);
  for (const path of files.filter((it) => PURE.test(it))) {
    const text = readFileSync(inPackage(path), 'utf8');
    assert.doesNotMatch(text, /Date\.now|performance\.now|setTimeout\(/, path);
  }
});
