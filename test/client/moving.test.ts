/** What the client library says when it comes for its session, and how it moves to another server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seen } from '#static/client/seen.js';
import { RATE, ramp, setUp, speak } from '../helpers/client-rig.js';

/** The parameters of the newest attempt. */
const asked = (attempts: readonly string[]): URLSearchParams => new URL(attempts.at(-1) ?? '').searchParams;

test('what follows from the client’s own audio and messages is counted by recording and channel', () => {
  const seen = new Seen(1);
  const messages = [
    { type: 'recording_started' },
    { type: 'partial' },
    { type: 'speech_started', channel: 1 },
    { type: 'ack' },
    { type: 'transcription', channel: 0 },
    { type: 'pong' },
    { type: 'metrics' },
    { type: 'configured' },
    { type: 'warning' },
    { type: 'moving' },
  ];
  messages.forEach((message, i) => void seen.take({ ...message, seq: i + 2 }));
  assert.deepEqual(seen.query, { last_seq: '11', events: '1.3.1' });
  seen.take({ type: 'recording_stopped', seq: 12 });
  assert.deepEqual(seen.query, { last_seq: '12', events: '2.0.0' });
});

test('a message that is told again counts once', () => {
  const seen = new Seen(1);
  assert.equal(seen.take({ type: 'transcription', seq: 2 }), true);
  assert.equal(seen.take({ type: 'transcription', seq: 2 }), false);
  assert.deepEqual(seen.query, { last_seq: '2', events: '0.1.0' });
});

test('an error that ends the connection does not count: the server would not tell it again', () => {
  const seen = new Seen(1);
  for (const [i, type] of ['transcription', 'error', 'error'].entries()) seen.take({ type, seq: i + 2 });
  seen.uncountError();
  seen.uncountError();
  assert.deepEqual(seen.query, { last_seq: '4', events: '0.2.0' });
  seen.take({ type: 'transcription', seq: 5 });
  seen.uncountError();
  assert.deepEqual(seen.query, { last_seq: '5', events: '0.3.0' });
});

test('it says how much it has seen, and from where it can send again', async () => {
  const t = setUp();
  await t.client.start();
  await speak(t, 0, 3.5);
  t.server.drop();
  await t.clock.advance(1_000);
  const query = asked(t.network.attempts);
  const { segments } = await t.client.stop();
  const finals = segments.filter(({ reason }) => reason === 'silence').length;
  assert.ok(finals > 0);
  assert.equal(query.get('events'), `1.${finals}.0`);
  const end = segments[finals - 1]?.end ?? 0;
  const from = Number(query.get('from'));
  assert.ok(from > 0 && from <= end * RATE, `${from} samples, the last final ends at ${end} s`);
});

test('1001 means to move: it comes back at once, and nothing is lost, doubled or retimed', async () => {
  const t = setUp();
  await t.client.start();
  await speak(t, 0, 6);
  t.server.drop(1001, 'DRAINING');
  assert.equal(t.network.attempts.length, 1);
  await t.clock.advance(0);
  assert.equal(t.network.attempts.length, 2);
  await speak(t, 6, 7);
  const result = await t.client.stop();
  assert.equal(result.droppedSeconds, 0);
  assert.equal(result.transcript, 'one two three four five');
  assert.deepEqual(t.server.heard('session-1'), Buffer.from(ramp(7).buffer));
});

test('a server that is still draining does not hold a session up for as long as it asks new ones to wait', async () => {
  const refusal = { code: 'DRAINING', error: 'The server is draining.', retryable: true };
  const t = setUp(
    {},
    {
      fetch: async () =>
        new Response(JSON.stringify(refusal), { status: 503, headers: { 'retry-after': '5' } }),
    },
  );
  await t.client.start();
  await speak(t, 0, 6);
  t.network.refuse = true;
  t.server.drop(1001, 'DRAINING');
  await t.clock.advance(500);
  t.network.refuse = false;
  await t.clock.advance(2_000);
  assert.equal(t.client.state, 'live');
  const result = await t.client.stop();
  assert.equal(result.transcript, 'one two three four five');
});
