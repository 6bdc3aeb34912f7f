import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BoundedText } from '../../src/transcript/bounded-text.js';

test('the end of a text is kept, in whole pieces, and it is said when something is gone', () => {
  const text = new BoundedText(11);
  text.add('one');
  text.add('two');
  text.add('six');
  assert.deepEqual([text.text, text.truncated], ['one two six', false]);
  text.add('four');
  assert.deepEqual([text.text, text.truncated], ['six four', true]);
});

test('however long it goes on, no more than the bound is kept', () => {
  const words = fc.array(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 200 });
  fc.assert(
    fc.property(words, fc.integer({ min: 12, max: 100 }), (said, most) => {
      const text = new BoundedText(most);
      for (const word of said) text.add(word);
      assert.ok(text.text.length <= most);
      const all = said.join(' ');
      assert.ok(all.endsWith(text.text));
      assert.equal(text.truncated, all.length > most);
    }),
    { seed: 16 },
  );
});
