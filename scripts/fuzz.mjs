// `npm run fuzz [-- --minutes 60 --seed 7]`: installs and builds what is missing, then sends a server whatever may be sent.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/fuzz/run.js');
