// `npm start [-- options]`: installs and builds what is missing, then runs the server.
import { prepareServer } from './prepare.mjs';

prepareServer();
const { runCli } = await import('../dist/src/cli.js');
process.exitCode = await runCli(['start', ...process.argv.slice(2)]);
