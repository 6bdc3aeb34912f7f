// `npm run formats`: installs and builds what is missing, then writes docs/FORMATS.md.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/formats/run.js');
