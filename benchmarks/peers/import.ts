/**
 * What `rnnt-server import` takes, as a program of its own: npm run bench:import -- [--shapes 3m,23m,66m,114m] [--times 3].
 * The best of some times: seconds of the clock and of CPU.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inPackage, packageVersion } from '../../src/paths.js';
import { type ImportFigures, PRECISIONS, prepareModel } from './models.js';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: '3m,23m,66m,114m' },
    times: { type: 'string', default: '3' },
    json: { type: 'string', default: inPackage('benchmarks', 'results', 'import.json') },
  },
});
const work = mkdtempSync(join(tmpdir(), 'rnnt-imports-'));
const best: ImportFigures[] = [];
try {
  for (const shape of values.shapes.split(',')) {
    for (const precision of PRECISIONS) {
      const all: ImportFigures[] = [];
      for (let i = 0; i < Number(values.times); i++) {
        rmSync(join(work, 'models'), { recursive: true, force: true });
        prepareModel(shape, precision, work, (figures) => all.push(figures));
      }
      all.sort((a, b) => a.seconds - b.seconds);
      const [first] = all;
      if (first !== undefined) best.push(first);
      rmSync(join(work, `${shape}-${precision}`), { recursive: true });
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.table(best);
mkdirSync(join(values.json, '..'), { recursive: true });
const machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version };
const report = { made: new Date().toISOString(), version: packageVersion, machine, models: best };
writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
