// `npm start [-- options]`: installs and builds what is missing, then runs the server.
import { prepare } from './prepare.mjs';

prepare();
const { runCli } = await import('../dist/src/cli.js');
process.exitCode = await runCli(['start', ...process.argv.slice(2)]);
