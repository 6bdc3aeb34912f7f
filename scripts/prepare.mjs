/**
 * Makes the working tree ready to run: installs from the lockfile when it changed, compiles when a source changed.
 * Both are no-ops on a second start. Used by start, dev, demo and test.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const dist = join(root, 'dist');
const SOURCES = ['src', 'workers', 'machines', 'benchmarks', 'test', 'static'];

const hashOf = (...files) => {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
};
const stampIs = (file, value) => existsSync(file) && readFileSync(file, 'utf8') === value;

function run(command, args, env = {}) {
  // npm is a .cmd file on Windows, which needs a shell; node is none, and its path has a space that a shell would cut.
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2], // standard output belongs to the command that is run in the end
    env: { ...process.env, ...env },
    shell,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function install() {
  const stamp = join(modules, '.rnnt-server-lock');
  const wanted = hashOf('package-lock.json', 'package.json');
  if (stampIs(stamp, wanted)) return;
  process.stderr.write('Installing dependencies …\n');
  // The CUDA libraries that onnxruntime-node would download are opted into by hand (docs/DEPLOYMENT.md).
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
  writeFileSync(stamp, wanted);
}

/** Newest change below the source folders, so that an unchanged tree starts without a compiler. */
function newestSource(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (/\.(ts|js|json)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

export function build({ force = false } = {}) {
  const stamp = join(dist, '.built');
  const configs = ['tsconfig.json', 'tsconfig.client.json', 'package.json'].map(
    (file) => statSync(join(root, file)).mtimeMs,
  );
  const newest = Math.max(...configs, ...SOURCES.map((folder) => newestSource(join(root, folder))));
  if (!force && existsSync(stamp) && statSync(stamp).mtimeMs >= newest) return;
  process.stderr.write('Building …\n');
  const tsc = join(modules, 'typescript', 'bin', 'tsc');
  // The client's types first: the tests import it by the name that its users do.
  run(process.execPath, [tsc, '-p', 'tsconfig.client.json']);
  run(process.execPath, [tsc, '-p', 'tsconfig.json']);
  mkdirSync(dist, { recursive: true });
  writeFileSync(stamp, '');
}

export function prepare() {
  install();
  build();
}
