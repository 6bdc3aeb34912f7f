/** Replaces the text of Mermaid diagrams by drawings. The library is loaded only if the page has diagrams. */
import { el } from '../debug/dom.js';
import { options } from '../inspect/diagram.js';

/** Below this scale the text is unreadable: the drawing scrolls instead. */
const MIN_SCALE = 0.75;
const LIBRARY = new URL('../../vendor/mermaid/mermaid.tiny.js', import.meta.url).href;

/** @returns {Promise<import('../inspect/diagram.js').Mermaid>} */
async function library() {
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = LIBRARY;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
  return /** @type {{ mermaid: import('../inspect/diagram.js').Mermaid }} */ (
    /** @type {unknown} */ (globalThis)
  ).mermaid;
}

/**
 * Draws the diagrams, and redraws them when the theme changes. A diagram that cannot be drawn stays as text.
 * @param {HTMLElement[]} diagrams
 */
export async function drawDiagrams(diagrams) {
  const mermaid = await library().catch(() => null);
  if (mermaid === null) return;
  let round = 0;
  const draw = async () => {
    const now = ++round;
    mermaid.initialize(options());
    for (const [i, diagram] of diagrams.entries()) {
      const text = diagram.querySelector('code')?.textContent ?? '';
      const { svg } = await mermaid.render(`diagram-${i}-${now}`, text);
      if (now !== round) return; // The theme has changed again.
      place(diagram, svg);
    }
  };
  document.addEventListener('themechange', () => void draw());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => void draw());
  await draw();
}

/**
 * @param {HTMLElement} diagram
 * @param {string} svg Mermaid's own output, sanitised by it (securityLevel strict).
 */
function place(diagram, svg) {
  const drawing = el('div', { class: 'drawing', tabindex: '0', role: 'group', 'aria-label': 'Diagram' });
  drawing.innerHTML = svg;
  const image = drawing.querySelector('svg');
  const [, , width = 0] = (image?.getAttribute('viewBox') ?? '').split(' ').map(Number);
  if (image) image.style.minWidth = `${Math.round(width * MIN_SCALE)}px`;
  image?.setAttribute('role', 'img');
  image?.setAttribute('aria-label', 'Diagram, drawn from the text of this page as Markdown');
  diagram.querySelector('.drawing')?.remove();
  diagram.querySelector('pre')?.setAttribute('hidden', '');
  diagram.append(drawing);
}
