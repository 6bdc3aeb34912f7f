import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import type {
  DialectDefinition,
  PartialEvent,
  SegmentEvent,
  StoppedEvent,
} from '../../src/protocol/dialect.js';
import { native } from '../../src/protocol/dialects/native.js';
import { Outbox } from '../../src/session/outbox.js';
import { joinWords, type Word } from '../../src/transcript/words.js';
import { fakeManifest } from '../helpers/fake-model.js';
import { FakeTransport } from '../helpers/fake-transport.js';
import { recordingConfig } from '../helpers/recording-config.js';

/** An event that says a text. */
const partial = (text: string): PartialEvent => ({
  type: 'partial',
  channel: 0,
  segmentId: 1,
  words: [wordOf(text)],
  stableWords: 0,
  audioEndSamples: 0,
  processingMs: 0,
  withWords: true,
});
const final = (text: string): SegmentEvent => ({
  type: 'segment',
  channel: 0,
  segment: { id: 1, words: [wordOf(text)], reason: 'silence' },
  audioEndSamples: 0,
  processingMs: 0,
  withWords: true,
});
const wordOf = (text: string): Word => ({ text, startSamples: 0, endSamples: 0, tokens: 1, logpSum: 0 });
const stopped: StoppedEvent = { type: 'stopped', text: '', truncated: false, segments: 0, samples: 0 };

function outbox(dialect: DialectDefinition = native, query = '') {
  const socket = new FakeTransport();
  const overflows: string[] = [];
  const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes: true };
  const spoken = dialect.create({ url: new URL(`ws://localhost/${query}`), headers: {} }, host);
  const overflow = () => void overflows.push('overflow');
  const broken = (error: unknown) => void overflows.push(String(error));
  return { socket, overflows, box: new Outbox(socket, spoken, overflow, broken) };
}

const texts = (socket: FakeTransport) =>
  socket.messages.map((message) => ('text' in message ? message.text : message.type));

test('a client that keeps up gets every partial', () => {
  const { socket, box } = outbox();
  for (const text of ['a', 'a b', 'a b c']) box.tell(partial(text));
  assert.deepEqual(texts(socket), ['a', 'a b', 'a b c']);
  assert.equal(box.droppedPartials, 0);
});

test('while the buffer is full only the newest partial is kept', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  for (const text of ['a', 'a b', 'a b c']) box.tell(partial(text));
  assert.deepEqual(texts(socket), []);
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['a b c']);
  assert.equal(box.droppedPartials, 2);
});

test('a held partial goes out before the next message of another kind', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  box.tell(partial('a'));
  socket.bufferedAmount = 0;
  box.tell({ type: 'ack', receivedSamples: 1 });
  assert.deepEqual(texts(socket), ['a', 'ack']);
});

test('a final says all that a held partial said', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  box.tell(partial('a'));
  box.tell(final('a b'));
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['a b']);
});

test('no partial comes after recording_stopped, however late the client reads', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  box.tell(partial('a'));
  box.tell(stopped);
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['recording_stopped']);
});

test('what is held is as it was said, whatever became of its words meanwhile', () => {
  const { socket, box } = outbox();
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  const event = partial('a');
  box.tell(event);
  event.words[0]!.text = 'b';
  socket.bufferedAmount = 0;
  box.sendHeld();
  assert.deepEqual(texts(socket), ['a']);
});

test('a dialect that only notes partials is told each of them at once', () => {
  const noted: string[] = [];
  const { socket, box } = outbox({
    ...native,
    create: (request, host) => {
      const spoken = native.create(request, host);
      return {
        ...spoken,
        policy: { ...spoken.policy, coalescesPartials: false },
        parse: () => [],
        closeCode: () => 1000,
        render: (event) => {
          if (event.type === 'partial') noted.push(joinWords(event.words));
          return [];
        },
      };
    },
  });
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  for (const text of ['a', 'a b']) box.tell(partial(text));
  assert.deepEqual([noted, socket.messages], [['a', 'a b'], []]);
});

test('past the hard bound the session is told, each time', () => {
  const { socket, box, overflows } = outbox();
  socket.bufferedAmount = LIMITS.outboxHardBytes;
  box.tell(final('a'));
  assert.deepEqual(overflows, []);
  socket.bufferedAmount++;
  box.tell(final('b'));
  assert.equal(overflows.length, 1);
});

test('nothing is sent after the socket is gone', () => {
  const { socket, box } = outbox();
  box.detach();
  box.tell(final('a'));
  box.tell(partial('a'));
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
        if (op === 'partial') box.tell(partial(`${n}`));
        if (op === 'held') box.sendHeld();
        if (op === 'final') {
          finals.push(`${n}`);
          box.tell(final(`${n}`));
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

test('a client that was told something else under the same numbers is noticed, and one that was told the same is not', () => {
  const { box } = outbox(native, '?resumable=1');
  const told = (phase: number, first: number) => ({ phase, events: [first, 0] });
  box.tell({ type: 'started', config: recordingConfig() });
  box.tell(partial('one'));
  box.tell(final('one'));
  const claims = [
    [{ seen: 3, told: told(1, 1) }, false],
    [{ seen: 2, told: told(1, 0) }, false],
    [{ seen: 2, told: told(1, 1) }, true], // another server said the final with the second message
    [{ seen: 3, told: told(2, 0) }, true],
    [{ seen: 4, told: told(1, 1) }, true],
    [{ seen: 3, told: null }, false],
    [{ seen: null, told: told(1, 7) }, false],
  ] as const;
  for (const [claim, expected] of claims)
    assert.equal(box.contradicts(claim), expected, JSON.stringify(claim));
  box.delivered(3);
  assert.equal(box.contradicts({ seen: 3, told: told(1, 0) }), true, 'also of what is forgotten');
});

test('a session that begins with the reason why it is a fresh one agrees with its client', () => {
  const { box } = outbox(native, '?resumable=1');
  box.tell({ type: 'error', code: 'RESUME_EXPIRED', fatal: false });
  box.tell({ type: 'opened', sessionId: 'a', clientId: 'b', resumeToken: 'c' });
  assert.equal(box.contradicts({ seen: 2, told: { phase: 0, events: [0, 0] } }), false);
});
