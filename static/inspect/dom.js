/** Text is inserted only as text: every element is created here, none from a string of HTML. */

/**
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}.`);
  return /** @type {T} */ (/** @type {unknown} */ (element));
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** `refuse(NOT_RECORDING)`. @param {import('./messages.js').ActionInfo} action */
export function actionText({ type, params }) {
  return params === undefined ? type : `${type}(${Object.values(params).join(', ')})`;
}

/** A state's name without its machine and without `open`, which every living session is. @param {string} id */
export function shortState(id) {
  return id.replace(/^[^.]+\./, '').replace(/^open\.(?=.)/, '');
}

/** The same without the region, where it is clear which is meant. @param {string} id */
export function leafState(id) {
  return shortState(id).replace(/^(activity|transport)\.(?=.)/, '');
}
