/**
 * `node scripts/release.mjs 0.2.0`: prepares the tree for a release tag. The "Unreleased" section becomes that of the
 * version, dated today; package.json and the lockfile get its number. docs/RELEASING.md has the rest.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/**
 * The changelog with a section for the version, and an empty "Unreleased" above it.
 * @param {string} changelog
 * @param {string} version
 * @param {string} date YYYY-MM-DD
 * @returns {string}
 * @throws Error for a version that is none or was released already, or with nothing to release
 */
export function released(changelog, version, date) {
  if (!VERSION.test(version)) throw new Error(`"${version}" is not a version such as 1.2.3 or 1.2.3-rc.1`);
  if (changelog.includes(`\n## ${version} `)) throw new Error(`${version} already has a section`);
  const [, before, unreleased, after] =
    /^([\s\S]*?\n## Unreleased\n)([\s\S]*?)((?:\n## [\s\S]*)?)$/.exec(changelog) ?? [];
  if (unreleased === undefined) throw new Error('CHANGELOG.md has no section "Unreleased"');
  if (unreleased.trim() === '') throw new Error('There is nothing under "Unreleased"');
  return `${before}\n## ${version} - ${date}\n${unreleased.trimEnd()}\n${after}`;
}

function release(version) {
  const file = join(root, 'CHANGELOG.md');
  const changelog = released(readFileSync(file, 'utf8'), version, new Date().toISOString().slice(0, 10));
  const args = ['version', version, '--no-git-tag-version', '--allow-same-version'];
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm could not set the version');
  writeFileSync(file, changelog);
  process.stdout.write(
    `Ready. Look at the changes, then: git commit -am "Release ${version}" && git tag v${version}\n`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    release(process.argv[2] ?? '');
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
