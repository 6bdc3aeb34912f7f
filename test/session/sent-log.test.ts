import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import { SentLog, toldAt } from '../../src/session/sent-log.js';
import type { Kind, Told } from '../../src/session/told.js';

function logOf(...frames: string[]): SentLog {
  const log = new SentLog();
  for (const frame of frames) log.append(frame);
  return log;
}

test('tells what comes behind a number, and everything behind 0', () => {
  const log = logOf('a', 'b', 'c');
  assert.deepEqual([log.after(0), log.after(2), log.after(3), log.last], [['a', 'b', 'c'], ['c'], [], 3]);
});

test('cannot tell what was delivered, nor what was never said', () => {
  const log = logOf('a', 'b', 'c');
  log.delivered(2);
  assert.deepEqual([log.after(1), log.after(2), log.after(4)], [null, ['c'], null]);
});

test('a confirmation of what was never sent confirms what was', () => {
  const log = logOf('a');
  log.delivered(1_000);
  log.append('b');
  assert.deepEqual([log.after(1), log.last], [['b'], 2]);
});

test('forgets the oldest beyond its bounds, in bytes and in number', () => {
  const log = new SentLog();
  const half = 'x'.repeat(LIMITS.maxSentLogBytes / 2);
  for (let i = 0; i < 3; i++) log.append(half);
  assert.deepEqual([log.oldest, log.size], [1, LIMITS.maxSentLogBytes]);
  for (let i = 0; i < LIMITS.maxSentLogFrames + 5; i++) log.append('');
  assert.equal(log.last - log.oldest, LIMITS.maxSentLogFrames);
});

test('whatever is confirmed in between, what is told again has no gap', () => {
  const step = fc.oneof(fc.constant('say' as const), fc.nat(40));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, seen) => {
      const log = new SentLog();
      let said = 0;
      let confirmed = 0;
      for (const each of steps) {
        if (each === 'say') log.append(String(++said));
        else {
          log.delivered(each);
          confirmed = Math.max(confirmed, Math.min(each, said));
        }
      }
      const told = log.after(seen);
      assert.equal(told === null, seen < confirmed || seen > said);
      assert.deepEqual(
        told ?? [],
        told === null ? [] : Array.from({ length: said - seen }, (_, i) => String(seen + i + 1)),
      );
      assert.equal(log.last, said);
    }),
  );
});

test('a client that confirms half a frame has confirmed those before it', () => {
  const log = new SentLog();
  for (const frame of ['a', 'b', 'c']) log.append(frame);
  log.delivered(1.5);
  assert.deepEqual(log.after(1), ['b', 'c']);
  log.delivered(Number.NEGATIVE_INFINITY);
  assert.deepEqual([log.after(0), log.oldest], [null, 1]);
});

/** By hand: what a client has been told with these messages. */
function counted(kinds: readonly Kind[]): Told {
  const session = kinds.slice(kinds.lastIndexOf('o') + 1);
  const since = session.slice(session.lastIndexOf('p') + 1);
  const of = (...these: Kind[]) => since.filter((each) => these.includes(each)).length;
  return { phase: session.filter((each) => each === 'p').length, events: [of('0', 'e'), of('1')] };
}

test('whatever is confirmed or kept elsewhere: what was told with each message is known, and nothing else', () => {
  const kinds = fc.array(fc.constantFrom<Kind>('-', 'o', 'p', '0', '1', 'e'), { maxLength: 40 });
  fc.assert(
    fc.property(kinds, fc.nat(50), fc.nat(50), fc.boolean(), (said, confirmed, seen, moves) => {
      const log = new SentLog();
      for (const kind of said) log.append('x', kind);
      log.delivered(confirmed);
      const own = moves ? new SentLog() : log;
      if (moves) own.restore(log.save());
      const isKnown = seen >= Math.min(confirmed, said.length) && seen <= said.length;
      assert.deepEqual(toldAt(own.save(), seen), isKnown ? counted(said.slice(0, seen)) : null);
    }),
    { seed: 1 },
  );
});

test('an error that a client has not counted, since it may have closed the connection, contradicts nothing', () => {
  const log = new SentLog();
  for (const kind of ['p', '0', 'e', '-'] as const) log.append('x', kind);
  const at = (seen: number, first: number) => log.agrees({ seen, told: { phase: 1, events: [first, 0] } });
  assert.deepEqual([at(3, 2), at(3, 1), at(2, 0), at(4, 1), at(3, 3)], [true, true, false, false, false]);
});
