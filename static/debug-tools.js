/**
 * The debug tools for any page, as a classic script:
 *
 *     <script src="debug-tools.js"></script>
 *     <script>
 *       const tools = new RNNTDebugTools();          // or { url: 'wss://…' }
 *       tools.init();                                // a panel at the foot of the page; init(root) puts it there
 *       tools.runLoadTest(10, 30).then(console.log);
 *     </script>
 *
 * The tools themselves are modules: pages that use modules import `RNNTDebugTools` from debug/tools.js. Here they
 * begin to load with `new`. What answers with a promise waits for them, and so do `init`, `attach` and `destroy`, in
 * the order in which they were called; `ready` resolves when they are there.
 */
(() => {
  /**
   * @typedef {import('./debug/tools.js').RNNTDebugTools} Tools
   * @typedef {import('./websocket-client.js').RNNTClient} RNNTClient
   */

  class RNNTDebugTools {
    /** @type {Tools | null} Null until the modules are loaded. */
    #tools = null;

    /** @param {{ url?: string, params?: Record<string, string> }} [options] The page's own server by default. */
    constructor(options) {
      /** @type {Promise<Tools>} */
      this.ready = import('./debug/tools.js').then((module) => {
        this.#tools = new module.RNNTDebugTools(options);
        return this.#tools;
      });
    }

    /** @param {HTMLElement} [root] */
    init(root) {
      this.#later((tools) => tools.init(root));
      return this;
    }

    /** @param {RNNTClient} client An RNNTClient of websocket-client.js to watch. */
    attach(client) {
      this.#later((tools) => tools.attach(client));
    }

    destroy() {
      this.#later((tools) => tools.destroy());
    }

    async streamSample() {
      return (await this.ready).streamSample();
    }

    /** @param {Parameters<Tools['testConnection']>} args */
    async testConnection(...args) {
      return (await this.ready).testConnection(...args);
    }

    async testAudioFormat() {
      return (await this.ready).testAudioFormat();
    }

    /** @param {Parameters<Tools['runLoadTest']>} args */
    async runLoadTest(...args) {
      return (await this.ready).runLoadTest(...args);
    }

    async runAllTests() {
      return (await this.ready).runAllTests();
    }

    /**
     * A sine at −12 dBFS with 10 ms ramps, at 16 kHz; a copy of the one in debug/test-audio.js, available without
     * waiting.
     * @param {number} [hz]
     * @param {number} [seconds]
     * @returns {Float32Array<ArrayBuffer>}
     */
    generateTestAudio(hz = 440, seconds = 1) {
      const rate = 16_000;
      const samples = new Float32Array(Math.round(seconds * rate));
      const ramp = Math.min(samples.length / 2, rate / 100);
      return samples.map((_, i) => {
        const gain = Math.min(1, i / ramp, (samples.length - 1 - i) / ramp);
        return 0.25 * gain * Math.sin((2 * Math.PI * hz * i) / rate);
      });
    }

    /** Information for a support request; empty while the modules load. */
    report() {
      return this.#tools?.report() ?? { results: [], log: [] };
    }

    /** @returns {string} The log, one JSON object per line. */
    exportLog() {
      return this.#tools?.exportLog() ?? '';
    }

    /** @param {(tools: Tools) => void} act */
    #later(act) {
      if (this.#tools) act(this.#tools);
      else this.ready.then(act);
    }
  }

  Object.assign(globalThis, { RNNTDebugTools });
})();
