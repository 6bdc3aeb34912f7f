/** The settings of the transcribe page: stored on this device, and in the form that the server takes. */
import { byId } from './page.js';

const KEY = 'rnnt-settings';
/** Ids of the inputs that are remembered. */
const KEPT = 'silence hotwords partials marks gate real-time aloud keep apart channel-0 channel-1'.split(' ');
/** For a phrase of the custom vocabulary without its own weight. */
const DEFAULT_BOOST = 2;

/** @param {string} id */
const input = (id) =>
  /** @type {HTMLInputElement | HTMLTextAreaElement | null} */ (document.getElementById(id));

/** @param {string} id */
export const checked = (id) =>
  byId(id) instanceof HTMLInputElement && /** @type {HTMLInputElement} */ (byId(id)).checked;

/** Restores the inputs, and stores changes from now on. */
export function rememberSettings() {
  for (const [id, value] of Object.entries(stored())) {
    const node = KEPT.includes(id) ? input(id) : null;
    if (node instanceof HTMLInputElement && node.type === 'checkbox') node.checked = value === true;
    else if (node && typeof value === 'string') node.value = value;
  }
  document.addEventListener('change', ({ target }) => {
    if (target instanceof HTMLElement && KEPT.includes(target.id)) store();
  });
}

/** @returns {Record<string, unknown>} */
function stored() {
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // Storage may be forbidden, or contain foreign data.
  }
}

function store() {
  const values = KEPT.map((id) => {
    const node = input(id);
    return [id, node instanceof HTMLInputElement && node.type === 'checkbox' ? node.checked : node?.value];
  });
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(values)));
  } catch {
    // As above: the settings then last as long as the page.
  }
}

/**
 * @param {number} channel 0 or 1.
 * @returns {string} Who speaks there.
 */
export function channelName(channel) {
  return input(`channel-${channel}`)?.value.trim() || `Channel ${channel + 1}`;
}

/**
 * One phrase per line; `phrase:weight` sets its weight, as everywhere in this server.
 * @param {string} text
 * @returns {import('../client/types.js').Hotword[]}
 */
export function parseHotwords(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [, phrase, boost] = /^(.*\S)\s*:\s*(-?\d+(?:\.\d+)?)$/.exec(line) ?? [];
      return phrase ? { phrase, boost: Number(boost) } : { phrase: line, boost: DEFAULT_BOOST };
    });
}

/**
 * @param {number} sampleRate Hz.
 * @param {number} [channels] Two are kept apart.
 * @returns {import('../client/types.js').RecordingOptions} What `start()` takes.
 */
export function recordingConfig(sampleRate, channels = 1) {
  const hotwords = parseHotwords(input('hotwords')?.value ?? '');
  return {
    sample_rate: sampleRate,
    partials: checked('partials'),
    silence_duration: Number(input('silence')?.value),
    metrics: true,
    ...(channels === 2 ? { channels: 2, multichannel: true } : {}),
    ...(hotwords.length > 0 ? { hotwords } : {}),
  };
}
