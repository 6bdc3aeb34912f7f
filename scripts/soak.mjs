// `npm run soak [-- --minutes 60]`: installs and builds what is missing, then lets clients come and go for that time.
// `npm run soak -- --simulated-hours 48`: one recording of two days, on virtual time: some minutes.
import { prepare } from './prepare.mjs';

prepare();
const isSimulated = process.argv.some((argument) => argument.startsWith('--simulated-hours'));
await import(isSimulated ? '../dist/benchmarks/soak/simulated.js' : '../dist/benchmarks/soak/run.js');
