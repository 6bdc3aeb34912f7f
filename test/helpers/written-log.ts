/** A log for tests that read it: each error as its message and its cause. */
import { pino } from 'pino';
import type { Logger } from '../../src/log.js';

export function writtenLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (text: string) => {
    const { msg, err, reason } = JSON.parse(text);
    lines.push(`${msg}: ${err?.message ?? reason}`);
  };
  return { log: pino({ level: 'error' }, { write }), lines };
}
