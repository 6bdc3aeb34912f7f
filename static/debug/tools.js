/**
 * Debug tools for anybody who builds on the client library: a panel, and the same checks as functions.
 *
 *     const tools = new RNNTDebugTools();          // or { url: 'wss://…' }
 *     tools.init();                                // a panel at the foot of the page; init(root) puts it there
 *     tools.attach(client);                        // watch your own RNNTClient
 *     await tools.testConnection();
 *     await tools.runLoadTest(10, 30);
 *
 * Everything is also reachable from the browser's console. Resume tokens are hidden in logs and reports.
 */
import { AudioRecorder } from '../audio-recorder.js';
import { webSocketUrl } from '../client/endpoint.js';
import { bundledSample, FILE_RATE } from '../demo/sources.js';
import { pageParams } from '../page-token.js';
import { RNNTClient } from '../websocket-client.js';
import { audioTab } from './audio-tab.js';
import { checkBrowser, checkConnection, checkFormats } from './checks.js';
import { consoleTab } from './console-tab.js';
import { button, el, tabSet } from './dom.js';
import { loadTest } from './load-test.js';
import { EventLog } from './log.js';
import { metricsTab } from './metrics-tab.js';
import { generateTestAudio } from './test-audio.js';
import { testsTab } from './tests-tab.js';

/**
 * @typedef {import('./checks.js').CheckResult} CheckResult
 * @typedef {import('./load-test.js').LoadReport} LoadReport
 */

const MAX_CONNECTIONS = 200;
const MAX_SECONDS = 600;
const REFRESH_MS = 500;
/** Load of `runAllTests`: small, so that it can run against a server in use. */
const SMOKE_LOAD = { connections: 3, seconds: 4 };

export class RNNTDebugTools {
  log = new EventLog();
  recorder = new AudioRecorder();
  /** @type {HTMLElement | null} */
  panel = null;
  /** @type {RNNTClient | null} */
  client = null;
  /** @type {(CheckResult | LoadReport)[]} */
  results = [];
  /** @type {(() => void)[]} */
  #detach = [];
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {import('../client/types.js').ServerMetrics | null} */
  #serverMetrics = null;
  #startedAt = new Date().toISOString();

  /** @param {{ url?: string, params?: Record<string, string> }} [options] The page's own server by default. */
  constructor(options = {}) {
    // The page's token is only for the page's own server.
    const own = options.url === undefined ? { params: pageParams() } : {};
    this.options = { ...own, ...options };
  }

