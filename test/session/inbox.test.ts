import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import type { Dialect, Frame, Input, InputHandlers } from '../../src/protocol/dialect.js';
import { Inbox } from '../../src/session/inbox.js';

/** Reads `a b c` as three pings, `!` as something that cannot be read, bytes as audio. */
const dialect = {
  policy: { maxTextChars: 100, textFramesPerSecond: 1, textFrameBurst: 1_000 },
  parse(frame: Frame): Input[] {
    if (typeof frame !== 'string') return [{ type: 'audio', bytes: frame }];
    if (frame === '!') throw new Error('unreadable');
    return frame.split(' ').map((text): Input => ({ type: 'ping', text }));
  },
} as unknown as Dialect;

function opened(on: (text: string, inbox: Inbox) => void = () => {}, spoken = dialect) {
  const taken: string[] = [];
  const ping = ({ text = '' }: { text?: string }) => {
    taken.push(text);
    on(text, inbox);
  };
  const audio = ({ bytes }: { bytes: Uint8Array }) => void taken.push(`${bytes.length} bytes`);
  const handlers = { ping, audio } as unknown as InputHandlers;
  const inbox: Inbox = new Inbox(spoken, handlers, (error) => {
    taken.push(error instanceof Error && 'code' in error ? String(error.code) : String(error));
  });
  return { inbox, taken };
}

test('frames are taken in the order of their arrival, mistakes among them', () => {
  const { inbox, taken } = opened();
  for (const frame of ['a b', new Uint8Array(3), '!', 'c']) inbox.push(frame);
  assert.deepEqual(taken, ['a', 'b', '3 bytes', 'Error: unreadable', 'c']);
});

test('while it is held nothing is taken, and what an input holds back is taken after it', () => {
  const { inbox, taken } = opened((text, it) => text === 'stop' && it.hold());
  for (const frame of ['a stop b', '!', 'c']) inbox.push(frame);
  assert.deepEqual(taken, ['a', 'stop']);
  inbox.release();
  assert.deepEqual(taken, ['a', 'stop', 'b', 'Error: unreadable', 'c']);
});

test('an input that is put back comes before all that waits', () => {
  let first = true;
  const { inbox, taken } = opened((text, it) => {
    if (text !== 'close' || !first) return;
    first = false;
    it.again({ type: 'ping', text });
    it.hold();
  });
  for (const frame of ['close b', 'c']) inbox.push(frame);
  inbox.release();
  assert.deepEqual(taken, ['close', 'close', 'b', 'c']);
});

test('a frame that waits is a copy: its memory may be used again', () => {
  const seen: Uint8Array[] = [];
  const handlers = {
    audio: ({ bytes }: { bytes: Uint8Array }) => void seen.push(bytes),
  } as unknown as InputHandlers;
  const inbox = new Inbox(dialect, handlers, () => {});
  const frame = Buffer.from([1, 2, 3]);
  inbox.hold();
  inbox.push(frame);
  frame.fill(0);
  inbox.release();
  assert.deepEqual([...(seen[0] ?? [])], [1, 2, 3]);
});

test('a handler that throws is told, and the rest of its frame is taken', () => {
  const { inbox, taken } = opened((text) => {
    if (text === 'bad') throw new Error('no');
  });
  inbox.push('bad b');
  assert.deepEqual(taken, ['bad', 'Error: no', 'b']);
});

test('after its close nothing is taken any more', () => {
  const { inbox, taken } = opened();
  inbox.hold();
  inbox.push('a');
  inbox.close();
  inbox.push('b');
  assert.deepEqual(taken, []);
});

test('whoever goes on sending while it is held is refused at a bound', () => {
  const { inbox, taken } = opened();
  inbox.hold();
  const frame = new Uint8Array(LIMITS.maxFrameBytes);
  for (let bytes = 0; bytes < LIMITS.maxInboxBytes; bytes += frame.length) inbox.push(frame);
  assert.deepEqual(taken, []);
  inbox.push(frame);
  assert.deepEqual(taken, ['MESSAGE_TOO_LARGE']);
  const many = opened();
  many.inbox.hold();
  for (let i = 0; i <= LIMITS.maxInboxFrames; i++) many.inbox.push(new Uint8Array(1));
  assert.deepEqual(many.taken, ['MESSAGE_TOO_LARGE']);
});

test('text frames are counted before anybody reads them, and bounded in length by the dialect', () => {
  const strict = { ...dialect, policy: { ...dialect.policy, textFrameBurst: 3 } };
  const { inbox, taken } = opened(undefined, strict);
  for (const frame of ['!', '!', 'x'.repeat(101), 'a']) inbox.push(frame);
  assert.deepEqual(taken, ['Error: unreadable', 'Error: unreadable', 'MESSAGE_TOO_LARGE', 'RATE_LIMITED']);
});

test('however frames, holds and releases fall, everything is taken once and in order', () => {
  const step = fc.constantFrom('frame', 'hold', 'release');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      // Every third input holds the inbox by itself.
      const { inbox, taken } = opened((text, it) => Number(text) % 3 === 0 && it.hold());
      let sent = 0;
      for (const it of steps) {
        if (it === 'frame') inbox.push(`${sent++} ${sent++}`);
        else if (it === 'hold') inbox.hold();
        else inbox.release();
      }
      for (let i = 0; i <= sent; i++) inbox.release();
      assert.deepEqual(
        taken,
        Array.from({ length: sent }, (_, i) => String(i)),
      );
    }),
    { seed: 14 },
  );
});
