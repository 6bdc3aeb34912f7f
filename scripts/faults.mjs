// `npm run faults [-- --cuts 300]`: installs and builds what is missing, then breaks connections and compares transcripts.
// `npm run faults -- overload [--streams 16 --seconds 20]`: twice the rated load.
// `npm run faults -- lanes [--streams 12]`: threads of the lanes that throw, die, hang; the process that cannot go on.
import { prepare } from './prepare.mjs';

prepare();
if (process.argv[2] === 'overload') await import('../dist/benchmarks/faults/overload.js');
else if (process.argv[2] === 'lanes') await import('../dist/benchmarks/faults/lanes.js');
else await import('../dist/benchmarks/faults/run.js');
