import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inPackage } from '../../src/paths.js';

const { released } = (await import(pathToFileURL(inPackage('scripts', 'release.mjs')).href)) as {
  released(changelog: string, version: string, date: string): string;
};

const changelog =
  '# Changelog\n\n## Unreleased\n\n### Added\n\n- One.\n\n## 0.1.0 - 2026-01-01\n\n- First.\n';

test('a release dates what was not released, and leaves an empty place for what comes next', () => {
  assert.equal(
    released(changelog, '0.2.0', '2026-02-03'),
    '# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-02-03\n\n### Added\n\n- One.\n\n## 0.1.0 - 2026-01-01\n\n- First.\n',
  );
});

test('the first release needs no earlier one', () => {
  const first = '# Changelog\n\n## Unreleased\n\n- One.\n';
  assert.equal(
    released(first, '0.1.0', '2026-02-03'),
    '# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-02-03\n\n- One.\n',
  );
});

test('nothing is released twice, without changes or under a name that is not a version', () => {
  assert.throws(() => released(changelog, '0.1.0', '2026-02-03'), /0\.1\.0 already has a section/);
  const empty = released(changelog, '0.2.0', '2026-02-03');
  assert.throws(() => released(empty, '0.3.0', '2026-02-04'), /nothing under "Unreleased"/);
  for (const version of ['', 'v0.2.0', '0.2', 'next'])
    assert.throws(() => released(changelog, version, '2026-02-03'), /is not a version/);
  assert.throws(() => released('# Changelog\n', '0.2.0', '2026-02-03'), /no section "Unreleased"/);
});

test('this tree can be released: one number everywhere, and a changelog that a release can date', () => {
  const read = (path: string) => readFileSync(inPackage(path), 'utf8');
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, { version: string }>;
  };
  assert.deepEqual([lock.version, lock.packages['']?.version], [version, version]);
  const sections = [...read('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.equal(sections[0], 'Unreleased');
  for (const title of sections.slice(1))
    assert.match(title ?? '', /^\d+\.\d+\.\d+(-[\w.]+)? - \d{4}-\d\d-\d\d$/);
});
