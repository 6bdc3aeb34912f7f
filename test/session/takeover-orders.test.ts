/**
 * Servers that die, or lose a client that they go on serving, at any moment between sending, recognising, reading, writing
 * records and cutting, without a network: what the client is told, in its order, is that of an undisturbed run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServerError } from '../../src/errors.js';
import { parseTold } from '../../src/session/told.js';
import { lasting, seeded } from '../helpers/cut-runs.js';
import { FakeFleet, type FakeNode, turns } from '../helpers/fake-fleet.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { FakeTransport } from '../helpers/fake-transport.js';
import type { Item } from '../helpers/resuming-client.js';
import { eventsOf } from '../helpers/seen-count.js';
import type { Message } from '../helpers/ws-client.js';

const WORDS = ['one', 'two', 'three', 'hello', 'world'];

interface Plan {
  readonly start: string;
  readonly items: readonly Item[];
}

/** Speech and pauses in frames of uneven length, and between them everything that is answered. */
function planOf(random: () => number, config: object, channels: number): Plan {
  const items: Item[] = [];
  for (let i = 0; i < 14; i++) {
    const word = WORDS[Math.floor(random() * WORDS.length)]!; // within
    const samples = 200 + Math.floor(random() * 3 * CHUNK);
    const sound = random() < 0.6 ? spoken(samples, [[0, word]]) : marked(samples, []);
    items.push(bytesOf(channels === 1 ? sound : interleaved(sound, random)));
    const dice = random();
    if (dice < 0.15) items.push({ type: 'finalize' });
    else if (dice < 0.25) items.push({ type: 'configure', ...{ silence_duration: 0.1 + 0.4 * random() } });
    else if (dice < 0.3) items.push({ type: 'configure', ...{ vad_events: random() < 0.5 } });
    else if (dice < 0.35) items.push({ type: 'dance' });
    else if (dice < 0.4) items.push({ type: 'start_recording' });
    else if (dice < 0.45) items.push({ type: 'configure', ...{ silence_duration: -1 } });
  }
  const all = { vad_events: true, silence_duration: 0.2, ...config };
  const start = JSON.stringify({ type: 'start_recording', config: all });
  return { start, items: [...items, { type: 'stop_recording' }] };
}

/** Two speakers: the second says the same somewhat later. */
function interleaved(sound: Int16Array, random: () => number): Int16Array {
  const late = Math.floor(random() * sound.length);
  return Int16Array.from({ length: 2 * sound.length }, (_, i) => {
    const at = i >> 1;
    return i % 2 === 0 ? sound[at]! : at < late ? 0 : sound[at - late]!; // within
  });
}

const frameOf = (item: Item): string | Uint8Array =>
  item instanceof Uint8Array ? item : JSON.stringify(item);

/** What a client sends behind the position that it is told. */
function remaining({ start, items }: Plan, message: Message, bytesPerSample: number, isStarted: boolean) {
  if (message.state === 'idle') return isStarted ? [] : [start];
  if (message.state === 'stopping') return [];
  let samples = 0;
  let controls = 0;
  return items.flatMap((item) => {
    if (!(item instanceof Uint8Array)) return ++controls > message.received_controls ? [frameOf(item)] : [];
    const known = Math.max(0, bytesPerSample * (message.received_samples - samples));
    samples += item.length / bytesPerSample;
    return known < item.length ? [item.slice(known)] : [];
  });
}

interface World {
  readonly options: { readonly channels: number };
  /** How likely an action is one that breaks something. */
  readonly faults: number;
  /** Whether the store itself may fail, so that a session may be lost. */
  readonly flaky: boolean;
}

