/**
 * @typedef {object} Entry Audio, or a control message at its exact place in the audio.
 * @property {number} start Position in the log, frames.
 * @property {number} end The same as `start` for a control message.
 * @property {Uint8Array<ArrayBuffer> | null} bytes
 * @property {Record<string, unknown> | null} message
 * @property {number} pushedAtMs
 * @property {number} sentAtMs −1 while not sent.
 */

/**
 * What is on its way to the server, in order, and kept until it is no longer needed:
 *
 *     discarded │ kept: heard, but no final yet │ sent, not acknowledged │ not sent
 *               ▲ head                          ▲ acknowledged           ▲ cursor    ▲ end
 *
 * After a drop the cursor goes back to the position that the server names (`rewind`), or, where the server
 * has forgotten the session, to the end of the last final segment (`rebase`).
 */
export class AudioLog {
  /** @type {Entry[]} */
  #entries = [];
  #cursor = 0;
  #end = 0;
  #acknowledged = 0;
  #keepFrom = 0;
  /** Log position of the server's sample 0. */
  #base = 0;

  /**
   * @param {{ bytesPerFrame: number, maxKeptFrames: number }} options `maxKeptFrames` bounds what is kept
   *   only in case the server forgets the session.
   */
  constructor(options) {
    this.options = options;
    /** False for servers that never acknowledge: then nothing is kept after sending. */
    this.resumable = true;
  }

  get end() {
    return this.#end;
  }

  get base() {
    return this.#base;
  }

  get acknowledged() {
    return this.#acknowledged;
  }

  get unsentFrames() {
    return this.#end - (this.#entries[this.#cursor]?.start ?? this.#end);
  }

  get unacknowledgedFrames() {
    return this.resumable ? this.#end - this.#acknowledged : this.unsentFrames;
  }

  get drained() {
    return this.#cursor === this.#entries.length;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {number} pushedAtMs
   */
  appendAudio(bytes, pushedAtMs) {
    const start = this.#end;
    this.#end += bytes.length / this.options.bytesPerFrame;
    this.#entries.push({ start, end: this.#end, bytes, message: null, pushedAtMs, sentAtMs: -1 });
  }

  /** @param {Record<string, unknown>} message */
  appendMessage(message) {
    this.#entries.push({
      start: this.#end,
      end: this.#end,
      bytes: null,
      message,
      pushedAtMs: 0,
      sentAtMs: -1,
    });
  }

  /**
   * @param {number} nowMs
   * @returns {Entry | undefined} The next thing to send, which counts as sent from now on.
   */
  next(nowMs) {
    const entry = this.#entries[this.#cursor];
    if (!entry) return undefined;
    entry.sentAtMs = nowMs;
    this.#cursor += 1;
    if (!this.resumable) this.#discard();
    return entry;
  }

  /** @param {number} serverFrames `received_samples` of an `ack`. */
  acknowledge(serverFrames) {
    this.#acknowledged = Math.max(this.#acknowledged, Math.min(this.#end, this.#base + serverFrames));
    this.#discard();
  }

  /** @param {number} position Log position of the last final segment's end: nothing before it is recorded again. */
  keepFrom(position) {
    this.#keepFrom = Math.max(this.#keepFrom, position);
    this.#discard();
  }

  /**
   * Sends again from the server's position on.
   * @param {number} serverFrames `received_samples` of `resumed`.
   */
  rewind(serverFrames) {
    const position = this.#base + serverFrames;
    this.#acknowledged = Math.max(this.#acknowledged, Math.min(position, this.#end));
    this.#seek(position);
  }

  /** Everything counts as sent, control messages too: the server has already finished with this log. */
  skipAll() {
    this.#cursor = this.#entries.length;
  }

  /**
   * A new session: its sample 0 is the oldest audio that no final segment covers.
   * @returns {number} Frames that were heard by the old session only and will be sent again.
   */
  rebase() {
    const oldest = this.#entries[0]?.start ?? this.#end;
    const position = Math.min(this.#end, Math.max(oldest, this.#keepFrom));
    const again = this.#acknowledged - position;
    this.#seek(position);
    this.#entries.splice(0, this.#cursor);
    this.#cursor = 0;
    this.#base = position;
    this.#acknowledged = position;
    return Math.max(0, again);
  }

  /**
   * When the audio that ends at (or first covers) a position was handed over and sent.
   * @param {number} position Log position, frames.
   * @returns {Entry | undefined}
   */
  at(position) {
    for (let i = this.#cursor - 1; i >= 0; i -= 1) {
      const entry = this.#entries[i];
      if (!entry?.bytes) continue;
      if (entry.start < position && position <= entry.end) return entry;
      if (entry.end < position) return undefined;
    }
    return undefined;
  }

  /** @param {number} position */
  #seek(position) {
    const index = this.#entries.findIndex((e) => (e.bytes ? e.end > position : e.end >= position));
    this.#cursor = index === -1 ? this.#entries.length : index;
    const entry = this.#entries[this.#cursor];
    if (!entry?.bytes || entry.start >= position) return;
    // The server stopped in the middle of a chunk: cut it, so that both sides count the same samples.
    const cut = (position - entry.start) * this.options.bytesPerFrame;
    const head = { ...entry, end: position, bytes: entry.bytes.slice(0, cut) };
    const tail = { ...entry, start: position, bytes: entry.bytes.slice(cut) };
    this.#entries.splice(this.#cursor, 1, head, tail);
    this.#cursor += 1;
  }

  #discard() {
    const heard = this.resumable ? this.#acknowledged : this.#end;
    const keep = this.resumable ? Math.min(heard, this.#keepFrom) : heard;
    const floor = Math.max(keep, heard - this.options.maxKeptFrames);
    let drop = 0;
    while (drop < this.#cursor) {
      const entry = this.#entries[drop];
      if (!entry || (entry.bytes ? entry.end > floor : entry.end >= floor && this.resumable)) break;
      drop += 1;
    }
    if (drop === 0) return;
    this.#entries.splice(0, drop);
    this.#cursor -= drop;
  }
}
