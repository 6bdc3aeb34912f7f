import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { runProgram } from '../helpers/run-program.js';

interface Packed {
  readonly unpackedSize: number;
  readonly files: readonly { path: string; size: number }[];
}

describe('the package', { timeout: 60_000 }, () => {
  let packed: Packed;
  let paths: string[];
  before(async () => {
    const { stdout, stderr } = await runProgram('npm', ['pack', '--dry-run', '--json']);
    [packed] = JSON.parse(stdout) as [Packed];
    paths = packed.files.map(({ path }) => path);
    assert.doesNotMatch(stderr, /npm warn/i, 'the settings of .npmrc are those that npm knows');
  });

  it('has what runs, what pages load and what its exports name', () => {
    const { bin, exports } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as {
      bin: Record<string, string>;
      exports: Record<string, string | Record<string, string>>;
    };
    const named = [
      ...Object.values(bin),
      ...Object.values(exports).flatMap((target) =>
        typeof target === 'string' ? [target] : Object.values(target),
      ),
    ].map((path) => path.replace(/^\.\//, ''));
    const others = [
      'dist/src/cli.js',
      'dist/workers/lane.js',
      'dist/workers/entry.cjs',
      'static/index.html',
      'models/default',
      'LICENSE',
    ];
    for (const path of [...named, ...others]) assert.ok(paths.includes(path), path);
  });

  it('has no tests, no compiler leftovers, no tools and nothing secret', () => {
    for (const path of paths) {
      assert.doesNotMatch(path, /^dist\/test\/|^test\/|\.test\.|\.bench\.|\.map$|tsbuildinfo|\.built/);
      assert.doesNotMatch(path, /node_modules|package-lock|\.npmrc|__pycache__|\.venv|^training\//);
    }
  });

  it('is the model and little else', () => {
    const rest = packed.files
      .filter(({ path }) => !path.startsWith('models/'))
      .reduce((sum, { size }) => sum + size, 0);
    assert.ok(rest < 3_300_000, `${rest} bytes beside the model`);
    assert.ok(packed.files.length < 600, `${packed.files.length} files`);
  });
});
