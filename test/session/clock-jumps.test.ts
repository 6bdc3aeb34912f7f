/**
 * The clock of the day is set back or forward, by an administrator or the network's time: nothing that the server waits for rests
 * on it. What does is a client token, whose expiry is agreed among servers as a time of the day.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { RateLimiter } from '../../src/rate-limiter.js';
import { bytesOf, CHUNK, marked } from '../helpers/fake-model.js';
import { type FakeSession, openFakeSession } from '../helpers/fake-session.js';
import { FakeTransport } from '../helpers/fake-transport.js';

const NOW = Date.now();
const DAY_MS = 86_400_000;
const WINDOW_MS = 30_000;
const JUMPS = [
  ['a day forward', NOW + DAY_MS],
  ['a day back', NOW - DAY_MS],
] as const;

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.reset());

/** The clock jumps; time does not pass. */
const jumpTo = (ms: number): void => void mock.method(Date, 'now', () => ms);

function recording(): FakeSession {
  const fake = openFakeSession({ query: '?resumable=1', resumeWindowMs: WINDOW_MS });
  fake.say({ type: 'start_recording' });
  return fake;
}

function back({ session, socket }: FakeSession): boolean {
  const [first] = socket.messages;
  const token = first?.type === 'connection' ? (first.resume_token ?? '') : '';
  return session.resume({ transport: new FakeTransport(), remote: '', token, seen: 0 });
}

for (const [jump, to] of JUMPS) {
  test(`a clock that jumps ${jump} ends no session, and its client is told the same words and times`, async () => {
    const told = async (jumps: boolean) => {
      const fake = recording();
      fake.speak(4 * CHUNK, [[0, 'one']]);
      await fake.engine.settle();
      if (jumps) jumpTo(to);
      fake.session.sweep(performance.now());
      fake.speak(4 * CHUNK, [[0, 'two']]);
      fake.say({ type: 'stop_recording' });
      await fake.engine.settle();
      return fake.socket.messages
        .filter(({ type }) => type === 'transcription' || type === 'recording_stopped')
        .map((message) => ({ ...message, timestamp: '', processing_time_ms: 0 }));
    };
    const undisturbed = await told(false);
    assert.ok(undisturbed.length > 1);
    assert.deepEqual(await told(true), undisturbed);
  });

  test(`a client that was cut off before the clock jumped ${jump} may come back within the window`, () => {
    const fake = recording();
    fake.session.onSocketClosed();
    mock.timers.tick(WINDOW_MS / 2);
    jumpTo(to);
    assert.ok(back(fake));
  });

  test(`audio that comes after the clock jumped ${jump} counts as the voice that it is`, () => {
    const fake = recording();
    const slot = fake.engine.table.slots[0]!;
    fake.session.onFrame(bytesOf(marked(CHUNK, [])));
    jumpTo(to);
    fake.session.onFrame(bytesOf(marked(CHUNK, [])));
    assert.deepEqual([slot.priority, slot.written], ['live', 2 * CHUNK]);
  });
}

test('the window of a client that was cut off ends when its time is over, though the clock was set back', () => {
  const fake = recording();
  fake.session.onSocketClosed();
  jumpTo(NOW - DAY_MS);
  mock.timers.tick(WINDOW_MS + 1);
  assert.deepEqual([back(fake), fake.session.activity], [false, 'closed']);
});

test('a limit of rate neither opens nor closes when the clock jumps', () => {
  const limiter = new RateLimiter(1, 3);
  while (limiter.take());
  jumpTo(NOW + DAY_MS);
  assert.equal(limiter.take(), false, 'no day has passed');
  const other = new RateLimiter(1_000, 3);
  jumpTo(NOW - DAY_MS);
  assert.equal(other.take(), true);
});
