// `npm run faults [-- --cuts 300]`: installs and builds what is missing, then breaks connections and compares transcripts.
// `npm run faults -- overload [--streams N --seconds 20 --retry-ms 1000]`: twice the rated load.
// `npm run faults -- lanes [--streams 12]`: threads of the lanes that throw, die, hang; the main thread, clock, disk, network and
// other clients; the process that cannot go on.
// `npm run faults -- fleet [--speakers 60]`: three servers, Redis and nginx that are killed, stopped and frozen under speech;
// `npm run faults -- fleet --cost [--streams 256]`: what the fleet costs.
import { prepare } from './prepare.mjs';

prepare();
if (process.argv[2] === 'overload') await import('../dist/benchmarks/faults/overload.js');
else if (process.argv[2] === 'lanes') await import('../dist/benchmarks/faults/lanes.js');
else if (process.argv[2] === 'fleet') await import('../dist/benchmarks/faults/fleet/run.js');
else await import('../dist/benchmarks/faults/run.js');
