/** A session that two servers had at once, since one of them did not hear of the other: both number their messages alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTold } from '../../src/session/told.js';
import { FakeFleet, turns } from '../helpers/fake-fleet.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import type { Message } from '../helpers/ws-client.js';

const SPEECH = [spoken(2 * CHUNK, [[0, 'one']]), marked(10 * CHUNK, []), spoken(2 * CHUNK, [[0, 'two']])];

test('what the other server has said under the same numbers is not said again, and nothing is left out', async () => {
  const fleet = new FakeFleet();
  const first = fleet.node();
  first.say({ type: 'start_recording', config: { silence_duration: 0.3 } });
  await turns();
  const token = first.socket.last('connection').resume_token ?? '';
  // A late copy of the client's request reaches the second server, which tells it what the clock asks for.
  const second = fleet.node();
  const claim = { seen: 2, told: parseTold('1.0'), has: 0 };
  const late = await fleet.take(second, token, claim);
  assert.ok(late !== null);
  for (let i = 0; i < 9; i++) late.session.sweep(performance.now() + 1_000 * i);
  // Meanwhile the first one recognises and has not heard of it.
  for (const sound of SPEECH) first.session.onFrame(bytesOf(sound));
  await first.engine.settle();
  const final = first.socket.last('transcription');
  assert.equal(final.text, 'one');
  // The client has less of it than the second server has said, by number.
  const heard = first.socket.messages.filter(({ seq }) => seq <= final.seq) as unknown as Message[];
  assert.ok(final.seq <= (late.transport.messages.at(-1)?.seq ?? 0), 'both servers have used the number');
  const position = { seen: final.seq, told: parseTold(eventsOf(heard)), has: 0 };
  assert.ok(late.session.contradicts(position));
  // It goes on from the second server's record, as at any other server.
  await late.session.handover.keep();
  const third = fleet.node();
  const again = await fleet.take(third, late.transport.last('resumed').resume_token, position);
  for (const sound of SPEECH) again?.session.onFrame(bytesOf(sound));
  await third.engine.settle();
  again?.session.onFrame(JSON.stringify({ type: 'stop_recording' }));
  await third.engine.settle();
  const finals = [final, ...(again?.transport.of('transcription') ?? [])];
  assert.deepEqual(
    finals.map(({ segment_id, text }) => [segment_id, text]),
    [[1, 'one'], [2, 'two']],
  ); // biome-ignore format: short
  assert.equal(again?.transport.messages[1]?.seq, final.seq + 1);
});
