/**
 * Servers killed at random moments of speech, with the real model: two servers with a model each, one store. What the client
 * gets is that of an undisturbed recording, whichever of the two heard which part.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RNNTClient } from 'rnnt-server/client';
import { WebSocket } from 'ws';
import { FORMATS, formatted, itemsOf, lasting, record, seeded } from '../helpers/cut-runs.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { MemoryFleet } from '../helpers/memory-store.js';
import type { ResumingClient } from '../helpers/resuming-client.js';

const KILLS_EACH = 4;

const fleet = new MemoryFleet();
let nodes: readonly LiveServer[];
before(async () => {
  nodes = [await startLiveServer({}, fleet.node()), await startLiveServer({}, fleet.node())];
});
after(() => Promise.all(nodes.map((node) => node.stop())));

/**
 * Kills the server that a client is on, again and again: some items behind an acknowledgement that says more than the last
 * one before, so that some of what was told since is told again.
 */
class Killer {
  kills = 0;
  at = 0;
  private acked = 0;
  private reconnections = 0;
  private left: number;

  constructor(private readonly random: () => number) {
    this.left = Math.floor(4 * random());
  }

  async beforeItem(client: ResumingClient): Promise<void> {
    if (this.kills === KILLS_EACH) return;
    // What is still sent to a server that is dead already.
    if (this.kills > 0 && client.reconnections === this.reconnections) return;
    if (this.left-- > 0) return;
    if (this.kills > 0) await this.progress(client);
    this.kills++;
    this.left = 3 + Math.floor(12 * this.random());
    this.reconnections = client.reconnections;
    nodes[this.at]?.kill();
    this.at = 1 - this.at;
  }

  /** Waits for an acknowledgement of more than at the last time; if nothing more was said, for three. */
  private async progress(client: ResumingClient): Promise<void> {
    const acks = () => client.told.filter(({ type }) => type === 'ack').map((ack) => ack.received_samples);
    const most = acks().length + 3;
    const known = () => Math.max(0, ...acks());
    while (known() <= this.acked && acks().length < most) await client.news();
    this.acked = known();
  }
}

FORMATS.forEach((format, i) => {
  const { encoding } = format.config;
  test(`finals, times and events are those of an undisturbed run, at ${format.sampleRate} Hz in ${encoding}`, async () => {
    const random = seeded(180 + i);
    const bytes = formatted(await loadClip(clips[i]!.file), format);
    const items = itemsOf(bytes, format.frameBytes, random);
    const config = { ...format.config, vad_events: true, silence_duration: 0.3 };
    const [first] = nodes;
    const undisturbed = await record(first!.ws, items, { ...format, clientId: `alone-${i}`, config });
    const killer = new Killer(random);
    const { told, client } = await record('', items, {
      ...format,
      clientId: `killed-${i}`,
      config,
      next: () => nodes[killer.at]!.ws,
      mayExpire: true,
      beforeItem: (it) => killer.beforeItem(it),
    });
    assert.deepEqual(lasting(told), lasting(undisturbed.told));
    assert.ok(client.expirations <= 1, 'only before the first acknowledgement');
    assert.ok(killer.kills >= 2 && client.reconnections >= killer.kills, `${killer.kills} kills`);
  });
});

test('the client library over killed servers: the same segments, always the same session', async () => {
  const [one, two] = [await loadClip(clips[0]!.file), await loadClip(clips[1]!.file)];
  const clip = Int16Array.from([...one, ...two, ...one]);
  const random = seeded(7);
  const streamed = async (kills: number) => {
    let at = 0;
    const next = () => nodes[at]!.http;
    const client = new RNNTClient({
      url: 'ws://127.0.0.1:1/ws/transcribe',
      clientId: 'library',
      reconnect: { baseMs: 5, maxMs: 20 },
      WebSocket: class extends WebSocket {
        constructor(url: string) {
          super(url.replace('ws://127.0.0.1:1', next().replace('http', 'ws')));
        }
      } as never,
    });
    const fresh: boolean[] = [];
    client.on('state', ({ state, fresh: isFresh }) => state === 'resumed' && fresh.push(isFresh === true));
    // As a person speaks: a library whose application falls silent ends the sentence by itself.
    let acked = 0;
    let left = kills;
    client.on('message', ({ message: { type, received_samples: n } }) => {
      if (type !== 'ack' || Number(n) < acked + 4_000 || left === 0) return;
      acked = Number(n);
      left--;
      // Some of what is told since is told again, or nothing, as chance has it.
      setTimeout(() => {
        nodes[at]?.kill();
        at = 1 - at;
      }, 300 * random());
    });
    await client.start({ silence_duration: 0.3 });
    await client.sendAll(clip, { speed: 1 });
    const { segments, transcript, duration, droppedSeconds } = await client.stop();
    client.close();
    return { fresh, result: { segments, transcript, duration, droppedSeconds } };
  };
  const undisturbed = await streamed(0);
  const killed = await streamed(3);
  assert.ok(killed.fresh.length >= 2 && killed.fresh.every((isFresh) => !isFresh), `${killed.fresh}`);
  assert.deepEqual(killed.result, undisturbed.result);
});
