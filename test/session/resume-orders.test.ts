/** Sending, recognising, reading, confirming and cutting in random order, without a network: the transcript is that of an uncut run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSame, seeded } from '../helpers/cut-runs.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { openFakeSession } from '../helpers/fake-session.js';
import { FakeTransport } from '../helpers/fake-transport.js';
import type { Item } from '../helpers/resuming-client.js';
import type { Message } from '../helpers/ws-client.js';

const WORDS = ['one', 'two', 'three', 'hello', 'world'];
const START = JSON.stringify({
  type: 'start_recording',
  config: { vad_events: true, silence_duration: 0.2 },
});

/** Speech and pauses in frames of uneven length, with a `finalize` here and there. */
function itemsOf(random: () => number): Item[] {
  const items: Item[] = [];
  for (let i = 0; i < 12; i++) {
    const word = WORDS[Math.floor(random() * WORDS.length)]!; // within
    const samples = 200 + Math.floor(random() * 3 * CHUNK);
    items.push(bytesOf(random() < 0.6 ? spoken(samples, [[0, word]]) : marked(samples, [])));
    if (random() < 0.2) items.push({ type: 'finalize' });
  }
  return [...items, { type: 'stop_recording' }];
}

/** @param cuts how likely an action is a cut */
async function record(items: readonly Item[], random: () => number, cuts: number): Promise<Message[]> {
  const { session, socket, engine } = openFakeSession({ query: '?resumable=1' });
  const told: Message[] = [];
  let transport = socket;
  let token = '';
  let read = 0;
  let resumed = false;
  let queue: (string | Uint8Array)[] = [];
  const take = (message: Message): void => {
    if (message.resume_token) token = message.resume_token;
    if (message.type === 'connection') queue = [START];
    // Told again behind `resumed`, which has said already where to go on.
    if (message.type === 'recording_started' && !resumed) queue = items.map(frameOf);
    if (message.type === 'resumed') {
      resumed = message.state !== 'idle';
      queue = remaining(items, message, told);
    }
    if (message.type === 'resumed' || message.seq <= told.length) return;
    assert.equal(message.seq, told.length + 1);
    told.push(message);
  };
  const actions = {
    // Also while the server does not read: a paused socket still brings what it has.
    send: () => void (queue.length > 0 && session.onFrame(queue.shift()!)), // length > 0
    recognise: () => engine.settle(),
    sweep: () => session.sweep(performance.now()),
    read: () => {
      const end = read + Math.ceil(random() * (transport.messages.length - read));
      for (; read < end; read++) take(transport.messages[read]!); // end ≤ length
      session.onAlive();
    },
    confirm: () => session.onDelivered(told.length),
    cut: () => {
      if (random() < 0.7) session.onSocketClosed();
      transport = new FakeTransport();
      read = 0;
      queue = [];
      assert.ok(session.resume({ transport, remote: '', token, seen: told.length }));
    },
  };
  actions.read();
  const names = ['send', 'send', 'recognise', 'sweep', 'read', 'confirm'] as const;
  while (told.at(-1)?.type !== 'recording_stopped') {
    await actions[random() < cuts ? 'cut' : names[Math.floor(random() * names.length)]!](); // within
  }
  return told;
}

const frameOf = (item: Item): string | Uint8Array =>
  item instanceof Uint8Array ? item : JSON.stringify(item);

/** What a client sends behind the position that it is told. */
function remaining(
  items: readonly Item[],
  message: Message,
  told: readonly Message[],
): (string | Uint8Array)[] {
  const started = told.some(({ type }) => type === 'recording_started');
  if (message.state === 'idle') return started ? [] : [START];
  if (message.state === 'stopping') return [];
  let samples = 0;
  let controls = 0;
  return items.flatMap((item) => {
    if (!(item instanceof Uint8Array)) return ++controls > message.received_controls ? [frameOf(item)] : [];
    const known = Math.max(0, 2 * (message.received_samples - samples));
    samples += item.length / 2;
    return known < item.length ? [item.slice(known)] : [];
  });
}

test('whatever happens in whatever order, nothing is lost, doubled or retimed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = seeded(seed);
      const items = itemsOf(random);
      assertSame(await record(items, random, 0.15), await record(items, random, 0), `seed ${seed}`);
    }),
    { seed: 18, numRuns: 150, includeErrorInReport: true },
  );
});
