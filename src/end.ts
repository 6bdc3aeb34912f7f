/** How a process ends that cannot end by itself. */
import { setTimeout } from 'node:timers/promises';
import type { Logger } from './log.js';

/** For the last lines of the log. */
const FLUSH_MS = 500;

/**
 * Ends the process although a thread hangs in native code. `process.exit` waits for every thread, so it would never return. The
 * signal is that of an alarm clock: any supervisor takes it for a failure, and nothing else sends it.
 */
export async function endAtOnce(log: Pick<Logger, 'fatal'>): Promise<never> {
  log.fatal('a thread hangs in native code: the process ends by SIGALRM');
  await setTimeout(FLUSH_MS);
  process.kill(process.pid, 'SIGALRM');
  // Still here: the first process of a container gets no signals that it does not handle. It can still break off.
  process.abort();
}
