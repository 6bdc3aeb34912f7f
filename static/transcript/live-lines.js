/** The open words: one line, or one per channel, with the stable part marked. */
import { element, splitPartial } from './words.js';

/** @typedef {import('../client/types.js').Partial} Partial */

export class LiveLines {
  root = element('div', 'live-lines');
  /** @type {Map<number | undefined, HTMLElement>} By channel. */
  #lines = new Map();

  /** @param {(channel: number) => string} speaker */
  constructor(speaker) {
    this.speaker = speaker;
  }

  /** @param {Partial} partial */
  show({ channel, text, stable_chars }) {
    const known = this.#lines.get(channel);
    // If words are retracted and none are left for a moment, their line stays, so that nothing jumps or flashes.
    if (text.trim() === '' && (!known || known.hidden)) return;
    const line = known ?? this.#add(channel);
    const { stable, open } = splitPartial({ text, stable_chars });
    const who = channel === undefined ? [] : [element('b', 'speaker', this.speaker(channel)), ' '];
    line.replaceChildren(...who, element('span', 'stable', stable), element('span', 'open', open));
    line.classList.remove('settled');
    line.hidden = false;
  }

  /**
   * A channel's words are final; without a channel, those of all channels.
   * @param {number} [channel]
   */
  clear(channel) {
    for (const [key, line] of this.#lines) {
      if (channel !== undefined && key !== channel) continue;
      line.replaceChildren();
      line.hidden = true;
    }
  }

  /** Nothing more will come: the words stay, for reading and copying. */
  settle() {
    for (const line of this.#lines.values()) line.classList.add('settled');
  }

  /** @returns {string[]} The open words, one line per channel that has some. */
  get texts() {
    return [...this.#lines.values()]
      .map((line) => line.textContent ?? '')
      .filter((text) => text.trim() !== '');
  }

  /** @param {number | undefined} channel */
  #add(channel) {
    const line = element('p', 'partial');
    line.setAttribute('dir', 'auto');
    if (channel !== undefined) line.dataset.channel = String(channel);
    this.#lines.set(channel, line);
    const inOrder = [...this.#lines].sort(([a], [b]) => (a ?? 0) - (b ?? 0)).map(([, node]) => node);
    this.root.replaceChildren(...inOrder);
    return line;
  }
}