/** Null: the session was lost, as it may be where the store fails. */
async function record(plan: Plan, random: () => number, world: World): Promise<Message[] | null> {
  const bytesPerSample = 2 * world.options.channels;
  const fleet = new FakeFleet();
  const zombies: FakeNode[] = [];
  let node = fleet.node({ slots: 4 });
  let { session, socket: transport } = node;
  let token = '';
  let read = 0;
  let isResumed = false;
  let isLost = false;
  let queue: (string | Uint8Array)[] = [];
  const told: Message[] = [];
  const take = (message: Message): void => {
    if (message.resume_token) token = message.resume_token;
    if (message.type === 'connection') queue = [plan.start];
    const isStarted = told.some(({ type }) => type === 'recording_started');
    if (message.type === 'recording_started' && !isResumed) queue = plan.items.map(frameOf);
    if (message.type === 'resumed') {
      isResumed = message.state !== 'idle';
      queue = remaining(plan, message, bytesPerSample, isStarted);
    }
    if (message.type === 'resumed' || message.seq <= told.length) return;
    assert.equal(message.seq, told.length + 1);
    told.push(message);
  };
  const goElsewhere = async () => {
    const next = fleet.node({ slots: 4 });
    const claim = { seen: told.length, told: parseTold(eventsOf(told)), has: 0 };
    try {
      const taken = await fleet.take(next, token, claim);
      if (taken === null) isLost = true;
      else {
        node = next;
        ({ session, transport } = taken);
        read = 0;
        queue = [];
      }
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'RESUME_EXPIRED') throw error;
      isLost = true;
    }
  };
  const actions = {
    // Also while the server does not read: a paused socket still brings what it has.
    send: () => void (queue.length > 0 && session.onFrame(queue.shift()!)), // length > 0
    step: () => void (random() < 0.5 ? node.engine.round() : node.engine.pump()),
    recognise: () => node.engine.settle(),
    sweep: () => session.sweep(performance.now()),
    pass: () => {
      fleet.nowMs += Math.floor(1_500 * random());
    },
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
    kill: async () => {
      node.store.dead = true;
      await goElsewhere();
    },
    lose: async () => {
      zombies.push({ ...node, session });
      await goElsewhere();
    },
    stall: () => (random() < 0.5 ? node.store.stall() : node.store.answer()),
    fail: () => {
      node.store.failing = random() < 0.5;
    },
  };
  actions.read();
  await turns();
  const names = ['send', 'send', 'recognise', 'step', 'sweep', 'read', 'confirm', 'pass'] as const;
  const faults = world.flaky
    ? (['kill', 'lose', 'stall', 'fail'] as const)
    : (['kill', 'lose', 'cut'] as const);
  while (told.at(-1)?.type !== 'recording_stopped' && !isLost) {
    const these: readonly (keyof typeof actions)[] = random() < world.faults ? faults : names;
    await actions[these[Math.floor(random() * these.length)]!](); // within
    await turns(2);
  }
  for (const zombie of zombies) {
    fleet.nowMs += 20_000;
    zombie.session.sweep(performance.now());
    await turns();
    if (!world.flaky && !isLost)
      assert.equal(zombie.session.activity, 'closed', 'a server that was left goes on');
  }
  return isLost ? null : told;
}

/** With two channels the order between them is chance; each has its own. */
const byChannel = (told: readonly Message[]) =>
  [0, 1].map((channel) => lasting(told).filter((message) => (message.channel ?? 0) === channel));

const CONFIGS = [
  { channels: 1, config: {} },
  { channels: 2, config: { channels: 2, multichannel: true } },
];

for (const { channels, config } of CONFIGS) {
  test(`whichever server dies when, nothing is lost, doubled, retimed or moved: ${channels} channel(s)`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seeded(seed);
        const plan = planOf(random, config, channels);
        const run = await record(plan, random, { options: { channels }, faults: 0.12, flaky: false });
        assert.ok(run !== null, `seed ${seed}: the session was lost`);
        const undisturbed = await record(plan, random, { options: { channels }, faults: 0, flaky: false });
        assert.deepEqual(byChannel(run), byChannel(undisturbed ?? []), `seed ${seed}`);
      }),
      { seed: 18, numRuns: 15, includeErrorInReport: true },
    );
  });
}

test('a store that fails or hangs: a session is lost as a whole, or goes on exactly', async () => {
  let kept = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = seeded(seed);
      const plan = planOf(random, {}, 1);
      const run = await record(plan, random, { options: { channels: 1 }, faults: 0.12, flaky: true });
      if (run === null) return;
      kept++;
      const undisturbed = await record(plan, random, { options: { channels: 1 }, faults: 0, flaky: false });
      assert.deepEqual(byChannel(run), byChannel(undisturbed ?? []), `seed ${seed}`);
    }),
    { seed: 19, numRuns: 15, includeErrorInReport: true },
  );
  assert.ok(kept > 3, `${kept} sessions went on`);
});
