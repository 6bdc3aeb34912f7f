/** The file of access keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineOf, newKey, parseKeys, sha256 } from '../../src/auth/key-file.js';
import { LIMITS } from '../../src/limits.js';

const HASH = sha256('some key').toString('hex');
const refusal = (text: string): string => {
  try {
    parseKeys(text);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    assert.equal(code, 'CONFIG_INVALID');
    return message;
  }
  return '';
};

test('a line that was printed is read as what it was printed from', () => {
  const limits = [
    { streams: 20, uploads: 2, perMinute: 120 },
    { streams: 0, uploads: 0, perMinute: 0 },
    { streams: 0, uploads: 1, perMinute: 0 },
  ];
  for (const bounds of limits) {
    const entry = { name: 'anna-1', hash: sha256(newKey()), ...bounds };
    assert.deepEqual(parseKeys(`# keys\n\n  ${lineOf(entry)}  \r\n`), [entry]);
  }
});

test('a new key is random, and fits into headers, addresses and subprotocols', () => {
  const keys = new Set(Array.from({ length: 100 }, newKey));
  assert.equal(keys.size, 100);
  for (const key of keys) assert.match(key, /^rnnt_[A-Za-z0-9_-]{43}$/);
});

const BAD: readonly (readonly [string, RegExp])[] = [
  ['anna', /line 1: the name must be followed/],
  ['anna sha256:abc', /line 1: the name must be followed/],
  [`anna md5:${HASH}`, /line 1: the name must be followed/],
  [`../anna sha256:${HASH}`, /line 1: the name/],
  [`auth-token sha256:${HASH}`, /line 1: the name/],
  [`anna sha256:${HASH} stream=3`, /line 1: limits must be given as streams=N/],
  [`anna sha256:${HASH} streams=-3`, /line 1: limits/],
  [`anna sha256:${HASH} streams=many`, /line 1: limits/],
  [
    `# one\nanna sha256:${HASH}\nanna sha256:${sha256('other').toString('hex')}`,
    /line 3: the name or the key/,
  ],
  [`anna sha256:${HASH}\nbert sha256:${HASH}`, /line 2: the name or the key/],
];
for (const [text, says] of BAD) {
  test(`"${text.slice(0, 30)}…" is refused with ${says.source}`, () => assert.match(refusal(text), says));
}

test('a refusal never repeats the line, which may hold the key itself', () => {
  const key = newKey();
  for (const line of [`anna ${key}`, key, `anna sha256:${HASH} ${key}`]) {
    assert.ok(refusal(line).includes('line 1'));
    assert.ok(!refusal(line).includes(key));
  }
});

test('the number of keys is bounded', () => {
  const line = (_: unknown, i: number) => `k${i} sha256:${sha256(String(i)).toString('hex')}`;
  assert.equal(parseKeys(Array.from({ length: LIMITS.maxKeys }, line).join('\n')).length, LIMITS.maxKeys);
  assert.match(refusal(Array.from({ length: LIMITS.maxKeys + 1 }, line).join('\n')), /more than 1000 keys/);
});
