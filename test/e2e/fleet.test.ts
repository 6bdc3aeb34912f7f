/**
 * Two server processes with the real model and one Redis; four people speak. One server is killed in the middle, started again,
 * and the other one is asked to stop. `npm run faults -- fleet` does more of it, through nginx and for longer.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seeded } from '../helpers/cut-runs.js';
import { type Kind, Script, type SpeakerOptions, speak, Trace } from '../helpers/fleet-speaker.js';
import { type ProcessFleet, startProcessFleet } from '../helpers/process-fleet.js';
import { skipWithoutRedis, until } from '../helpers/redis.js';

const SPEED = 2;
/** Partials and finals after which somebody counts as understood. */
const RESULTS = 10;
/** Of audio, that each of them speaks; a fast machine is through with everything before. */
const SECONDS = 15;
const KINDS: readonly Kind[] = ['library', 'model', 'library', 'model'];

let fleet: ProcessFleet;
if (skipWithoutRedis === false) {
  before(async () => {
    fleet = await startProcessFleet(2, '--max-streams', '16', '--drain-spread', '1');
  });
  after(() => fleet?.stop());
}

test(
  'of a killed server and one that is asked to stop nobody loses a word, a time or an event',
  { skip: skipWithoutRedis },
  async () => {
    const [one, two] = fleet.servers;
    assert.ok(one !== undefined && two !== undefined);
    const scripts = await Promise.all(KINDS.map((_, i) => Script.of(seeded(40 + i))));
    const said = (name: string, options: (i: number) => Omit<SpeakerOptions, 'clientId'>) =>
      Promise.all(
        KINDS.map((kind, i) => speak(kind, scripts[i]!, { clientId: `${name}-${i}`, ...options(i) })), // as many
      );
    const traces = KINDS.map(() => new Trace());
    // As a load balancer that notices nothing: each attempt goes to the next server, whether it lives or not.
    const turns = KINDS.map((_, i) => i);
    const speaking = said('disturbed', (i) => ({
      speed: SPEED,
      url: () => fleet.servers[turns[i]!++ % 2]!.ws, // of as many
      trace: traces[i]!,
    }));
    const allHeard = (since: number) =>
      traces.every(({ results, isConnected }) => isConnected && (results.at(-RESULTS) ?? 0) > since);

    await until('all are understood', () => allHeard(0));
    const onOne = traces.filter((_, i) => i % 2 === 0);
    await one.kill();
    const killedMs = performance.now();
    await until('those of the killed server went on', () => onOne.every(({ back }) => back.length > 0));
    await one.start();
    await until('all are understood again', () => allHeard(killedMs));
    const askedMs = performance.now();
    two.signal('SIGTERM');
    await two.exited();
    await until('all have moved', () => traces.every(({ back }) => back.some(({ ms }) => ms > askedMs)));

    await until('all are understood once more', () => allHeard(askedMs));
    await until('all have said enough', () => scripts.every(({ seconds }) => seconds >= SECONDS));
    for (const script of scripts) script.end();
    const disturbed = await speaking;
    const undisturbed = await said('undisturbed', () => ({ url: () => one.ws }));
    for (const [i, { told, answers, words }] of disturbed.entries()) {
      assert.ok(words.length > 20, `${words.length} words`);
      assert.deepEqual(told, undisturbed[i]?.told, `${KINDS[i]} ${i}`);
      assert.deepEqual(answers, undisturbed[i]?.answers, `${KINDS[i]} ${i}`);
    }
    const ways = traces.flatMap(({ back }) => back.map(({ how }) => how));
    assert.deepEqual(new Set(ways), new Set(['resumed']), 'nobody had to begin a new session');
  },
);
