/** A session whose server dies goes on at another one: two servers, a store in memory, scripted engines. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { startFleet } from '../helpers/two-nodes.js';
import { type Message, TestClient } from '../helpers/ws-client.js';

type Fleet = Awaited<ReturnType<typeof startFleet>>;
let at: Fleet;
before(async () => {
  at = await startFleet();
});
after(() => at.stop());

const COUNTED = new Set([
  'transcription',
  'speech_started',
  'speech_ended',
  'configured',
  'warning',
  'error',
]);

/** What a client says of the messages that it has, as docs/WEBSOCKET_API.md has it. */
function seenBy(received: readonly Message[]): string {
  let phase = 0;
  let events: number[] = [0, 0];
  for (const { type, channel = 0 } of received) {
    if (type === 'connection') phase = 0;
    if (type === 'recording_started' || type === 'recording_stopped') phase++;
    if (/^(connection|recording_started|recording_stopped)$/.test(type)) events = [0, 0];
    else if (COUNTED.has(type)) events[channel] = (events[channel] ?? 0) + 1;
  }
  const last = received.filter(({ type }) => type !== 'resumed').at(-1)?.seq ?? 0;
  return `&last_seq=${last}&events=${phase}.${events.join('.')}`;
}

const tokenOf = (received: readonly Message[]): string =>
  received.filter(({ resume_token }) => resume_token !== undefined).at(-1)?.resume_token;

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('a recording goes on at another server: words, ids and times are those of an undisturbed one', async () => {
  const client = await TestClient.recording(`${at.a.ws}&client_id=anna`);
  await client.audio(bytesOf(spoken(CHUNK * 3, [[0, 'one']])));
  await client.audio(bytesOf(marked(CHUNK * 10, [])));
  await client.until('transcription');
  await client.until('ack');
  await client.audio(bytesOf(spoken(CHUNK * 2, [[0, 'two']])));
  await client.until('partial');
  at.a.kill();
  await client.closed();
  const again = new TestClient(`${at.b.ws}&resume=${tokenOf(client.received)}${seenBy(client.received)}`);
  const first = await again.first();
  assert.equal(first.type, 'resumed', JSON.stringify(first));
  assert.equal(first.state, 'recording');
  const all = [
    bytesOf(spoken(CHUNK * 3, [[0, 'one']])),
    bytesOf(marked(CHUNK * 10, [])),
    bytesOf(spoken(CHUNK * 2, [[0, 'two']])),
  ];
  await again.audio(Buffer.concat(all).subarray(2 * first.received_samples));
  again.say({ type: 'stop_recording' });
  const final = await again.until('transcription');
  assert.deepEqual([final.segment_id, final.text, final.words[0].start], [2, 'two', 1.3]);
  const stopped = await again.until('recording_stopped');
  assert.deepEqual([stopped.final_transcript, stopped.total_segments], ['one two', 2]);
  await again.close();
  await settled();
});
