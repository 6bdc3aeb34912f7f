import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import type { TranscriptionMessage } from '../../src/protocol/types.js';
import { Outbox } from '../../src/session/outbox.js';
import { FakeTransport } from '../helpers/fake-transport.js';

const partial = (text: string): string => JSON.stringify({ type: 'partial', segment_id: 1, text });
const final = (text: string, segment_id = 1): TranscriptionMessage => ({
  type: 'transcription', segment_id, text, is_final: true, start: 0, duration: 0, confidence: 0, reason: 'silence',
  processing_time_ms: 0, timestamp: '',
}); // biome-ignore format: a message

function outbox() {
  const socket = new FakeTransport();
  const overflows: string[] = [];
  return { socket, overflows, box: new Outbox(socket, () => void overflows.push('overflow')) };
}

const texts = (socket: FakeTransport) =>
  socket.messages.map((message) => ('text' in message ? message.text : message.type));

test('a client that keeps up gets every partial', () => {
  const { socket, box } = outbox();
  for (const text of ['a', 'a b', 'a b c']) box.sendPartial(partial(text));
  assert.deepEqual(texts(socket), ['a', 'a b', 'a b c']);
  assert.equal(box.droppedPartials, 0);
});

test('while the buffer is full only the newest partial is kept', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  for (const text of ['a', 'a b', 'a b c']) box.sendPartial(partial(text));
  assert.deepEqual(texts(socket), []);
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['a b c']);
  assert.equal(box.droppedPartials, 2);
});

test('a held partial goes out before the next message of another kind', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  box.sendPartial(partial('a'));
  socket.bufferedAmount = 0;
  box.send({ type: 'ack', received_samples: 1 });
  assert.deepEqual(texts(socket), ['a', 'ack']);
});

test('a final says all that a held partial said', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  box.sendPartial(partial('a'));
  box.send(final('a b'));
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['a b']);
});

test('past the hard bound the session is told, each time', () => {
  const { socket, box, overflows } = outbox();
  socket.bufferedAmount = LIMITS.outboxHardBytes;
  box.send(final('a'));
  assert.deepEqual(overflows, []);
  socket.bufferedAmount++;
  box.send(final('b'));
  assert.equal(overflows.length, 1);
});

test('nothing is sent after the socket is gone', () => {
  const { socket, box } = outbox();
  box.detach();
  box.send(final('a'));
  box.sendPartial(partial('a'));
  box.sendHeld();
  assert.deepEqual(socket.messages, []);
});

test('whatever the buffer does: finals all in order, seq without gaps, no partial older than one that was sent', () => {
  const step = fc.record({
    op: fc.constantFrom('partial', 'partial', 'final', 'held'),
    full: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { socket, box } = outbox();
      let n = 0;
      const finals: string[] = [];
      for (const { op, full } of steps) {
        socket.bufferedAmount = full ? LIMITS.outboxSoftBytes + 1 : 0;
        n++;
        if (op === 'partial') box.sendPartial(partial(`${n}`));
        if (op === 'held') box.sendHeld();
        if (op === 'final') {
          finals.push(`${n}`);
          box.send(final(`${n}`));
        }
      }
      assert.deepEqual(socket.of('transcription').map((message) => message.text), finals); // biome-ignore format: short
      assert.deepEqual(socket.messages.map((message) => message.seq), socket.messages.map((_, i) => i + 1)); // biome-ignore format: short
      const order = texts(socket).map(Number);
      assert.deepEqual(order, [...order].sort((a, b) => a - b)); // biome-ignore format: short
    }),
    { seed: 13 },
  );
});
