/**
 * `npm run fuzz [-- --minutes 60 --seed 7]`: clients send arbitrary input to a real server with the scripted engine.
 * Stops at the first violation and names its seed, round and client. Prints its figures as JSON.
 */
import { parseArgs } from 'node:util';
import { fuzz } from '../../test/helpers/fuzz/run.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
  },
});
const seed = Number(values.seed);
const until = performance.now() + Number(values.minutes) * 60_000;
process.stderr.write(`seed ${seed}\n`);
const figures = await fuzz({ seed, more: () => performance.now() < until });
process.stdout.write(`${JSON.stringify({ seed, minutes: Number(values.minutes), ...figures }, null, 2)}\n`);
