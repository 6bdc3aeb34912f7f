/** Messages of the transcribe page: connection state and notices. */
import { connectionText } from './states.js';

/** How long "Resumed" is shown, since catching up takes only milliseconds. */
const RESUMED_SHOWN_MS = 3_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let liveTimer;
/** @type {ReturnType<typeof setInterval> | undefined} */
let countdown;
const COUNT_MS = 250;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** @typedef {{ label: string, act: () => void }} NoticeButton */

/**
 * @param {string} text Empty to hide it.
 * @param {'bad' | 'warn' | 'info'} [tone]
 * @param {NoticeButton[]} [buttons] Two at most.
 */
export function notice(text, tone = 'bad', buttons = []) {
  const node = byId('notice');
  node.hidden = text === '';
  node.dataset.tone = tone;
  byId('notice-text').textContent = text;
  for (const [i, id] of ['notice-retry', 'notice-stop'].entries()) {
    const button = byId(id);
    button.textContent = buttons[i]?.label ?? '';
    button.hidden = !buttons[i];
    button.onclick = buttons[i]?.act ?? null;
  }
}

/**
 * @param {string} state
 * @param {string} text
 */
export function showState(state, text) {
  clearTimeout(liveTimer);
  clearInterval(countdown);
  byId('state').setAttribute('aria-live', 'polite');
  byId('state').dataset.state = state;
  byId('state-text').textContent = text;
}

/**
 * @param {import('../client/types.js').StateChange} change
 * @param {{ retry: () => void, giveUp: () => void }} acts What can be done about a refusal.
 */
export function showConnection(change, { retry, giveUp }) {
  const { state, text, tone } = connectionText(change);
  if (change.state === 'live' && change.previous === 'resumed') {
    liveTimer = setTimeout(() => showState(state, text), RESUMED_SHOWN_MS);
  } else {
    showState(state, text);
    countDown(change);
  }
  if (tone) {
    const buttons = change.retryInMs === undefined ? [] : [{ label: 'Try now', act: retry }];
    if (change.state === 'refused' && buttons.length > 0) buttons.push({ label: 'Stop trying', act: giveUp });
    notice(change.reason?.text ?? text, tone, buttons);
  } else if (change.state === 'live' || change.state === 'resumed') notice('');
}

/**
 * Updates the remaining wait continuously.
 * @param {import('../client/types.js').StateChange} change
 */
function countDown(change) {
  const { retryInMs } = change;
  if (retryInMs === undefined) return;
  const until = performance.now() + retryInMs;
  countdown = setInterval(() => {
    const { text } = connectionText({ ...change, retryInMs: Math.max(0, until - performance.now()) });
    // Announced once and then counted down visually only, since a screen reader would read every second aloud.
    byId('state').setAttribute('aria-live', 'off');
    byId('state-text').textContent = text;
  }, COUNT_MS);
}

/** Longest wait for a page that is not painted, for example behind another window. */
const PAINT_TIMEOUT_MS = 250;

/**
 * Calls back when the latest changes to the page have been painted.
 * @param {() => void} done
 */
export function painted(done) {
  if (document.hidden) return done();
  let waiting = true;
  const finish = () => {
    if (waiting) done();
    waiting = false;
  };
  setTimeout(finish, PAINT_TIMEOUT_MS);
  // Frames are painted right after these callbacks; the next task comes after the paint.
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      finish();
    };
    port2.postMessage(null);
  });
}

/**
 * Accepts files dropped anywhere on the page.
 * @param {(file: File) => void} onFile
 * @param {() => boolean} allowed
 */
export function acceptDrops(onFile, allowed) {
  const hint = byId('drop-hint');
  document.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault(); // Otherwise the browser would leave the page and open the file.
    hint.hidden = !allowed();
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) hint.hidden = true;
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    hint.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file && allowed()) onFile(file);
  });
}
