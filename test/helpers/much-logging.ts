/**
 * Logs more than any buffer holds and ends normally; `pretty`: as in development. Its exit code shows whether it
 * reached the end.
 */
import { createLogger } from '../../src/log.js';

const log = createLogger({ logLevel: 'info', devMode: process.argv[2] === 'pretty' });
const LINES = 5_000;
let rss = 0;
for (let i = 0; i < LINES; i++) {
  log.info({ i, text: 'x'.repeat(1_000) }, 'a line');
  if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (i === 2_000) rss = process.memoryUsage().rss;
}
process.stdout.write(`${Math.round((process.memoryUsage().rss - rss) / (1 << 20))}\n`);
process.exit(7);
