/** Structured logs: one line per lifecycle event, the session's id on each, never a transcript. */
import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { LogSink } from './log-sink.js';

export type { Logger };

const STANDARD_ERROR = 2;

/** Readable format: time, level and text on a line, the fields below. Loaded only if needed. */
function readable(sink: LogSink): DestinationStream {
  const require = createRequire(import.meta.url);
  const pretty = require('pino-pretty') as typeof import('pino-pretty');
  const readable = pretty.prettyFactory({
    colorize: process.stderr.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => sink.write(readable(line) ?? '') };
}

let standardError: LogSink | undefined;

/** Logs go to standard error, so that standard output is free for a command's output. */
export function createLogger(config: Pick<Config, 'logLevel' | 'devMode'>): Logger {
  const options = { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  // Its first use makes Node open a pipe or socket for writing without waiting. Otherwise a reader that is stuck would
  // hold a thread in the write, and the process could not end.
  void process.stderr;
  standardError ??= new LogSink(STANDARD_ERROR);
  return pino(options, config.devMode ? readable(standardError) : standardError);
}
