/**
 * @typedef {'in' | 'out' | 'state' | 'check' | 'warning' | 'error'} LogKind
 * @typedef {{ at: string, kind: LogKind, what: string, detail: unknown }} LogEntry `at`: ISO-8601.
 */

/** Events, newest last; above `size` the oldest are dropped. */
export class EventLog extends EventTarget {
  /** @type {LogEntry[]} */
  entries = [];

  /** @param {number} [size] */
  constructor(size = 1_000) {
    super();
    this.size = size;
  }

  /**
   * @param {LogKind} kind
   * @param {string} what
   * @param {unknown} [detail]
   */
  add(kind, what, detail = null) {
    const entry = { at: new Date().toISOString(), kind, what, detail: redact(detail) };
    this.entries.push(entry);
    if (this.entries.length > this.size) this.entries.shift();
    this.dispatchEvent(new CustomEvent('entry', { detail: entry }));
  }

  clear() {
    this.entries = [];
    this.dispatchEvent(new CustomEvent('clear'));
  }

  /** @returns {string} One JSON object a line. */
  toJsonLines() {
    return this.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }
}

/**
 * Logs are shared with others, and anyone with a resume token could take over the session.
 * @param {unknown} detail
 */
export function redact(detail) {
  if (typeof detail !== 'object' || detail === null || !('resume_token' in detail)) return detail;
  return { ...detail, resume_token: '(hidden)' };
}
