// Checks imported models on a GPU: see benchmarks/gpu/check.ts. Needs no network once the dependencies are installed.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/gpu/check.js');
