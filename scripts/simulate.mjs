// `npm run simulate [-- --seeds 1000 --from 1]`: installs and builds what is missing, then simulates so many fleets.
// `npm run simulate -- --seed 7`: one of them, with all its events.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/simulation/run.js');
