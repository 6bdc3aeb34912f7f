/**
 * `npm run faults [-- --cuts 300 --seed 18]`: recordings of real speech over a network that breaks at random moments,
 * compared with the same recordings undisturbed. Fails if a word, a time or an event differs. Prints the figures of
 * docs/RELIABILITY.md.
 */
import { parseArgs } from 'node:util';
import { BreakingNetwork } from '../../test/helpers/breaking-network.js';
import {
  assertSame,
  FORMATS,
  formatted,
  itemsOf,
  plansOf,
  record,
  seeded,
} from '../../test/helpers/cut-runs.js';
import { clips, loadClip } from '../../test/helpers/fixtures.js';
import { startLiveServer } from '../../test/helpers/live-server.js';

const { values } = parseArgs({
  options: { cuts: { type: 'string', default: '300' }, seed: { type: 'string', default: '18' } },
});
const mostCuts = Number(values.cuts);
const random = seeded(Number(values.seed));
const CUTS_EACH = 8;
const TWICE = 0.2;

const live = await startLiveServer();
const proxy = await BreakingNetwork.open(live.server.port);
const sums = { recordings: 0, finals: 0, words: 0, twice: 0, halfOpen: 0, reconnections: 0 };
const found: Record<string, number> = {};
try {
  for (let i = 0; proxy.cuts < mostCuts; i++) {
    const format = FORMATS[i % FORMATS.length]!; // within
    const bytes = formatted(await loadClip(clips[i % clips.length]!.file), format); // within
    const items = itemsOf(bytes, format.frameBytes, random);
    const config = { ...format.config, vad_events: true, silence_duration: 0.3 };
    const undisturbed = await record(live.ws, items, { ...format, clientId: `uncut-${i}`, config });
    const plans = plansOf(random, CUTS_EACH, bytes.length / CUTS_EACH);
    proxy.plans.push(...plans);
    const wanted = () => {
      const now = random() < TWICE;
      if (now) sums.twice++;
      return now;
    };
    const twice = { url: live.ws, wanted };
    const run = await record(proxy.ws, items, { ...format, clientId: `cut-${i}`, config, twice });
    sums.halfOpen += plans
      .slice(0, plans.length - proxy.plans.length)
      .filter((it) => it.kind === 'half-open').length;
    proxy.plans.length = 0;
    assertSame(run.told, undisturbed.told, `recording ${i}, seed ${values.seed}`);
    sums.recordings++;
    sums.reconnections += run.client.reconnections;
    for (const message of run.told) {
      if (message.type !== 'transcription') continue;
      sums.finals++;
      sums.words += message.words.length;
    }
    for (const [state, times] of Object.entries(run.client.found)) found[state] = (found[state] ?? 0) + times;
  }
  const { resumed } = live.server.context.metrics;
  process.stdout.write(
    `${JSON.stringify({ cuts: proxy.cuts, ...sums, resumed, found, differences: 0 }, null, 2)}\n`,
  );
} finally {
  await proxy.close();
  await live.stop();
}
