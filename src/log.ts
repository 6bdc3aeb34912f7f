/** Structured logs: one line per lifecycle event, the session's id on each, never a transcript. */
import { type Logger, pino } from 'pino';
import type { Config } from './config.js';

export type { Logger };

/** Logs go to standard error, so that standard output stays free for what a command prints. */
export function createLogger(config: Pick<Config, 'logLevel' | 'devMode'>): Logger {
  const options = { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, pino.destination({ dest: 2, sync: config.devMode }));
}
