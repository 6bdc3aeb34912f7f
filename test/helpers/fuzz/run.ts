/**
 * A real server with the scripted engine under seeded attacks, while neighbours repeatedly record the same audio.
 * Checks that each neighbour gets the same results as alone, every answer is well-formed, nothing unexpected is logged,
 * and no resources remain in the end.
 */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { isAttached } from '../../../machines/session.js';
import { type RunningServer, startServer } from '../../../src/server/server.js';
import { assertSame, lasting, seeded } from '../cut-runs.js';
import { FakeEngine } from '../fake-engine.js';
import { bytesOf, spoken } from '../fake-model.js';
import { testConfig } from '../scripted-server.js';
import { cut, type Message, TestClient } from '../ws-client.js';
import { Attacker, type Left } from './attacker.js';
import { SPEECHES } from './corpus.js';
import { Dice } from './mutate.js';
import { Uploader } from './uploader.js';
import { WyomingAttacker } from './wyoming.js';

export interface FuzzOptions {
  readonly seed: number;
  /** Called before each round; false ends the run. */
  more(round: number): boolean;
  /** Attackers at once. */
  readonly attackers?: number;
}

export interface FuzzFigures {
  rounds: number;
  clients: number;
  moves: number;
  /** Recordings of neighbours, each compared. */
  neighbours: number;
  /** Sessions that were resumed. */
  resumed: number;
  /** Errors that the server counted, by code. */
  errors: Record<string, number>;
}

/** Enough for all: two channels each, and sessions that wait for a lost client. */
const SLOTS = 64;
/** Words at known places, with a pause in which a segment ends. */
const SOUND = [
  ...spoken(12_000, [[1_700, 'hello'], [5_000, 'world']]),
  ...new Int16Array(12_000),
  ...spoken(9_000, [[2_000, 'three'], [6_000, 'four']]),
]; // biome-ignore format: a table
const FORMATS = [
  { sample_rate: 16_000, encoding: 'pcm16', channels: 1 },
  { sample_rate: 48_000, encoding: 'pcm16', channels: 2 },
];

/**
 * A client that records the same audio repeatedly, over a new connection each time, since the rate of controls is
 * limited.
 */
class Neighbour {
  private readonly url: string;
  private readonly config: object;
  private alone: readonly Message[] = [];
  private readonly what: string;

  private constructor(url: string, config: object) {
    this.url = url;
    this.config = { ...config, vad_events: true, silence_duration: 0.3 };
    this.what = `the neighbour with ${JSON.stringify(config)}`;
  }

  /** Records once while there are no other clients. */
  static async alone(url: string, config: object): Promise<Neighbour> {
    const neighbour = new Neighbour(url, config);
    neighbour.alone = await neighbour.record(() => 3_201);
    assert.ok(lasting(neighbour.alone).length >= 4, 'the sound has speech and segments in it');
    return neighbour;
  }

  private async record(length: () => number): Promise<readonly Message[]> {
    const client = await TestClient.open(this.url);
    await client.transcribe(cut(bytesOf(Int16Array.from(SOUND)), length), this.config);
    await client.close();
    return client.received;
  }

  async again(dice: Dice): Promise<void> {
    assertSame(await this.record(() => 1 + dice.below(9_000)), this.alone, this.what);
  }
}

export async function fuzz(options: FuzzOptions): Promise<FuzzFigures> {
  const { seed, attackers = 6 } = options;
  const figures: FuzzFigures = { rounds: 0, clients: 0, moves: 0, neighbours: 0, resumed: 0, errors: {} };
  const before = resources();
  const unforeseen: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void unforeseen.push(line) });
  const engine = new FakeEngine({ auto: true, slots: SLOTS });
  const config = testConfig({ resumeWindow: 5, maxSuspended: 6, admission: 'slots', wyomingPort: 0 });
  const server = await startServer(config, log, async () => engine);
  await server.ready;
  try {
    const url = `ws://127.0.0.1:${server.port}/ws/transcribe`;
    const neighbours = await Promise.all(FORMATS.map((format) => Neighbour.alone(url, format)));
    const left: Left = { token: null };
    for (let round = 0; options.more(round); round++) {
      const all = Array.from({ length: attackers }, (_, i) => {
        const dice = new Dice(seeded(seed * 1_000_003 + round * attackers + i));
        const name = `seed ${seed}, round ${round}, client ${i}`;
        if (i === 0) return new WyomingAttacker(server.wyomingPort ?? 0, dice, name);
        if (i === 1) return new Uploader(server.port, dice, name);
        return new Attacker(server.port, dice.of(SPEECHES), dice, name, left);
      });
      const pieces = new Dice(seeded(seed + round));
      await Promise.all([...all.map((it) => it.run(left)), ...neighbours.map((it) => it.again(pieces))]);
      for (const attacker of all) {
        attacker.check();
        figures.moves += attacker.moves.length;
      }
      assert.deepEqual(unforeseen, [], all.map((it) => `${it.address}: ${it.moves.join(' | ')}`).join('\n'));
      figures.rounds++;
      figures.clients += all.length;
      figures.neighbours += neighbours.length;
    }
    await nothingLeft(server, engine);
    figures.resumed = server.context.metrics.resumed;
    figures.errors = Object.fromEntries(server.context.metrics.errors);
  } finally {
    server.drain();
    await server.stopped;
  }
  assert.deepEqual(unforeseen, []);
  assert.deepEqual(await restored(before), before, 'handles and listeners of the process');
  return figures;
}

const SOON_MS = 20_000;

/** Waits for what is under way, turn by turn of the event loop. */
async function eventually(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + SOON_MS;
  while (!isSo() && performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Checks that nothing is held any more: no session, slot, codec stream or token, except by sessions that wait to be
 * resumed.
 */
async function nothingLeft({ context }: RunningServer, engine: FakeEngine): Promise<void> {
  const { registry, recogniser } = context;
  const { sessions, codecPool } = recogniser ?? assert.fail('the server was ready');
  await eventually(() => registry.transports().attached === 0);
  assert.deepEqual(registry.transports().attached, 0, 'sessions whose socket is gone');
  registry.closeWhere((session) => !isAttached(session.actor.getSnapshot()), 'DRAINING');
  const held = () => ({
    sessions: registry.size,
    streams: sessions.leases.active,
    slots: SLOTS - engine.table.vacancies,
    codecStreams: codecPool.openStreams,
    suspended: sessions.desk.suspendedCount,
    waiting: engine.waiting,
    uploads: recogniser?.uploads.counts().active ?? 0,
  });
  await eventually(() => Object.values(held()).every((count) => count === 0));
  const left = Object.entries(held()).filter(([, count]) => count !== 0);
  assert.deepEqual(left, [], 'held for nobody');
}

/** Resources that keep the process alive, by kind, and their listeners. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  // Resources that come and go by themselves: from printing, and from this file's own waiting.
  const passing = new Set(['Immediate', 'TTYWrap', 'PipeWrap', 'FSReqPromise', 'CloseReq']);
  for (const kind of process.getActiveResourcesInfo()) {
    if (!passing.has(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const name of process.eventNames()) counts[`on ${String(name)}`] = process.listenerCount(name);
  return counts;
}

async function restored(before: Record<string, number>): Promise<Record<string, number>> {
  const wanted = JSON.stringify(Object.entries(before).sort());
  await eventually(() => JSON.stringify(Object.entries(resources()).sort()) === wanted);
  return resources();
}
