/** Theme: light, dark or the system's; remembered on this device. Include it early: it sets no styles itself. */
const KEY = 'rnnt-theme';
const THEMES = ['auto', 'light', 'dark'];
const LABELS = { auto: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' };

/** @param {string} theme */
function apply(theme) {
  const known = /** @type {keyof typeof LABELS} */ (THEMES.includes(theme) ? theme : 'auto');
  if (known === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = known;
  for (const button of document.querySelectorAll('[data-theme-toggle]')) {
    button.setAttribute('aria-label', LABELS[known]);
    button.setAttribute('title', LABELS[known]);
    button.setAttribute('data-theme-toggle', known);
  }
  document.dispatchEvent(new CustomEvent('themechange'));
}

function stored() {
  try {
    return localStorage.getItem(KEY) ?? 'auto';
  } catch {
    return 'auto'; // Storage may be forbidden; then the system's theme applies.
  }
}

apply(stored());
document.addEventListener('DOMContentLoaded', () => apply(stored()));
document.addEventListener('click', (event) => {
  const target = event.target instanceof Element ? event.target.closest('[data-theme-toggle]') : null;
  if (!target) return;
  const next = THEMES[(THEMES.indexOf(stored()) + 1) % THEMES.length] ?? 'auto';
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // As above: the theme then lasts as long as the page.
  }
  apply(next);
});
