// `npm run fuzz [-- --minutes 60 --seed 7]`: installs and builds what is missing, then sends arbitrary input to a
// server.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/fuzz/run.js');
