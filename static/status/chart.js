/**
 * A small line chart over time, drawn by uPlot: the page's colours, lines that differ in dash as well as in colour, and
 * the newest values as text next to it for users who cannot see the canvas.
 */

/** @type {typeof import('uplot')} */
const UPlot = (await import(new URL('../../vendor/uplot/uPlot.esm.js', import.meta.url).href)).default;

const DASHES = [[], [6, 4], [2, 3], [9, 3, 2, 3]];
const COLOURS = ['--line-1', '--line-2', '--line-3', '--line-4'];
const HEIGHT_PX = 150;
/** Distance between the ticks of the value axis: 1, 2 or 5 times a power of ten. */
const STEPS = [-2, -1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));

/**
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {string} [hint]
 * @property {string} unit
 * @property {number} [digits]
 * @property {[column: string, label: string][]} lines
 */

export class Chart {
  /** @type {HTMLElement[]} */
  #values = [];

  /**
   * @param {HTMLElement} root
   * @param {ChartOptions} options
   */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.format = new Intl.NumberFormat(undefined, { maximumFractionDigits: options.digits ?? 0 });
    root.classList.add('chart', 'panel');
    const title = document.createElement('h2');
    title.textContent = options.title;
    if (options.hint) title.title = options.hint;
    this.canvas = document.createElement('div');
    this.canvas.className = 'chart-canvas';
    this.canvas.setAttribute('role', 'img');
    this.note = document.createElement('p');
    this.note.className = 'hint chart-empty';
    this.note.textContent = 'No measurements yet.';
    root.replaceChildren(title, this.#legend(), this.canvas, this.note);
    this.plot = this.#build();
    new ResizeObserver(() => this.plot.setSize(this.#size())).observe(this.canvas);
    const rebuild = () => {
      const { data } = this.plot;
      this.plot.destroy();
      this.plot = this.#build(data);
    };
    document.addEventListener('themechange', rebuild);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', rebuild);
  }

  #legend() {
    const list = document.createElement('ul');
    list.className = 'chart-legend';
    this.#values = this.options.lines.map(([, label], i) => {
      const item = document.createElement('li');
      const key = document.createElement('span');
      key.className = `line-key key-${i + 1}`;
      const value = document.createElement('b');
      value.textContent = '–';
      item.append(key, `${label} `, value);
      list.append(item);
      return value;
    });
    return list;
  }

  /** @param {import('uplot').AlignedData} [data] */
  #build(data = /** @type {import('uplot').AlignedData} */ ([[], ...this.options.lines.map(() => [])])) {
    const style = getComputedStyle(this.root);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      font: `11px ${style.fontFamily}`,
      grid: { stroke: colour('--border'), width: 1 },
      ticks: { show: false },
    };
    return new UPlot(
      {
        ...this.#size(),
        padding: [8, 28, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: (_u, min, max) => timeRange(min, max) },
          y: { range: (_u, _min, max) => [0, this.#top(max ?? 0)] },
        },
        axes: [
          {
            ...axis,
            space: 80,
            size: 24,
            values: (_u, splits) => splits.map((t) => clock.format(t * 1_000)),
          },
          // Never finer than the displayed precision, or two ticks would look the same.
          {
            ...axis,
            size: 52,
            space: 26,
            incrs: STEPS.filter((step) => step >= 10 ** -(this.options.digits ?? 0)),
            values: (_u, splits) => splits.map((v) => this.format.format(v)),
          },
        ],
        series: [
          {},
          ...this.options.lines.map(([, label], i) => ({
            label,
            stroke: colour(COLOURS[i] ?? '--fg'),
            width: 2,
            dash: DASHES[i] ?? [],
            points: { show: false },
          })),
        ],
      },
      data,
      this.canvas,
    );
  }

  /**
   * The end of the axis: some room above the highest value; 1 for shares.
   * @param {number} max
   */
  #top(max) {
    if (this.options.unit === '%') return 100;
    return Math.max(this.options.digits ? 1 : 4, max * 1.1);
  }

  #size() {
    return { width: Math.max(120, this.canvas.clientWidth), height: HEIGHT_PX };
  }

  /** @param {import('./history.js').History} history */
  show(history) {
    const columns = this.options.lines.map(([name]) => history.columns[name] ?? []);
    this.plot.setData(/** @type {import('uplot').AlignedData} */ ([history.times, ...columns]));
    const isEmpty = columns.every((column) => column.every((value) => value === null || value === 0));
    this.note.hidden = !isEmpty;
    const texts = columns.map((column) => this.#text(column[column.length - 1] ?? null));
    texts.forEach((text, i) => {
      const node = this.#values[i];
      if (node) node.textContent = text;
    });
    const said = this.options.lines.map(([, label], i) => `${label} ${texts[i]}`).join(', ');
    this.canvas.setAttribute('aria-label', `${this.options.title}: now ${said}`);
  }

  /** @param {number | null} value */
  #text(value) {
    return value === null ? '–' : `${this.format.format(value)} ${this.options.unit}`.trim();
  }
}

/** Minimum length of the time axis, seconds: a page that was just opened has only one point. */
const LEAST_SECONDS = 60;

/**
 * @param {number | null} min Unix seconds; null where there is no point yet.
 * @param {number | null} max
 * @returns {[number, number]}
 */
export function timeRange(min, max) {
  const end = max ?? Date.now() / 1_000;
  return [Math.min(min ?? end, end - LEAST_SECONDS), end];
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
