// Loads of real speech, in real time (benchmarks/peers):
//   npm run bench:peers    rnnt-server against sherpa-onnx's own server
//   npm run bench:rating   the rated number of streams against what holds
//   npm run bench:wait     what a wait in the batcher brings
//   npm run bench:import   what an import takes
import { prepare } from './prepare.mjs';

prepare();
const [what] = process.argv.splice(2, 1);
if (what === 'peers' || what === 'import')
  await import(`../dist/benchmarks/peers/${what === 'peers' ? 'run' : 'import'}.js`);
else {
  process.argv.splice(2, 0, what);
  await import('../dist/benchmarks/peers/own.js');
}