  /**
   * Shows the panel: in `root`, or over the foot of the page, where it can be closed.
   * @param {HTMLElement} [root]
   * @returns {this}
   */
  init(root) {
    if (this.panel) return this;
    const style = new URL('./debug.css', import.meta.url).href;
    if (!document.querySelector(`link[href="${style}"]`)) {
      document.head.append(el('link', { rel: 'stylesheet', href: style }));
    }
    const metrics = metricsTab();
    const actions = [
      button('Stream the sample', () => this.streamSample(), 'primary-button'),
      button('Ping', () => this.testConnection()),
    ];
    this.panel = el(
      'section',
      { class: root ? 'rnnt-debug' : 'rnnt-debug floating', 'aria-label': 'Debug tools' },
      tabSet('Debug tools', [
        { name: 'Console', panel: consoleTab(this.log, { actions }) },
        { name: 'Metrics', panel: metrics.panel },
        { name: 'Audio', panel: audioTab({ recorder: this.recorder, tone: generateTestAudio }) },
        { name: 'Tests', panel: testsTab(this) },
      ]),
    );
    if (!root) this.panel.append(button('Close', () => this.destroy(), 'quiet-button close'));
    (root ?? document.body).append(this.panel);
    const refresh = () =>
      metrics.show((this.client ?? new RNNTClient(this.#clientOptions())).stats, this.#serverMetrics);
    refresh();
    this.#timer = setInterval(refresh, REFRESH_MS);
    return this;
  }

  destroy() {
    clearInterval(this.#timer);
    this.recorder.stop();
    for (const detach of this.#detach.splice(0)) detach();
    this.panel?.remove();
    this.panel = null;
  }

  /**
   * Watches a client: its messages and states go to the console, its figures to the metrics.
   * @param {RNNTClient} client
   */
  attach(client) {
    for (const detach of this.#detach.splice(0)) detach();
    this.client = client;
    this.#serverMetrics = null;
    this.#detach = [
      ...this.#watch(client),
      client.on('metrics', (metrics) => {
        this.#serverMetrics = metrics;
      }),
    ];
  }

  /**
   * Writes a client's events to the console. Checks do only this, so that their figures do not replace those of the
   * recording on display.
   * @param {RNNTClient} client
   */
  #watch(client) {
    return [
      client.on('message', ({ direction, message }) =>
        this.log.add(direction, String(message.type), message),
      ),
      client.on('state', (change) => this.log.add('state', change.state, change)),
      client.on('warning', (detail) => this.log.add('warning', detail.code, detail)),
      client.on('dropped', (detail) => this.log.add('error', 'audio dropped', detail)),
      client.on('error', (detail) => this.log.add('error', detail.code, detail)),
    ];
  }

  /**
   * Streams the bundled clip at the pace of speech, watched by the tools.
   * @returns {Promise<string>} The transcript.
   */
  async streamSample() {
    const client = this.#newClient();
    this.attach(client);
    try {
      const { samples } = await bundledSample();
      await client.start({ sample_rate: FILE_RATE, metrics: true, vad_events: true });
      await client.sendAll(samples, { speed: 1 });
      const { transcript } = await client.stop();
      this.log.add('check', 'transcript', { transcript });
      return transcript;
    } finally {
      client.close();
    }
  }

  /**
   * @param {string} [url] Another server.
   * @returns {Promise<CheckResult>}
   */
  async testConnection(url = this.options.url) {
    const client = this.#newClient(url);
    this.#watch(client);
    const address = webSocketUrl(url, this.options.params ?? {});
    const status = new URL(address.replace(/^ws/, 'http'));
    status.pathname = new URL('status', status).pathname; // next to the WebSocket, also below a proxy's sub-path
    return this.#keep(await checkConnection(client, status.href));
  }

  /** @returns {Promise<CheckResult>} */
  async testAudioFormat() {
    const client = this.#newClient();
    this.#watch(client);
    return this.#keep(await checkFormats(client));
  }

  /**
   * Streams the bundled clip in a loop over many connections.
   * @param {number} [connections] 1–200.
   * @param {number} [seconds] 1–600.
   * @param {{ signal?: AbortSignal, onProgress?: (done: number) => void }} [options]
   * @returns {Promise<LoadReport>}
   */
  async runLoadTest(connections = 10, seconds = 10, { signal, onProgress } = {}) {
    const { samples } = await bundledSample();
    const report = await loadTest({
      newClient: () => this.#newClient(),
      samples,
      sampleRate: FILE_RATE,
      connections: Math.max(1, Math.min(MAX_CONNECTIONS, Math.round(connections))),
      seconds: Math.max(1, Math.min(MAX_SECONDS, seconds)),
      signal,
      onProgress,
    });
    this.results.push(report);
    this.log.add(report.failures.length > 0 ? 'error' : 'check', 'load test', report);
    return report;
  }

  /**
   * @param {number} [hz]
   * @param {number} [seconds]
   * @returns {Float32Array<ArrayBuffer>} At 16 kHz.
   */
  generateTestAudio(hz = 440, seconds = 1) {
    return generateTestAudio(hz, seconds);
  }

  /** @returns {Promise<{ ok: boolean, checks: CheckResult[], load: LoadReport }>} */
  async runAllTests() {
    const checks = [this.#keep(checkBrowser()), await this.testConnection(), await this.testAudioFormat()];
    const load = await this.runLoadTest(SMOKE_LOAD.connections, SMOKE_LOAD.seconds);
    return { ok: checks.every((c) => c.ok) && load.failures.length === 0, checks, load };
  }

  /** All information for a support request. */
  report() {
    return {
      created: new Date().toISOString(),
      started: this.#startedAt,
      browser: navigator.userAgent,
      page: location.origin + location.pathname,
      stats: this.client?.stats ?? null,
      server: this.#serverMetrics,
      results: this.results,
      log: this.log.entries,
    };
  }

  /** @returns {string} The log, one JSON object a line. */
  exportLog() {
    return this.log.toJsonLines();
  }

  /** @param {string} [url] */
  #clientOptions(url = this.options.url) {
    const { params } = this.options;
    return {
      ...(url === undefined ? {} : { url }),
      ...(params === undefined ? {} : { params }),
      reconnect: { enabled: false },
    };
  }

  /** @param {string} [url] */
  #newClient(url) {
    return new RNNTClient(this.#clientOptions(url));
  }

  /** @param {CheckResult} check */
  #keep(check) {
    this.results.push(check);
    this.log.add(check.ok ? 'check' : 'error', `${check.name} ${check.ok ? 'passed' : 'failed'}`, check);
    return check;
  }
}
