/** Texts that are made once, in another thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MadeOnce } from '../../src/server/docs-thread.js';

/** Making a text takes until the test says how it ends. */
function makers(keeps: boolean) {
  const begun: { resolve(text: string): void; reject(error: Error): void }[] = [];
  const make = () => new Promise<string>((resolve, reject) => void begun.push({ resolve, reject }));
  return { begun, texts: new MadeOnce<{ name: string }>(make, keeps) };
}

test('a text is made once for all who ask while it is being made, and later', async () => {
  const { begun, texts } = makers(true);
  const early = [texts.get({ name: 'a' }), texts.get({ name: 'a' })];
  const other = texts.get({ name: 'b' });
  begun[0]?.resolve('A');
  begun[1]?.resolve('B');
  assert.deepEqual(await Promise.all([...early, other]), ['A', 'A', 'B']);
  assert.equal(await texts.get({ name: 'a' }), 'A');
  assert.equal(begun.length, 2);
});

test('a text that is not kept is made again', async () => {
  const { begun, texts } = makers(false);
  const first = texts.get({ name: 'a' });
  begun[0]?.resolve('old');
  assert.equal(await first, 'old');
  const second = texts.get({ name: 'a' });
  begun[1]?.resolve('new');
  assert.equal(await second, 'new');
});

test('a failure is told to those who asked, and not to the next', async () => {
  const { begun, texts } = makers(true);
  const first = texts.get({ name: 'a' });
  begun[0]?.reject(new Error('no memory'));
  await assert.rejects(first, /no memory/);
  const second = texts.get({ name: 'a' });
  begun[1]?.resolve('A');
  assert.equal(await second, 'A');
});
