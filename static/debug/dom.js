/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {{ [attribute: string]: string | (() => void) }} [attributes] A function is a click handler.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener('click', value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/**
 * A button.
 * @param {string} text
 * @param {() => void} onClick
 * @param {string} [className]
 */
export function button(text, onClick, className = '') {
  return el('button', { type: 'button', class: className, onclick: onClick }, text);
}

/**
 * Tabs after the ARIA pattern: one tab stop, arrow keys move, panels are labelled by their tabs.
 * @param {string} label
 * @param {{ name: string, panel: HTMLElement }[]} tabs
 */
export function tabSet(label, tabs) {
  const prefix = `tabs-${Math.random().toString(36).slice(2)}`;
  const list = el('div', { role: 'tablist', 'aria-label': label, class: 'tab-list' });
  const buttons = tabs.map(({ name, panel }, i) => {
    const tab = el('button', { type: 'button', role: 'tab', id: `${prefix}-${i}` }, name);
    panel.id = `${prefix}-panel-${i}`;
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', tab.id);
    tab.setAttribute('aria-controls', panel.id);
    tab.addEventListener('click', () => select(i));
    list.append(tab);
    return tab;
  });
  /** @param {number} index */
  const select = (index) => {
    tabs.forEach(({ panel }, i) => {
      const on = i === index;
      panel.hidden = !on;
      buttons[i]?.setAttribute('aria-selected', String(on));
      buttons[i]?.setAttribute('tabindex', on ? '0' : '-1');
    });
  };
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const from = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = (from + step + buttons.length) % buttons.length;
    select(to);
    buttons[to]?.focus();
  });
  select(0);
  return el('div', { class: 'tabs' }, list, ...tabs.map(({ panel }) => panel));
}
