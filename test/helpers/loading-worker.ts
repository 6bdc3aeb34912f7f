/** A worker that loads for as long as the test wants, and tells how it was loaded. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { workerData } from 'piscina';
import { block, type Gate, loaded } from './blocking-worker.js';

const gate = workerData as Gate | undefined;
if (gate !== undefined) {
  block(gate);
  loaded(gate);
}

export default (): 'import' | 'require' => {
  const { cache } = createRequire(import.meta.url);
  return cache[fileURLToPath(import.meta.url)] === undefined ? 'import' : 'require';
};
