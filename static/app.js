/**
 * The transcribe page. The visible parts load first. The recorder and the client library load after the first paint;
 * actions before that wait for them.
 */
import { idle, lazy } from './demo/lazy.js';
import { acceptDrops, byId, notice } from './demo/page.js';
import { Picker } from './demo/picker.js';
import { languageName, serverCard } from './demo/server-card.js';
import { checked, rememberSettings } from './demo/settings.js';
import { wireCaptions, wireShortcuts, wireTabs } from './demo/views.js';
import { useToken } from './page-token.js';

const silence = /** @type {HTMLInputElement} */ (byId('silence'));
/** @type {import('./demo/deck.js').Deck | null} Null until it is loaded. */
let deck = null;
const picker = new Picker(() => deck?.check.offer());

const loadDeck = lazy(async () => {
  const { Deck } = await import('./demo/deck.js');
  deck = new Deck(picker);
  return deck;
});
const loadCode = lazy(async () => {
  const { CodeView } = await import('./demo/code.js');
  return new CodeView();
});

/**
 * Runs `act` with a part that may have to be loaded first.
 * @template T
 * @param {() => Promise<T>} load
 * @param {(loaded: T) => unknown} act
 */
async function using(load, act) {
  try {
    await act(await load());
  } catch {
    notice('A part of this page could not be loaded. The server cannot be reached.', 'bad', [
      { label: 'Try again', act: () => void using(load, act) },
    ]);
  }
}

const card = serverCard();
const record = () => using(loadDeck, (it) => it.press());
const start = () => using(loadDeck, (it) => void it.start());
const showCode = () =>
  using(loadCode, async (it) => {
    it.dialects = (await card).dialects;
    it.show();
  });

function showSilence() {
  byId('silence-value').textContent = `${Number(silence.value).toFixed(1)} s`;
}
function showMarks() {
  document.body.classList.toggle('unmarked', !checked('marks'));
}
function showChannels() {
  byId('channel-names').hidden = !checked('apart');
}

byId('record').addEventListener('click', record);
byId('finalize').addEventListener('click', () => deck?.finalize());
silence.addEventListener('input', () => {
  showSilence();
  deck?.setSilence(Number(silence.value));
});
byId('marks').addEventListener('change', showMarks);
byId('apart').addEventListener('change', showChannels);
acceptDrops(
  (file) => {
    picker.chooseFile(file);
    void start();
  },
  () => !deck?.busy,
);
globalThis.addEventListener('online', () => deck?.retryNow());
globalThis.addEventListener('beforeunload', (event) => {
  if (deck?.busy) event.preventDefault(); // The browser asks whether the page may be left.
});
byId('try-sample').addEventListener('click', () => {
  picker.choose('sample');
  void start();
});
byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken(/** @type {HTMLInputElement} */ (byId('token')).value.trim());
  byId('token-form').hidden = true;
  void using(loadDeck, (it) => void it.restart());
});

rememberSettings();
showSilence();
showMarks();
showChannels();
wireTabs((panel) => panel === 'code' && void showCode());
wireCaptions();
wireShortcuts({
  record,
  finalize: () => deck?.finalize(),
  play: () => byId('play').click(),
  find: () => deck?.shown.find(),
});
void card.then(({ model }) => {
  if (!model) return;
  byId('server-model').textContent = model.name;
  byId('language-row').hidden = !model.language;
  if (model.language) byId('server-language').textContent = languageName(model.language);
});

performance.mark('shell');
await idle();
await using(loadDeck, (it) => it.shown.preload());
document.documentElement.dataset.ready = 'true';
