/**
 * Prepares the working tree: installs from the lockfile if something is missing, and compiles if a source has changed.
 * Neither does anything on a second start. The workspace test/tools, needed only by tests, benchmarks and the linter,
 * is left out if only the server is needed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInstalled } from './installed.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const dist = join(root, 'dist');

/** @param {string} file */
const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null);

function run(command, args) {
  // npm is a .cmd file on Windows, which needs a shell. node is not, and a shell would split its path at the space.
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2], // standard output is for the command that is finally run
    shell,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {{ tools: boolean }} wanted `tools`: also what tests, benchmarks and the linter need. */
export function hasInstalled(wanted) {
  const lock = readJson(join(root, 'package-lock.json'));
  if (lock === null) return true; // a published package: its dependencies are installed with it
  // npm writes this file last, so everything it names is installed.
  return isInstalled(lock, readJson(join(modules, '.package-lock.json')), wanted);
}

/** @param {{ tools?: boolean }} [wanted] */
export function install({ tools = true } = {}) {
  if (hasInstalled({ tools })) return;
  // Installed tools are kept, since npm removes everything it is not asked for.
  const all = tools || existsSync(join(modules, 'rnnt-server-tools'));
  process.stderr.write('Installing dependencies …\n');
  // No scripts, even if the user's own settings allow them (.npmrc gives the reason).
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  run('npm', all ? args : [...args, '--workspaces=false']);
}

/** Newest change below a folder, so that an unchanged tree is not compiled. */
function newestSource(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (/\.(c?ts|js|json)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

const SERVER_SOURCES = ['src', 'workers', 'machines'];
/** Build targets: sources, compiler settings in order, and further steps. */
const TARGETS = {
  // The client's types first: the load generator uses the client library's code, and subtitles use the pages' code.
  server: {
    sources: [...SERVER_SOURCES, 'static'],
    projects: ['tsconfig.client.json', 'tsconfig.build.json'],
  },
  // Only the types of the client library: its JavaScript is served as it is.
  client: { sources: ['static'], projects: ['tsconfig.client.json'] },
  // The client's types first: the tests import it by its public name.
  tests: {
    includes: ['server', 'client'],
    sources: [...SERVER_SOURCES, 'benchmarks', 'test', 'static'],
    projects: ['tsconfig.client.json', 'tsconfig.json'],
  },
};

/** A file whose time says when a target was built. */
const stampOf = (target) => join(dist, `.built-${target}`);

/**
 * @param {keyof typeof TARGETS} target
 * @param {{ force?: boolean }} [options]
 */
export function build(target, { force = false } = {}) {
  const { sources, projects, includes = [] } = TARGETS[target];
  const settings = [...projects, 'tsconfig.json', 'package.json'].map(
    (file) => statSync(join(root, file)).mtimeMs,
  );
  const newest = Math.max(...settings, ...sources.map((folder) => newestSource(join(root, folder))));
  const stamp = stampOf(target);
  if (!force && existsSync(stamp) && statSync(stamp).mtimeMs >= newest) return;
  process.stderr.write('Building …\n');
  const tsc = join(modules, 'typescript', 'bin', 'tsc');
  for (const project of projects) run(process.execPath, [tsc, '-p', project]);
  mkdirSync(dist, { recursive: true });
  for (const built of [target, ...includes]) writeFileSync(stampOf(built), '');
}

/** For running the server. */
export function prepareServer() {
  install({ tools: false });
  build('server');
}

/** For everything else: tests, benchmarks, documents. */
export function prepare() {
  install();
  build('tests');
}
