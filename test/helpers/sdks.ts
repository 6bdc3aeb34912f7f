/**
 * Other vendors' SDKs, for tests against this server. The package `test/sdks` is installed when a test needs it and is
 * independent of everything else.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inPackage } from '../../src/paths.js';

const folder = inPackage('test', 'sdks');
const INSTALL_TIMEOUT_MS = 120_000;

// biome-ignore lint/suspicious/noExplicitAny: not installed where types are checked
type Anything = any;

/** Why the SDKs cannot be used; false if they can, after installing them. */
export function sdksProblem(): string | false {
  if (isInstalled()) return false;
  // Installed next to its place and then moved, since several tests may do this at once.
  const made = mkdtempSync(join(folder, 'node_modules-'));
  try {
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(join(folder, name), join(made, name));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    const shell = process.platform === 'win32'; // npm is a .cmd file there
    const { status, stderr } = spawnSync('npm', args, {
      cwd: made,
      encoding: 'utf8',
      shell,
      timeout: INSTALL_TIMEOUT_MS,
    });
    if (status !== 0) return `npm could not install test/sdks: ${stderr?.trim().split('\n')[0] ?? 'no npm'}`;
    if (isInstalled()) return false; // by another test meanwhile
    rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
    renameSync(join(made, 'node_modules'), join(folder, 'node_modules'));
    return false;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Is what the lock file names there? */
function isInstalled(): boolean {
  const hidden = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const versions = (path: string): Record<string, string> => {
    const { packages } = JSON.parse(readFileSync(path, 'utf8')) as Anything;
    return Object.fromEntries(Object.keys(packages).map((name) => [name, packages[name].version]));
  };
  const there = versions(hidden);
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Anything;
  const wanted = versions(join(folder, 'package-lock.json'));
  return Object.keys(dependencies).every((name) => {
    const at = `node_modules/${name}`;
    return there[at] === wanted[at];
  });
}

/** Every SDK must give ascending word times. */
export function assertAscending(starts: readonly number[]): void {
  const sorted = starts.toSorted((a, b) => a - b);
  assert.ok(starts.length > 0, 'words have times');
  assert.deepEqual(starts, sorted, 'word times ascend');
}

/** A module of one of them. */
export const sdk = (name: string): Anything => createRequire(join(folder, 'package.json'))(name);
