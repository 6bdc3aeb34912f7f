/** Messages of a session: events to its client through the outbox; errors also to the metrics and the log. */
import { ERRORS, type ErrorCode, toServerError } from '../errors.js';
import { compileHotwords } from '../inference/hotwords.js';
import type { Logger } from '../log.js';
import type { StreamEvent } from '../protocol/events.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { SessionContext } from './context.js';
import type { Outbox } from './outbox.js';
import { unsupportedLanguage } from './settings.js';

export class Replies {
  private readonly context: SessionContext;
  private readonly outbox: Outbox;
  private readonly log: Logger;
  private readonly end: (code: ErrorCode) => void;
  private lastDetail: string | undefined;

  /** @param end closes the session with a code, and calls `goodbye` */
  constructor(context: SessionContext, outbox: Outbox, log: Logger, end: (code: ErrorCode) => void) {
    this.context = context;
    this.outbox = outbox;
    this.log = log;
    this.end = end;
  }

  tell(event: StreamEvent): void {
    this.outbox.tell(event);
  }

  /** Reports an error. The connection continues unless the error's code ends it. */
  reject(thrown: unknown, isFatal = ERRORS[toServerError(thrown).code].closeCode !== null): void {
    const { code, detail } = toServerError(thrown);
    if (code === 'INTERNAL') this.log.error({ err: thrown }, 'a message could not be handled');
    if (isFatal) this.fail(code, detail);
    else this.refuse(code, detail);
  }

  /** Reports that something was not done. The connection continues, whatever the code. */
  refuse(code: ErrorCode, detail?: string): void {
    this.context.metrics.countError(code);
    this.tell({ type: 'error', code, detail, fatal: false });
  }

  /** Reports an error that ends the connection. */
  fail(code: ErrorCode, detail?: string): void {
    this.lastDetail = detail;
    this.end(code);
  }

  /** The last message of a session. A drain does not count as an error. */
  goodbye(code: ErrorCode | null): void {
    if (code !== null && code !== 'DRAINING') this.context.metrics.countError(code);
    if (code !== null) this.tell({ type: 'error', code, detail: this.lastDetail, fatal: true });
    this.tell({ type: 'closing', code });
  }

  /** Warns of requests that the model cannot fulfil; the recording continues without them. */
  warnOfUnsupported({ language }: Partial<RecordingConfig>): void {
    const detail = unsupportedLanguage(language, this.context.engine.model.manifest);
    if (detail !== null) this.tell({ type: 'warning', code: 'NOT_SUPPORTED', detail });
  }

  /** Phrases as the graph takes them, or null if none remain. Warns of phrases that were left out. */
  compile(hotwords: RecordingConfig['hotwords']): Int32Array | null {
    const { edges, warning } = compileHotwords(this.context.engine.hotwords, hotwords);
    if (warning !== null) this.tell({ type: 'warning', code: 'NOT_SUPPORTED', detail: warning });
    return edges;
  }
}
