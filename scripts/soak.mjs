// `npm run soak [-- --minutes 60]`: installs and builds what is missing, then lets clients come and go for that time.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/soak/run.js');
