/** Cost of assembling and settling a batch, by size. Run: `node dist/benchmarks/batcher.bench.js`. */
import type { SlotOwner } from '../src/inference/stream-table.js';
import { createBench, report } from './report.js';
import { createTable } from './rig.js';

const idle: SlotOwner = { onStep() {}, onFlushed() {}, onFault() {} };
const ROUNDS = 50;
const bench = createBench('batcher: commit, fill, step, settle, per stream');
for (const size of [1, 16, 64, 128]) {
  const { table, pump } = createTable(size);
  const slots = Array.from({ length: size }, () => table.lease(idle)!); // a slot for each: the table has `size`
  bench.add(`batch of ${size}`, async () => {
    for (let i = 0; i < ROUNDS; i++) {
      for (const slot of slots) slot.commit(1_600);
      await pump();
    }
  });
}
await bench.run();
report(bench, (name) => ROUNDS * Number(name.slice('batch of '.length)));
