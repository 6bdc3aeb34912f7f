/** The client library resumes on the real server, over connections that break at any byte. */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { RNNTClient } from 'rnnt-server/client';
import { type Break, startCuttingProxy } from '../helpers/cutting-proxy.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

let live: LiveServer;
let speech: Int16Array;
before(async () => {
  live = await startLiveServer();
  const clip = await loadClip(clips[0]!.file);
  speech = new Int16Array(2 * clip.length + 16_000); // a pause in between, so that there are two segments
  speech.set(clip);
  speech.set(clip, clip.length + 16_000);
});
after(() => live.stop());

/** The nearest sample: good enough to be understood. */
const atRate = (rate: number): Int16Array =>
  rate === 16_000
    ? speech
    : Int16Array.from(
        { length: Math.floor((speech.length * rate) / 16_000) },
        (_, i) => speech[Math.floor((i * 16_000) / rate)] ?? 0,
      );

interface Outcome {
  segments: unknown[];
  resumed: number;
  fresh: number;
}

async function record(breaks: readonly Break[], sampleRate = 16_000): Promise<Outcome> {
  const proxy = await startCuttingProxy(live.ws, breaks);
  const client = new RNNTClient({
    url: proxy.ws,
    pingIntervalMs: 500, // a silent connection is noticed after two
    reconnect: { baseMs: 1, maxMs: 100, maxAttempts: 100 },
  });
  const outcome = { resumed: 0, fresh: 0 };
  client.on('state', ({ state, fresh }) => {
    if (state === 'resumed') outcome[fresh ? 'fresh' : 'resumed'] += 1;
  });
  await client.start({ sample_rate: sampleRate });
  await client.sendAll(atRate(sampleRate));
  const { segments, lost } = await client.stop();
  client.close();
  await proxy.close();
  assert.deepEqual(lost, []);
  return { segments, ...outcome };
}

/** False, and the test is skipped, on a server of before resuming. */
async function resumes(t: TestContext): Promise<boolean> {
  const { fresh } = await record([{ direction: 'up', afterBytes: 100_000, how: 'cut' }]);
  if (fresh > 0) t.skip('this server does not resume sessions');
  return fresh === 0;
}

/** Beyond the handshake (some 700 bytes of each side), within what a recording takes. */
const breaksAnywhere: fc.Arbitrary<Break[]> = fc.array(
  fc.oneof(
    fc.record({
      direction: fc.constant('up' as const),
      afterBytes: fc.integer({ min: 1, max: 150_000 }),
      how: fc.constantFrom('cut' as const, 'cut' as const, 'server-blind' as const, 'silent' as const),
    }),
    fc.record({
      direction: fc.constant('down' as const),
      afterBytes: fc.integer({ min: 1, max: 8_000 }),
      how: fc.constantFrom('cut' as const, 'cut' as const, 'server-blind' as const, 'silent' as const),
    }),
  ),
  { minLength: 1, maxLength: 6 },
);

for (const sampleRate of [16_000, 44_100]) {
  test(`whatever breaks at ${sampleRate} Hz, segments, words and times are those of an undisturbed recording`, async (t) => {
    if (!(await resumes(t))) return;
    const { segments: undisturbed } = await record([], sampleRate);
    assert.ok(undisturbed.length > 0);
    let resumptions = 0;
    await fc.assert(
      fc.asyncProperty(breaksAnywhere, async (breaks) => {
        const { segments, resumed, fresh } = await record(breaks, sampleRate);
        resumptions += resumed;
        assert.deepEqual(segments, undisturbed);
        assert.equal(fresh, 0);
      }),
      { seed: 3, numRuns: 12, endOnFailure: true },
    );
    assert.ok(resumptions >= 12, `${resumptions} resumptions`);
  });
}
