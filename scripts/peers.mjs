// Load tests with real speech, in real time (benchmarks/peers):
//   npm run bench:peers    rnnt-server compared with sherpa-onnx's own server
//   npm run bench:rating   the rated capacity compared with the number of streams that meets the target
//   npm run bench:wait     the effect of a wait in the batcher
//   npm run bench:import   the time of an import
import { prepare } from './prepare.mjs';

prepare();
const [what] = process.argv.splice(2, 1);
if (what === 'peers' || what === 'import')
  await import(`../dist/benchmarks/peers/${what === 'peers' ? 'run' : 'import'}.js`);
else {
  process.argv.splice(2, 0, what);
  await import('../dist/benchmarks/peers/own.js');
}
