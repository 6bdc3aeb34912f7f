/** Common parts of every page's header: the theme button and the menu. Include it early. */
import './demo/theme.js';

const openMenus = () => document.querySelectorAll('details.nav-menu[open]');

document.addEventListener('click', ({ target }) => {
  for (const menu of openMenus()) {
    if (!(target instanceof Node && menu.contains(target))) menu.removeAttribute('open');
  }
});
document.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape') return;
  for (const menu of openMenus()) {
    menu.removeAttribute('open');
    menu.querySelector('summary')?.focus();
  }
});
document.addEventListener('focusin', ({ target }) => {
  for (const menu of openMenus()) {
    if (!(target instanceof Node && menu.contains(target))) menu.removeAttribute('open');
  }
});
