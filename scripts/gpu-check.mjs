// What a GPU makes of imported models: see benchmarks/gpu/check.ts. Needs no network once the dependencies are there.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/benchmarks/gpu/check.js');
