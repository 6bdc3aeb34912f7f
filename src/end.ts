/** Ends a process that cannot exit normally. */
import type { Logger } from './log.js';
import { flushLogs } from './log-sink.js';

/**
 * Ends the process although a thread hangs in native code, where `process.exit` would wait for it forever. SIGALRM is
 * used because every supervisor treats it as a failure and nothing else sends it.
 */
export async function endAtOnce(log: Pick<Logger, 'fatal'>): Promise<never> {
  log.fatal('a thread hangs in native code: the process ends by SIGALRM');
  await flushLogs();
  process.kill(process.pid, 'SIGALRM');
  // Still running: the first process of a container receives no signals that it does not handle, but it can abort.
  process.abort();
}
