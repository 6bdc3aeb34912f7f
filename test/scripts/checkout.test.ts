/** A checkout stays as it is when people do what the documents tell them to. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { runProgram } from '../helpers/run-program.js';

describe('a checkout', { skip: !existsSync(inPackage('.git')) && 'this is no checkout' }, () => {
  it('is not changed by npm install in an example', async () => {
    const made = ['node_modules/x', 'package-lock.json'].map((name) => `examples/backend/express/${name}`);
    const { stdout } = await runProgram('git', ['check-ignore', ...made]);
    assert.deepEqual(stdout.trim().split('\n'), made);
    // npm makes the commands of a linked package executable.
    assert.ok((statSync(inPackage('scripts', 'bin.mjs')).mode & 0o111) !== 0);
  });

  it('is not changed by installing, building, testing and packing', async () => {
    const made = [
      'node_modules/x',
      'dist/src/cli.js',
      'test/tools/node_modules/x',
      '.cache/x',
      'rnnt-server-1.0.0.tgz',
    ];
    const { stdout } = await runProgram('git', ['check-ignore', ...made]);
    assert.deepEqual(stdout.trim().split('\n'), made);
  });
});
