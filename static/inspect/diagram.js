/**
 * The diagram: drawn by Mermaid once for a machine and a theme, then lit by classes on its SVG.
 *
 * @typedef {object} Mermaid
 * @property {(options: Record<string, unknown>) => void} initialize
 * @property {(id: string, text: string) => Promise<{ svg: string }>} render
 */
import { byId, shortState } from './dom.js';

const SVG_ID = 'machine';
const NARROW_PX = 760;
/** Below this scale the text is unreadable: the drawing scrolls instead. */
const MIN_SCALE = 0.8;
const ZOOM_STEP = 1.25;
const PULSE_MS = 1_400;

/** @param {string} stateId As in src/inspect/mermaid.ts. */
const mermaidId = (stateId) => stateId.replaceAll('.', '_');

export class Diagram {
  #canvas = byId('canvas');
  #details = byId('details');
  /** @type {import('./messages.js').Machine | null} */
  #machine = null;
  /** @type {string[]} */
  #active = [];
  /** @type {Map<string, Element[]>} By the state's id. */
  #boxes = new Map();
  /** @type {{ source: string, target: string, parts: Element[] }[]} */
  #edges = [];
  /** Relative to the size that fits, or to the smallest readable size if that is larger. */
  #zoom = 1;
  #mustFit = false;
  #natural = { width: 0, height: 0 };
  #drawn = 0;

  constructor() {
    byId('zoom-in').addEventListener('click', () => this.#setZoom(this.#zoom * ZOOM_STEP));
    byId('zoom-out').addEventListener('click', () => this.#setZoom(this.#zoom / ZOOM_STEP));
    byId('zoom-fit').addEventListener('click', () => {
      this.#mustFit = true;
      this.#setZoom(1);
    });
    const redraw = () => void this.#draw();
    this.#details.addEventListener('click', () => {
      this.#details.setAttribute('aria-pressed', String(!this.#isFull));
      redraw();
    });
    document.addEventListener('themechange', redraw);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    matchMedia(`(max-width: ${NARROW_PX}px)`).addEventListener('change', redraw);
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
  }

