/** SECURITY.md names a test for every threat: each of them is there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inPackage } from '../../src/paths.js';

const section =
  readFileSync(inPackage('SECURITY.md'), 'utf8').split('\n## Threats\n')[1]?.split('\n## ')[0] ?? '';
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '));
const threats = rows.filter(([first]) => first !== 'threat');

/** "`FILE`: "name", "name"; `FILE`: …" → [file, name] for each name */
const namedIn = (cell: string): [string, string][] =>
  cell.split('; `').flatMap((part) => {
    const file = part.replace(/^`/, '').split('`')[0] ?? '';
    return [...part.matchAll(/"([^"]+)"/g)].map(([, name = '']): [string, string] => [file, name]);
  });

test('the table of threats has three columns and no empty one', () => {
  assert.ok(threats.length >= 20);
  for (const row of rows)
    assert.deepEqual([row.length, row.every((cell) => cell.trim() !== '')], [3, true], row[0]);
});

for (const [threat, , cell = ''] of threats) {
  test(`"${threat}" is held by tests that exist`, () => {
    const named = namedIn(cell);
    assert.ok(named.length > 0);
    for (const [file, name] of named) {
      assert.ok(existsSync(inPackage(file)), file);
      const titles =
        readFileSync(inPackage(file), 'utf8').match(/(?<=\b(?:test|it)\(\s*)(['"`]).*?\1/g) ?? [];
      assert.ok(
        titles.some((title) => title.includes(name)),
        `${file}: ${name}`,
      );
    }
  });
}
