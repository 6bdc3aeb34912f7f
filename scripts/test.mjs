// `npm test [-- filter…]`: installs and builds what is missing, then runs the compiled tests with node:test.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
const filters = process.argv.slice(2);
const found = [];
/** dist/ may still contain a test whose source was removed. */
const hasSource = (path) =>
  existsSync(join(root, relative(join(root, 'dist'), path)).replace(/\.js$/, '.ts'));
(function walk(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path);
    else if (entry.name.endsWith('.test.js') && hasSource(path)) found.push(relative(root, path));
  }
})(join(root, 'dist', 'test'));
const files = found.filter((file) => filters.every((filter) => file.includes(filter))).sort();
if (files.length === 0) {
  // Without a file, node --test would search for tests and run everything.
  process.stderr.write(`No test file has ${filters.join(' and ')} in its path.\n`);
  process.exit(1);
}
// Two files at a time, since most of them start a server with inference threads. `spec` repeats the failed tests at the end, and
// so within what a log keeps of thousands of tests; Node 20 would write TAP into a pipe, which does not.
const options = [
  '--enable-source-maps',
  '--test-reporter=spec',
  '--test-concurrency=2',
  '--test-timeout=600000',
];
const args = ['--test', ...options, ...files];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
