import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RNNTClient } from 'rnnt-server/client';
import { FakeClock, settle } from '../helpers/fake-clock.js';
import { FakeServer } from '../helpers/fake-server.js';
import { fakeNetwork } from '../helpers/fake-socket.js';

const CHUNK = 1_600;
const words = Array.from({ length: 40 }, (_, i) => ({ word: `w${i}`, start: i, end: i + 0.35 }));

const KINDS = [
  'speak',
  'drop',
  'forget',
  'refuse',
  'admit',
  'finalize',
  'end',
  'move',
  'full',
  'hang',
] as const;
type Weather = { kind: (typeof KINDS)[number]; n: number };

const NO_ROOM = { code: 'AT_CAPACITY', error: 'No room.', retryable: true };

/** What can happen to somebody on a train. */
const weather: fc.Arbitrary<Weather[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('speak', 'speak', 'speak', ...KINDS),
    n: fc.integer({ min: 1, max: 8 }),
  }),
  { maxLength: 25 },
);

/** Each 100 ms chunk holds its own number, so that what the server heard can be read back. */
async function ride(events: Weather[], { forgetful }: { forgetful: boolean }) {
  const clock = new FakeClock();
  const server = new FakeServer({ words });
  const network = fakeNetwork(server);
  const client = new RNNTClient({
    url: 'ws://server.test',
    clock,
    random: () => 0.5,
    WebSocket: network.WebSocket,
    fetch: async () => new Response('{"code":"UPGRADE_REQUIRED"}', { status: 426 }),
    reconnect: { maxAttempts: 1_000 },
    maxQueueSeconds: 1_000,
  });
  const finals: { id: number; start: number }[] = [];
  let coveredSeconds = 0;
  /** How far finals reached when each session began. */
  const covered = new Map<string, number>();
  client.on('transcription', (s) => {
    finals.push({ id: s.segment_id, start: s.start });
    coveredSeconds = s.end;
  });
  client.on('connection', ({ session_id }) => covered.set(String(session_id), coveredSeconds));
  await client.start();
  let spoken = 0;
  for (const { kind, n } of events) {
    if (kind === 'speak') {
      for (let i = 0; i < n; i += 1) {
        spoken += 1;
        client.send(new Int16Array(CHUNK).fill(spoken));
        await clock.advance(100);
      }
    } else if (kind === 'finalize') client.finalize();
    else if (kind === 'drop' || kind === 'forget') {
      server.drop();
      if (kind === 'forget' && forgetful) server.expire();
    } else if (kind === 'end') {
      // A server that stops, gracefully: it ends its recordings first, with all that it has heard.
      if (forgetful && server.peers.size > 0) {
        server.endRecordings();
        await settle();
        const lastChunk = server.audio.at(-1)?.bytes ?? new Uint8Array(2);
        coveredSeconds = Math.max(coveredSeconds, (lastChunk[0] ?? 0) / 10); // numbers stay below 256
      }
    } else if (kind === 'move') server.drop(1001, 'DRAINING');
    else if (kind === 'full') server.noStart = NO_ROOM;
    else if (kind === 'hang') {
      network.dead = true;
      server.drop();
    } else {
      network.refuse = kind === 'refuse';
      network.dead = false;
      server.noStart = null;
    }
    await settle();
  }
  network.refuse = false;
  network.dead = false;
  server.noStart = null;
  const stopped = client.stop();
  await clock.advance(60_000);
  const result = await stopped;
  client.close();
  assert.equal(clock.pending, 0, 'no timer is left behind');
  return { server, result, spoken, finals, covered };
}

/** The numbers of the chunks that a session heard, each once. */
function chunksHeard(server: FakeServer, sessionId: string): number[] {
  const bytes = server.heard(sessionId);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return [...samples].filter((value, i) => i === 0 || value !== samples[i - 1]);
}

describe('whatever the network does', () => {
  it('a server that keeps its sessions hears every sample once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(weather, async (events) => {
        const { server, result, spoken } = await ride(events, { forgetful: false });
        const expected = Array.from({ length: spoken }, (_, i) => i + 1);
        assert.deepEqual(chunksHeard(server, 'session-1'), expected);
        assert.equal(server.heard('session-1').length, spoken * CHUNK * 2);
        assert.equal(result.droppedSeconds, 0);
        const heard = words.filter((w) => w.end <= spoken / 10 + 1e-9).map((w) => w.word);
        assert.equal(result.transcript, heard.join(' '));
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('a server that forgets sessions still hears everything that no final covered, and the order of segments holds', async () => {
    await fc.assert(
      fc.asyncProperty(weather, async (events) => {
        const { server, result, spoken, finals, covered } = await ride(events, { forgetful: true });
        const sessions = new Set(server.audio.map((a) => a.sessionId));
        let reached = 0;
        for (const id of sessions) {
          const heard = chunksHeard(server, id);
          for (const [i, chunk] of heard.entries())
            assert.equal(chunk, (heard[0] ?? 0) + i, `${id} heard ${heard}`);
          const from = Math.floor((covered.get(id) ?? 0) * 10 + 1e-9) + 1;
          assert.ok((heard[0] ?? 0) <= from, `${id} starts at chunk ${heard[0]}, finals cover up to ${from}`);
          reached = Math.max(reached, heard.at(-1) ?? 0);
        }
        assert.equal(reached, spoken);
        assert.equal(result.duration, spoken / 10);
        assert.deepEqual(
          finals.map((f) => f.id),
          finals.map((_, i) => i + 1),
        );
        for (const [i, final] of finals.entries()) assert.ok(final.start >= (finals[i - 1]?.start ?? 0));
      }),
      { seed: 7, numRuns: 150 },
    );
  });
});
