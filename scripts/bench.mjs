// `npm run bench [-- filter…]`: installs and builds what is missing, then runs the micro-benchmarks.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/run.js');
