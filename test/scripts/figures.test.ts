/** The blocks of figures of docs/RELIABILITY.md: what a run has measured is in them, and they have their places. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inPackage } from '../../src/paths.js';

interface Blocks {
  faultsBlock(run: object): string;
  overloadBlock(run: object): string;
}
const blocks = (await import(pathToFileURL(inPackage('scripts', 'figures-faults.mjs')).href)) as Blocks;
const where = {
  made: '2026-11-26T03:00:00.000Z',
  machine: { cores: 2, cpu: 'A processor', node: 'v20.9.0' },
  note: 'with other work',
};
const document = readFileSync(inPackage('docs', 'RELIABILITY.md'), 'utf8');

for (const name of ['faults', 'overload', 'fleet', 'fleet-cost'])
  test(`${name}: the document has one place for it`, () => {
    const places = document.match(
      new RegExp(`<!-- figures: ${name} -->\\n[^]*?\\n<!-- end figures -->`, 'g'),
    );
    assert.equal(places?.length, 1);
  });

test('each injected fault is a row: what survived, words, lost ones, times; and the command is there', () => {
  const rows = [
    { injected: 'a step throws', survived: 'the lane restarts', recovered_ms: 901, longest_silence_ms: 950 },
    { injected: 'a full disk', survived: 'lines wait', recovered_ms: null, longest_silence_ms: 1_700 },
  ].map((row) => ({ ...row, words: 113, words_lost_or_changed: 0 }));
  const text = blocks.faultsBlock({ ...where, speakers: 12, undisturbed_silence_ms: 1_650, rows });
  assert.match(text, /^\| a step throws \| the lane restarts \| 113 \| 0 \| 901 \| 950 \|$/m);
  assert.match(text, /^\| a full disk \| lines wait \| 113 \| 0 \| – \| 1700 \|$/m);
  assert.match(text, /1650 ms/);
  assert.match(text, /`npm run faults -- lanes --streams 12`, 2026-11-26, 2 cores \(A processor\)/);
});

test('the refusals of an overload are in its block, and how many of them came in time', () => {
  const times = { p50: 2, p95: 26, p99: 48, max: 71 };
  const run = {
    ...where,
    admitted: 64,
    seconds: 20,
    retry_ms: 1_000,
    refused: 9_000,
    refused_ms: times,
    different: 0,
  };
  const more = { refused_in_time_percent: 99.4, chunk_ms: { p50: 50, p95: 90, p99: 120 } };
  const rated = blocks.overloadBlock({ ...run, ...more, rated: true });
  assert.match(rated, /\| 9000: 2 ms p50, 26 ms p95, 48 ms p99, 71 ms at most \|/);
  assert.match(
    rated,
    /64 speakers on its rated number of streams, and as many others who try every 1000 ms, for 20 s/,
  );
  assert.match(rated, /\*\*99\.4 %\*\*/);
  assert.match(rated, /\*\*90 ms\*\* p95/);
  assert.match(rated, /\*\*0\*\* of 64/);
  assert.match(rated, /`npm run faults -- overload --seconds 20`/);
  assert.match(
    blocks.overloadBlock({ ...run, ...more, rated: false }),
    /overload --streams 64 --seconds 20`/,
  );
});
