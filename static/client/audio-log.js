/**
 * @typedef {object} Entry Audio, or a control message at its exact place in the audio.
 * @property {number} start Position in the log, frames.
 * @property {number} end The same as `start` for a control message.
 * @property {Uint8Array<ArrayBuffer> | null} bytes
 * @property {Record<string, unknown> | null} message
 * @property {number} controls How many control messages of the present recording come before its end; a message counts
 *   itself.
 * @property {boolean} [answered] Of a `finalize`.
 *
 * @typedef {{ from: number, to: number }} Gap Positions in the log, frames.
 */

/**
 * What is on its way to the server, in order, and kept until it is no longer needed:
 *
 *     discarded │ kept: heard, but no final yet │ sent, not acknowledged │ not sent
 *               ▲ oldest                        ▲ acknowledged           ▲ cursor    ▲ end
 *
 * After a drop the cursor goes back to the position that the server names (`rewind`), or, where the server
 * has forgotten the session, to the end of the last final segment (`rebase`). So the log is trimmed at the older of
 * the acknowledgement and the last final, and never holds more acknowledged audio than `maxKeptFrames`.
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
  /** The server reports its position. Until its first report, sent audio counts as received. */
  #acknowledging = false;
  #settled = 0;
  /** Control messages appended since the server's sample 0. */
  #controls = 0;
  /** How many of them the server has; those are left out when audio is sent again. */
  #heardControls = 0;
  /** @type {(message: Record<string, unknown>) => void} Called with each message that will not be sent again. */
  onForgotten = () => {};

  /**
   * @param {{ bytesPerFrame: number, maxKeptFrames: number, maxBacklogFrames: number }} options `maxKeptFrames`
   *   bounds what is kept only in case the server forgets the session.
   */
  constructor(options) {
    this.options = options;
    /** The server can resume: it may need everything before its first acknowledgement. */
    this.resumable = false;
  }

  get end() {
    return this.#end;
  }

  get base() {
    return this.#base;
  }

  /** The first frame that can be sent again, counted from the server's sample 0. */
  get keptFrames() {
    return Math.max(0, this.#oldest - this.#base);
  }

  get unsentFrames() {
    return this.#end - this.#sent;
  }

  get unacknowledgedFrames() {
    return this.#end - this.#heard;
  }

  /** Log position up to which the server reports to have the audio; null if it does not report. */
  get acknowledged() {
    return this.#acknowledging ? this.#acknowledged : null;
  }

  /** Whether more audio than at the last call is acknowledged, or covered by a final. */
  progressed() {
    const before = this.#settled;
    this.#settled = Math.max(before, this.#acknowledged, this.#keepFrom);
    return this.#settled > before;
  }

  get drained() {
    return this.#cursor === this.#entries.length;
  }

  /** Control messages that are still here, in order. */
  get messages() {
    return this.#entries.flatMap(({ message }) => (message ? [message] : []));
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  appendAudio(bytes) {
    const start = this.#end;
    this.#end += bytes.length / this.options.bytesPerFrame;
    this.#entries.push({ start, end: this.#end, bytes, message: null, controls: this.#controls });
  }

  /** @param {Record<string, unknown>} message */
  appendMessage(message) {
    this.#controls += 1;
    this.#entries.push({
      start: this.#end,
      end: this.#end,
      bytes: null,
      message,
      controls: this.#controls,
    });
  }

  /** @returns {Entry | undefined} The next thing to send, which counts as sent from now on. */
  next() {
    for (;;) {
      const entry = this.#entries[this.#cursor];
      if (!entry) return undefined;
      this.#cursor += 1;
      if (!this.#acknowledging) this.#discard();
      if (entry.bytes || entry.controls > this.#heardControls) return entry;
    }
  }

  /** @param {number} frames What an `ack` says that the server has, from its sample 0 on. */
  acknowledge(frames) {
    this.#acknowledging = true;
    this.#acknowledged = Math.max(this.#acknowledged, Math.min(this.#end, this.#base + frames));
    this.#discard();
  }

  /** @param {number} position Log position up to which everything is recognised for good. */
  keepFrom(position) {
    this.#keepFrom = Math.max(this.#keepFrom, Math.min(position, this.#end));
    this.#discard();
  }

  /** The oldest `finalize` is answered: everything before it is recognised, and it is not sent to another session. */
  finalized() {
    const sent = this.#entries.slice(0, this.#cursor);
    const entry = sent.find(({ message, answered }) => message?.type === 'finalize' && !answered);
    if (!entry) return;
    entry.answered = true;
    this.keepFrom(entry.start);
  }

  /**
   * Sends again from the server's position.
   * @param {number} frames What `resumed` says that the server has, from its sample 0 on.
   * @param {number} [controls] How many control messages it has; by default those before that position.
   * @returns {Gap | null} Audio that the server lacks although it had acknowledged it; its sample numbers go on
   *   after the gap.
   */
  rewind(frames, controls) {
    this.#heardControls = controls ?? 0;
    const wanted = Math.min(this.#base + frames, this.#end);
    const position = Math.max(wanted, this.#oldest);
    this.#base += position - wanted;
    this.#acknowledging = true;
    // No acknowledgement: the server has so much, and may die before it has written it down for another one.
    this.#acknowledged = Math.min(this.#acknowledged, position);
    this.#seek(position, controls);
    return position > wanted ? { from: wanted, to: position } : null;
  }

  /** Marks everything as sent, including control messages: the server has already finished with this log. */
  skipAll() {
    this.#cursor = this.#entries.length;
  }

  /**
   * A new recording on the server: its sample 0 is the oldest audio without a final.
   * @param {(message: Record<string, unknown>) => boolean} [unwanted] Messages that are not sent again.
   * @returns {Gap | null} Audio that no final covers and that is no longer here.
   */
  rebase(unwanted = () => false) {
    const position = Math.max(this.#oldest, this.#keepFrom);
    const gap = position > this.#keepFrom ? { from: this.#keepFrom, to: position } : null;
    this.#seek(position);
    this.#forget(this.#cursor);
    this.#entries = this.#entries.filter((e) => !e.message || !(e.answered || unwanted(e.message)));
    this.#controls = 0;
    this.#heardControls = 0;
    for (const entry of this.#entries) {
      if (entry.message) this.#controls += 1;
      entry.controls = this.#controls;
    }
    this.#base = position;
    this.#acknowledged = position;
    this.#keepFrom = position;
    this.#acknowledging = false;
    return gap;
  }

  get #oldest() {
    return this.#entries[0]?.start ?? this.#end;
  }

  get #sent() {
    return this.#entries[this.#cursor]?.start ?? this.#end;
  }

  get #heard() {
    return this.#acknowledging ? this.#acknowledged : this.#sent;
  }

  /**
   * @param {number} position
   * @param {number} [controls]
   */
  #seek(position, controls) {
    const index = this.#entries.findIndex((e) => {
      if (e.bytes) return e.end > position;
      return controls === undefined ? e.end >= position : e.controls > controls;
    });
    this.#cursor = index === -1 ? this.#entries.length : index;
    const entry = this.#entries[this.#cursor];
    if (!entry?.bytes || entry.start >= position) return;
    // The server stopped in the middle of a chunk: splits it, so that both sides count the same samples.
    const cut = (position - entry.start) * this.options.bytesPerFrame;
    const head = { ...entry, end: position, bytes: entry.bytes.slice(0, cut) };
    const tail = { ...entry, start: position, bytes: entry.bytes.slice(cut) };
    this.#entries.splice(this.#cursor, 1, head, tail);
    this.#cursor += 1;
  }

  #discard() {
    const { maxKeptFrames, maxBacklogFrames } = this.options;
    const kept = this.resumable && !this.#acknowledging ? maxBacklogFrames : maxKeptFrames;
    const heard = Math.min(this.#heard, this.#sent);
    // A final is no acknowledgement: another server goes on from where the session was last written down.
    const safe = this.resumable && !this.#acknowledging ? this.#acknowledged : heard;
    const floor = Math.max(Math.min(safe, this.#keepFrom), heard - kept);
    let drop = 0;
    while (drop < this.#cursor) {
      const entry = this.#entries[drop];
      // A message exactly at the floor may be unknown to the server: only audio shows its position.
      if (!entry || (entry.bytes ? entry.end > floor : entry.end >= floor)) break;
      drop += 1;
    }
    this.#forget(drop);
  }

  /** @param {number} count Of the oldest entries, which were sent. */
  #forget(count) {
    if (count === 0) return;
    this.#cursor -= count;
    for (const { message } of this.#entries.splice(0, count)) if (message) this.onForgotten(message);
  }
}
