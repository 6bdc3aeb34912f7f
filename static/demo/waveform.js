/** The last seconds of audio as a row of bars, newest at the right. */

const BAR_SECONDS = 0.05;
const BAR_PX = 3;
const GAP_PX = 2;

export class Waveform {
  /** @type {number[]} Peaks 0–1, oldest first. */
  #bars = [];
  #maxBars = 400;
  #frame = 0;
  /** @type {Float32Array} */
  #rest = new Float32Array(0);
  #reduced = matchMedia('(prefers-reduced-motion: reduce)');

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.#schedule()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#schedule());
    document.addEventListener('themechange', () => this.#schedule());
  }

  clear() {
    this.#bars = [];
    this.#rest = new Float32Array(0);
    this.#schedule();
  }

  /**
   * @param {Float32Array} samples
   * @param {number} rate
   */
  push(samples, rate) {
    const barFrames = Math.round(rate * BAR_SECONDS);
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    let at = 0;
    for (; at + barFrames <= all.length; at += barFrames) {
      let peak = 0;
      for (let i = at; i < at + barFrames; i += 1) peak = Math.max(peak, Math.abs(all[i] ?? 0));
      this.#bars.push(peak);
    }
    this.#rest = all.slice(at);
    if (this.#bars.length > this.#maxBars) this.#bars.splice(0, this.#bars.length - this.#maxBars);
    this.#schedule();
  }

  #schedule() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext('2d');
    if (!context) return;
    const style = getComputedStyle(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const fit = Math.floor(width / (BAR_PX + GAP_PX));
    // For users who prefer reduced motion, the picture is redrawn a screenful at a time instead of moving.
    const total = this.#bars.length;
    const shown = this.#reduced.matches
      ? this.#bars.slice(Math.floor(total / fit) * fit)
      : this.#bars.slice(-fit);
    const from = this.#reduced.matches ? 0 : width - shown.length * (BAR_PX + GAP_PX);
    context.fillStyle = style.getPropertyValue('--wave-rest');
    for (let x = width - BAR_PX; x > -BAR_PX; x -= BAR_PX + GAP_PX)
      context.fillRect(x, height / 2 - 1, BAR_PX, 2);
    context.fillStyle = style.getPropertyValue('--wave');
    shown.forEach((peak, i) => {
      const size = Math.max(2, Math.sqrt(peak) * (height - 4));
      context.fillRect(from + i * (BAR_PX + GAP_PX), (height - size) / 2, BAR_PX, size);
    });
  }
}

/**
 * A meter from −60 to 0 dBFS, by width and by text.
 * @param {HTMLElement} root A role="meter" element with a child that is the bar.
 * @param {number} dbfs
 */
export function showLevel(root, dbfs) {
  const shown = Math.round(Math.max(-60, Math.min(0, dbfs)));
  root.style.setProperty('--level', String((shown + 60) / 60));
  root.setAttribute('aria-valuenow', String(shown));
  root.setAttribute('aria-valuetext', shown <= -60 ? 'silence' : `${shown} decibels`);
  root.dataset.zone = shown > -3 ? 'clipping' : shown > -45 ? 'speech' : 'quiet';
}
