/** Logs more than a pipe holds, then runs a command as `rnnt-server` does; `exit`: ends by `process.exit` instead. */
import { runCli } from '../../src/cli.js';
import { createLogger } from '../../src/log.js';

const log = createLogger({ logLevel: 'info', devMode: false });
for (let i = 0; i < 400; i++) log.info({ i, text: 'x'.repeat(1_000) }, 'a line');
// Until the pipe is full, and no write is under way.
for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
if (process.argv[2] === 'exit') process.exit(7);
process.exitCode = await runCli(['machines']);
