// `npm run faults [-- --cuts 300]`: installs and builds what is missing, then breaks connections and compares transcripts.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/faults/run.js');
