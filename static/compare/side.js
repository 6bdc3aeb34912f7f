/** One of the two servers: its client, transcript and figures. */
import { painted } from '../demo/page.js';
import { connectionText } from '../demo/states.js';
import { pageParams } from '../page-token.js';
import { RNNTClient, RNNTClientError } from '../websocket-client.js';

/** A server that cannot be reached does not delay the other. */
const ATTEMPTS = 4;

/** @param {number | null} ms */
const inMs = (ms) => (ms === null ? '–' : `${Math.round(ms)} ms`);

export class Side {
  /** @type {string[]} Of the finals. */
  words = [];
  /** @type {RNNTClient | null} */
  #client = null;
  #open = '';
  #onText;

  /**
   * @param {HTMLElement} panel
   * @param {() => void} onText The transcript has changed.
   */
  constructor(panel, onText) {
    this.panel = panel;
    this.#onText = onText;
    this.text = /** @type {HTMLElement} */ (panel.querySelector('.side-text'));
    this.box = /** @type {HTMLElement} */ (panel.querySelector('.side-transcript'));
  }

  get address() {
    return this.#input.value;
  }

  set address(value) {
    this.#input.value = value;
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.panel.querySelector('input'));
  }

  /** @param {boolean} locked While it records. */
  lock(locked) {
    this.#input.readOnly = locked;
  }

  /**
   * Begins a recording; audio may be sent at once.
   * @param {import('./addresses.js').Place} place
   * @param {number} sampleRate
   */
  start({ url, isOwn }, sampleRate) {
    this.#client?.close();
    this.words = [];
    this.#open = '';
    this.#onText();
    this.#set('.side-final', '–');
    const client = new RNNTClient({
      ...(url === undefined ? {} : { url }),
      params: isOwn ? pageParams() : {},
      reconnect: { maxAttempts: ATTEMPTS },
      painted,
    });
    this.#client = client;
    client.on('connection', ({ model }) => this.#set('.side-model', `Model: ${String(model ?? 'not told')}`));
    client.on('state', (change) => this.#showState(change));
    client.on('latency', () => this.#showLatency());
    client.on('partial', ({ text }) => {
      this.#open = text;
      this.#onText();
    });
    client.on('transcription', ({ text }) => {
      this.#open = '';
      this.words.push(...text.split(/\s+/).filter((word) => word !== ''));
      this.#onText();
    });
    client.on('error', ({ text }) =>
      this.#showState({ state: 'refused', previous: 'live', reason: reasonOf(text) }),
    );
    client.start({ sample_rate: sampleRate }).catch(() => {}); // the state event has given the reason
  }

  /** @param {Float32Array} samples */
  send(samples) {
    this.#client?.send(samples);
  }

  /**
   * Sends a file at the pace of speech.
   * @param {Float32Array} samples
   * @param {AbortSignal} signal
   */
  async sendAll(samples, signal) {
    await this.#client?.sendAll(samples, { speed: 1, signal }).catch(() => {}); // stopped, or the server is gone
  }

  /** Resolves when the last word has come, or will not come. */
  async stop() {
    const client = this.#client;
    if (client === null || client.state === 'closed') return;
    const stopped = performance.now();
    try {
      await client.stop();
      this.#set('.side-final', inMs(performance.now() - stopped));
      client.close();
    } catch (error) {
      if (!(error instanceof RNNTClientError)) throw error;
      client.close();
      this.#showState({ state: 'closed', previous: 'live', reason: reasonOf(error.message) });
    }
    this.#showLatency();
  }

  /** @param {boolean[]} differs For each word of the finals. */
  show(differs) {
    /** @type {(Node | string)[]} */
    const nodes = [];
    for (let i = 0; i < this.words.length; ) {
      let end = i + 1;
      while (end < this.words.length && differs[end] === differs[i]) end += 1;
      const text = this.words.slice(i, end).join(' ');
      nodes.push(differs[i] ? element('mark', '', text) : text, ' ');
      i = end;
    }
    if (this.#open !== '') nodes.push(element('span', 'open', this.#open));
    const isAtEnd = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 40;
    this.text.replaceChildren(...nodes);
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
    this.#set('.side-words', this.words.length === 0 ? '–' : String(this.words.length));
  }

  #showLatency() {
    const { p50, p95 } = this.#client?.stats.wordMs ?? { p50: null, p95: null };
    this.#set('.side-word', inMs(p50));
    this.#set('.side-word-95', p95 === null ? '' : `p95 ${inMs(p95)}`);
  }

  /** @param {import('../client/types.js').StateChange} change */
  #showState(change) {
    const { state, text } = connectionText(change);
    const isBad = state === 'refused' || state === 'failed';
    /** @type {HTMLElement} */ (this.panel.querySelector('.state-chip')).dataset.state = state;
    this.#set('.state-text', isBad && change.reason ? `${text}: ${change.reason.text}` : text);
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  #set(selector, text) {
    const node = this.panel.querySelector(selector);
    if (node) node.textContent = text;
  }
}

const reasonOf = (/** @type {string} */ text) => ({ code: 'FAILED', text, retryable: false });

/**
 * @param {string} name
 * @param {string} className
 * @param {string} text
 */
function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
