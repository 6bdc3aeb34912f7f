/** The two views of the panel, transcript and code; full-screen captions; keyboard shortcuts. */
import { byId } from './page.js';

/**
 * Tabs in the ARIA pattern, for panels that exist in the page.
 * @param {(panel: string) => void} onShow
 */
export function wireTabs(onShow) {
  const tabs = [...document.querySelectorAll('.panel-tabs [role="tab"]')].map(
    (tab) => /** @type {HTMLElement} */ (tab),
  );
  /** @param {HTMLElement} chosen */
  const select = (chosen) => {
    for (const tab of tabs) {
      const on = tab === chosen;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      byId(tab.getAttribute('aria-controls') ?? '').hidden = !on;
    }
    onShow(chosen.getAttribute('aria-controls') ?? '');
  };
  for (const tab of tabs) {
    tab.addEventListener('click', () => select(tab));
    tab.addEventListener('keydown', ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      const next = step && tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      if (!next) return;
      select(next);
      next.focus();
    });
  }
}

/** Shows only the text in large type, for a projector: at full screen if the browser allows it. */
export function toggleCaptions(on = !document.body.classList.contains('captions')) {
  document.body.classList.toggle('captions', on);
  byId('captions-close').hidden = !on;
  if (on)
    document.documentElement.requestFullscreen?.().catch(() => {}); // Otherwise it fills the window.
  else if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  byId(on ? 'captions-close' : 'captions').focus();
  byId('transcript').scrollTop = byId('transcript').scrollHeight;
}

export function wireCaptions() {
  byId('captions').addEventListener('click', () => toggleCaptions());
  byId('captions-close').addEventListener('click', () => toggleCaptions(false));
  document.addEventListener('fullscreenchange', () => {
    if (!document.fullscreenElement && document.body.classList.contains('captions')) toggleCaptions(false);
  });
}

/**
 * Shortcuts with a modifier, so that they do not interfere with typing or dictation. The page lists them.
 * @param {Record<'record' | 'finalize' | 'play' | 'find', () => void>} acts
 */
export function wireShortcuts(acts) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('keys'));
  byId('keys-open').addEventListener('click', () => dialog.showModal());
  document.addEventListener('keydown', (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey, code } = event;
    if (key === 'Escape' && document.body.classList.contains('captions')) return toggleCaptions(false);
    const act =
      key === 'Enter' && (ctrlKey || metaKey)
        ? shiftKey
          ? acts.finalize
          : acts.record
        : altKey && shiftKey && !ctrlKey
          ? {
              KeyP: acts.play,
              KeyF: acts.find,
              KeyL: () => toggleCaptions(),
              KeyK: () => dialog.showModal(),
            }[code]
          : undefined;
    if (!act || (dialog.open && key !== 'Escape')) return;
    event.preventDefault();
    act();
  });
}
