/** What the formatter and the linter cannot hold: how long a file is, and one way of writing what has two. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inPackage } from '../src/paths.js';
import { sourcesIn } from './helpers/sources.js';

const MOST_LINES = 300;
/** Files that only conduct what others do. */
const MOST_LINES_OF: Readonly<Record<string, number>> = { 'src/session/session.ts': 250 };

const sources = sourcesIn('src', 'machines', 'workers').map((path) => ({
  path,
  text: readFileSync(inPackage(path), 'utf8'),
}));

/** Fails with every line of the sources that the pattern finds. */
function nowhere(pattern: RegExp): void {
  const found = sources.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => `${path}: ${match[0].trim()}`),
  );
  assert.deepEqual(found, []);
}

test(`no file has more than ${MOST_LINES} lines, and a conductor not even as many`, () => {
  const paths = sources.map(({ path }) => path);
  assert.ok(sources.length > 50);
  for (const path of Object.keys(MOST_LINES_OF)) assert.ok(paths.includes(path), path);
  const long = sources.filter(
    ({ path, text }) => text.split('\n').length - 1 > (MOST_LINES_OF[path] ?? MOST_LINES),
  );
  assert.deepEqual(long.map(({ path }) => path), []); // biome-ignore format: short
});

test('private members are written with the keyword, not with #', () => {
  nowhere(/^ *(?:(?:async|static|readonly|get|set) )*#\w.*|\b\w+\.#\w.*/gm);
});

test('the formatter decides everywhere', () => {
  nowhere(/.*biome-ignore format.*/g);
});

test('a body without braces stands on the line of its condition', () => {
  nowhere(/^ *(?:\} )?(?:if|else if|for|while) \(.*\)$|^ *(?:\} )?else$/gm);
});

test('nothing rests on an underscore field of a library', () => {
  nowhere(/.*\w\._[a-z]\w*.*/g);
});