  /** Whether actions are drawn too. */
  get #isFull() {
    return this.#details.getAttribute('aria-pressed') === 'true';
  }

  /** @param {import('./messages.js').Machine} machine */
  async show(machine) {
    if (this.#machine?.name === machine.name && this.#boxes.size > 0) return;
    this.#machine = machine;
    this.#zoom = 1;
    this.#mustFit = false;
    await this.#draw();
  }

  /** Lights the active states and no others. @param {string[]} active */
  light(active) {
    this.#active = active;
    for (const [id, boxes] of this.#boxes) {
      for (const box of boxes) box.classList.toggle('lit', active.includes(id));
    }
  }

  /**
   * Shows an arrow being taken. A composite state's own transition may be drawn from its children.
   * @param {import('./messages.js').TransitionInfo} transition
   * @param {string[]} from The states that were active before.
   */
  pulse({ source, target }, from) {
    const boxes = target === null ? (this.#boxes.get(source) ?? []) : [];
    const children = from.filter((id) => id.startsWith(`${source}.`)).map(mermaidId);
    const edges = this.#edges.filter(
      (edge) =>
        target !== null &&
        edge.target === mermaidId(target) &&
        (edge.source === mermaidId(source) || children.includes(edge.source)),
    );
    for (const part of [...boxes, ...edges.flatMap((edge) => edge.parts)]) {
      part.classList.remove('taken');
      part.getBoundingClientRect(); // Restarts a running animation.
      part.classList.add('taken');
      setTimeout(() => part.classList.remove('taken'), PULSE_MS);
    }
  }

  async #draw() {
    const mermaid = /** @type {{ mermaid?: Mermaid }} */ (/** @type {unknown} */ (globalThis)).mermaid;
    if (this.#machine === null) return;
    if (mermaid === undefined) {
      this.#canvas.textContent =
        'The drawing library could not be loaded. The table below has the same content.';
      return;
    }
    const ticket = ++this.#drawn;
    const drawings = this.#isFull ? this.#machine.mermaid.full : this.#machine.mermaid.brief;
    const text = innerWidth <= NARROW_PX ? drawings.TB : drawings.LR;
    mermaid.initialize(options());
    const { svg } = await mermaid.render(SVG_ID, text);
    if (ticket !== this.#drawn) return; // Another machine or theme was chosen meanwhile.
    this.#place(svg);
    this.#index(text);
    this.light(this.#active);
  }

  /** @param {string} svg Mermaid's own output, sanitised by it (securityLevel strict). */
  #place(svg) {
    this.#canvas.innerHTML = svg;
    const element = this.#canvas.querySelector('svg');
    if (element === null || this.#machine === null) return;
    const [, , width = 0, height = 0] = (element.getAttribute('viewBox') ?? '').split(' ').map(Number);
    this.#natural = { width, height };
    element.setAttribute('role', 'img');
    element.setAttribute('aria-label', `The ${this.#machine.name} machine`);
    element.removeAttribute('style');
    this.#resize();
  }

  /** Finds the boxes and arrows in the SVG. Mermaid numbers arrows in the order of the text's lines. */
  #index(/** @type {string} */ text) {
    const elements = [...this.#canvas.querySelectorAll('g[id]')];
    this.#boxes = new Map(
      (this.#machine?.graph.states ?? []).map((state) => {
        const name = new RegExp(`^${SVG_ID}-state-${mermaidId(state.id)}-\\d+$`);
        return [state.id, elements.filter(({ id }) => name.test(id))];
      }),
    );
    const arrows = text.split('\n').flatMap((line) => {
      const match = /^\s*(\S+) --> (\S+)/.exec(line);
      return match === null ? [] : [{ source: match[1] ?? '', target: match[2] ?? '' }];
    });
    this.#edges = arrows.map((arrow, index) => ({
      ...arrow,
      parts: [...this.#canvas.querySelectorAll(`[data-id="edge${index}"]`)],
    }));
    for (const [id, boxes] of this.#boxes) {
      const description = this.#machine?.graph.states.find((state) => state.id === id)?.description ?? '';
      for (const box of boxes) addTitle(box, `${shortState(id)}: ${description}`);
    }
  }

  /** @param {number} zoom */
  #setZoom(zoom) {
    this.#zoom = Math.min(4, Math.max(0.5, zoom));
    this.#resize();
  }

  /** Fits the width, never larger than drawn, and never too small to read unless fitting was requested. */
  #resize() {
    const svg = this.#canvas.querySelector('svg');
    const { width, height } = this.#natural;
    if (svg === null || width === 0) return;
    const fit = Math.min(1, (this.#canvas.clientWidth - 2) / width);
    const scale = (this.#mustFit ? fit : Math.max(fit, MIN_SCALE)) * this.#zoom;
    svg.setAttribute('width', String(Math.round(width * scale)));
    svg.setAttribute('height', String(Math.round(height * scale)));
  }
}

/** @param {Element} box @param {string} text */
function addTitle(box, text) {
  const title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  title.textContent = text;
  box.prepend(title);
}

/** Mermaid's options in the colours of the page. */
export function options() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name @param {string} fallback */
  const of = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const panel = of('--panel', '#ffffff');
  const foreground = of('--fg', '#1e1b17');
  const muted = of('--muted', '#665f55');
  return {
    startOnLoad: false,
    securityLevel: 'strict',
    theme: 'base',
    fontFamily: of('--sans', 'system-ui, sans-serif'),
    themeVariables: {
      background: panel,
      primaryColor: panel,
      primaryTextColor: foreground,
      primaryBorderColor: muted,
      lineColor: muted,
      textColor: foreground,
      mainBkg: panel,
      altBackground: of('--sunken', '#f0f0f0'),
      compositeBackground: panel,
      compositeTitleBackground: of('--sunken', '#f0f0f0'),
      edgeLabelBackground: panel,
      transitionLabelColor: muted,
      fontSize: '15px',
    },
    state: { nodeSpacing: 36, rankSpacing: 44 },
  };
}
