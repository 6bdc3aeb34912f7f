import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inPackage } from '../../src/paths.js';

interface Entry {
  version?: string;
  integrity?: string;
  optional?: boolean;
  dev?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}
interface Lock {
  packages: Record<string, Entry>;
}
interface Installed {
  isInstalled(lock: Lock, present: Lock | null, wanted: { tools: boolean }): boolean;
}
const { isInstalled } = (await import(
  pathToFileURL(inPackage('scripts', 'installed.mjs')).href
)) as Installed;

const lock: Lock = {
  packages: {
    '': { dependencies: { server: '1' }, devDependencies: { compiler: '1' } },
    'test/tools': { devDependencies: { browser: '1' } },
    'node_modules/server': { version: '1.0.0', integrity: 'a', dependencies: { part: '^1' } },
    'node_modules/server/node_modules/part': { version: '1.0.0', integrity: 'b' },
    'node_modules/part': { version: '2.0.0', integrity: 'c', dev: true },
    'node_modules/compiler': { version: '1.0.0', integrity: 'd', dev: true },
    'node_modules/browser': { version: '1.0.0', integrity: 'e', dev: true, dependencies: { part: '^2' } },
    'node_modules/other-system': { version: '1.0.0', integrity: 'f', optional: true },
  },
};
const without = (...names: string[]): Lock => ({
  packages: Object.fromEntries(
    Object.entries(lock.packages).filter(([path]) => path !== '' && !names.includes(path)),
  ),
});
const both = (present: Lock | null) =>
  [{ tools: false }, { tools: true }].map((wanted) => isInstalled(lock, present, wanted));

test('what npm ci leaves is enough for the server and for the tests', () => {
  assert.deepEqual(both(without()), [true, true]);
});

test('without the tools the server can run, the tests cannot', () => {
  assert.deepEqual(both(without('node_modules/browser', 'node_modules/part')), [true, false]);
});

test('a missing dependency of a dependency is seen', () => {
  assert.deepEqual(both(without('node_modules/server/node_modules/part')), [false, false]);
});

test('a package for another system may be missing', () => {
  assert.deepEqual(both(without('node_modules/other-system')), [true, true]);
});

test('another version, or other contents of the same, are seen', () => {
  for (const change of [{ version: '1.0.1' }, { integrity: 'z' }]) {
    const present = without();
    present.packages['node_modules/server'] = { ...present.packages['node_modules/server'], ...change };
    assert.deepEqual(both(present), [false, false]);
  }
});

test('a folder without a record of npm is not installed', () => {
  assert.deepEqual(both(null), [false, false]);
});

test('the tests themselves run on what the lockfile says', () => {
  const read = (path: string) => JSON.parse(readFileSync(inPackage(path), 'utf8')) as Lock;
  const [real, present] = [read('package-lock.json'), read('node_modules/.package-lock.json')];
  assert.ok(isInstalled(real, present, { tools: true }));
  assert.ok(isInstalled(real, present, { tools: false }));
});

test('npm start needs no tool of the tests', () => {
  const real = JSON.parse(readFileSync(inPackage('package-lock.json'), 'utf8')) as Lock;
  const tools = Object.keys(real.packages['test/tools']?.devDependencies ?? {});
  assert.ok(tools.includes('playwright-core'));
  // The server itself uses one of them, ajv, through a library.
  const paths = tools.map((name) => `node_modules/${name}`);
  const dropped = new Set(paths.filter((path) => real.packages[path]?.dev === true));
  assert.ok(dropped.size > 1);
  const present: Lock = {
    packages: Object.fromEntries(Object.entries(real.packages).filter(([path]) => !dropped.has(path))),
  };
  assert.ok(isInstalled(real, present, { tools: false }));
  assert.ok(!isInstalled(real, present, { tools: true }));
});
