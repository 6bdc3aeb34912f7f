/** Connections cut at random moments of speech, with the real model: the client's transcript is that of an uncut run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RNNTClient } from 'rnnt-server/client';
import { BreakingNetwork } from '../helpers/breaking-network.js';
import { assertSame, FORMATS, formatted, itemsOf, plansOf, record, seeded } from '../helpers/cut-runs.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

/** Enough for CI; `npm run faults` makes hundreds. */
const CUTS_EACH = 6;

let live: LiveServer;
let proxy: BreakingNetwork;
before(async () => {
  live = await startLiveServer();
  proxy = await BreakingNetwork.open(live.server.port);
});
after(async () => {
  await proxy.close();
  await live.stop();
});

FORMATS.forEach((format, i) => {
  const { encoding } = format.config;
  test(`finals, times and events are those of an uncut run, at ${format.sampleRate} Hz in ${encoding}`, async () => {
    const random = seeded(18 + i);
    const bytes = formatted(await loadClip(clips[i]!.file), format);
    const items = itemsOf(bytes, format.frameBytes, random);
    const config = { ...format.config, vad_events: true, silence_duration: 0.3 };
    const undisturbed = await record(live.ws, items, { ...format, clientId: `uncut-${i}`, config });
    proxy.plans.push(...plansOf(random, CUTS_EACH, bytes.length / CUTS_EACH));
    const twice = { url: live.ws, wanted: () => random() < 0.2 };
    const { told, client } = await record(proxy.ws, items, {
      ...format,
      clientId: `cut-${i}`,
      config,
      twice,
    });
    proxy.plans.length = 0;
    assertSame(told, undisturbed.told, `cut at ${format.sampleRate} Hz`);
    assert.ok(client.reconnections >= CUTS_EACH - 2, `${client.reconnections} reconnections`);
  });
});

/** What an application gets from the client library that streams a clip with a `finalize` in it. */
async function streamed(url: string, clip: Int16Array) {
  const client = new RNNTClient({ url, clientId: 'library', reconnect: { baseMs: 5, maxMs: 20 } });
  const fresh: boolean[] = [];
  client.on('state', ({ state, fresh: isFresh }) => state === 'resumed' && fresh.push(isFresh === true));
  await client.start({ silence_duration: 0.3 });
  const half = clip.length >> 1;
  await client.sendAll(clip.subarray(0, half));
  client.finalize();
  await client.sendAll(clip.subarray(half));
  const { segments, transcript, duration, droppedSeconds } = await client.stop();
  client.close();
  return { fresh, result: { segments, transcript, duration, droppedSeconds } };
}

test('the client library over cuts: the same segments, each finalize once, always the same session', async () => {
  const clip = await loadClip(clips[0]!.file);
  const undisturbed = await streamed(live.http, clip);
  const random = seeded(21);
  let resumptions = 0;
  for (let i = 0; i < 3; i++) {
    proxy.plans.push(...plansOf(random, CUTS_EACH, (2 * clip.length) / CUTS_EACH));
    const cut = await streamed(proxy.ws, clip);
    proxy.plans.length = 0;
    assert.deepEqual(cut.result, undisturbed.result);
    resumptions += cut.fresh.filter((isFresh) => !isFresh).length;
  }
  assert.ok(resumptions > 3, `${resumptions} resumptions`);
});
