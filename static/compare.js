/** The page that compares two servers: sends both the same audio and shows their transcripts side by side. */
import { AudioRecorder } from './audio-recorder.js';
import { placeOf, shareable } from './compare/addresses.js';
import { differences, differencesSoFar } from './compare/differences.js';
import { Side } from './compare/side.js';
import { bundledSample, decodeFile, FILE_RATE } from './demo/sources.js';
import { byId } from './inspect/dom.js';

const NAMES = /** @type {const} */ (['a', 'b']);
const recorder = new AudioRecorder();
const start = /** @type {HTMLButtonElement} */ (byId('start'));
const file = /** @type {HTMLInputElement} */ (byId('file'));
const [sideA, sideB] = /** @type {[Side, Side]} */ (
  NAMES.map((name) => new Side(panelOf(name), compareWords))
);
const sides = [sideA, sideB];

/** The problem with the microphone, as a message for the user. */
let trouble = '';
/** @type {AbortController | null} While audio is sent. */
let sending = null;

/** @param {'a' | 'b'} name @returns {HTMLElement} */
function panelOf(name) {
  const template = /** @type {HTMLTemplateElement} */ (byId('side'));
  const panel = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  const title = `Server ${name.toUpperCase()}`;
  panel.dataset.side = name;
  panel.setAttribute('aria-label', title);
  for (const heading of panel.querySelectorAll('h2')) heading.textContent = title;
  for (const input of panel.querySelectorAll('input')) {
    input.name = name;
    input.setAttribute('aria-label', `Address of ${title}`);
  }
  panel.querySelector('.side-transcript')?.setAttribute('aria-label', `Transcript of ${title}`);
  byId('sides').append(panel);
  return panel;
}

/** @param {string} [text] */
function complain(text = '') {
  byId('notice').textContent = text;
  byId('notice').hidden = text === '';
}

function compareWords() {
  const differs = (sending === null ? differences : differencesSoFar)(sideA.words, sideB.words);
  sideA.show(differs.a);
  sideB.show(differs.b);
  const count = (/** @type {boolean[]} */ list) => list.filter(Boolean).length;
  const total = Math.max(sideA.words.length, sideB.words.length);
  const marked = Math.max(count(differs.a), count(differs.b));
  byId('summary').textContent =
    total === 0 ? '' : marked === 0 ? 'Both have the same words.' : `${marked} of ${total} words differ.`;
}

// ---- addresses ------------------------------------------------------------------------------------------

/** Shows before anything is sent where the audio will go, unless it is only this server. */
function showWhereTo() {
  /** @type {string[]} */
  let hosts = [];
  try {
    const places = sides.map((side) => placeOf(side.address));
    hosts = [...new Set(places.filter(({ isOwn }) => !isOwn).map(({ host }) => host))];
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
  }
  byId('elsewhere').hidden = hosts.length === 0;
  byId('elsewhere').textContent = `The audio goes to ${hosts.join(' and ')}, which is not this server.`;
  if (sending === null)
    start.textContent = hosts.length === 0 ? 'Start' : `Start, and send to ${hosts.join(' and ')}`;
}

function keepAddresses() {
  const url = new URL(location.href);
  for (const [i, side] of sides.entries()) {
    const kept = shareable(side.address);
    const name = NAMES[i] ?? 'a';
    if (kept === '') url.searchParams.delete(name);
    else url.searchParams.set(name, kept);
  }
  history.replaceState(null, '', url);
}

// ---- recording ------------------------------------------------------------------------------------------

const sourceOf = () =>
  /** @type {HTMLInputElement} */ (document.querySelector('#sources input:checked')).value;

/** @returns {Promise<Float32Array>} */
async function samplesOf(/** @type {string} */ source) {
  if (source === 'sample') return (await bundledSample()).samples;
  const chosen = file.files?.[0];
  if (chosen === undefined) throw new Error('Choose a file first.');
  return decodeFile(chosen);
}

/** @param {AbortSignal} signal */
async function record(signal) {
  const places = sides.map((side) => placeOf(side.address));
  const begin = (/** @type {number} */ rate) =>
    sides.forEach((side, i) => {
      const place = places[i];
      if (place) side.start(place, rate);
    });
  const source = sourceOf();
  if (source === 'microphone') {
    const { sampleRate } = await recorder.start();
    begin(sampleRate);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await recorder.stop(); // the last block comes before it resolves
  } else {
    const samples = await samplesOf(source);
    begin(FILE_RATE);
    await Promise.all(sides.map((side) => side.sendAll(samples, signal)));
  }
  await Promise.all(sides.map((side) => side.stop()));
}

async function toggle() {
  if (sending !== null) {
    sending.abort();
    return;
  }
  complain();
  sending = new AbortController();
  keepAddresses();
  for (const side of sides) side.lock(true);
  start.textContent = 'Stop';
  try {
    await record(sending.signal);
  } catch (error) {
    complain(trouble || (error instanceof Error ? error.message : String(error)));
  }
  sending = null;
  compareWords();
  for (const side of sides) side.lock(false);
  showWhereTo();
}

recorder.on('state', ({ state, text }) => {
  trouble = ['idle', 'requesting', 'recording'].includes(state) ? '' : text;
});
recorder.on('samples', (samples) => {
  for (const side of sides) side.send(samples);
});
byId('controls').addEventListener('submit', (event) => {
  event.preventDefault();
  void toggle();
});
byId('sources').addEventListener('change', () => {
  byId('file-field').hidden = sourceOf() !== 'file';
});
file.addEventListener('change', () => {
  byId('file-name').textContent = file.files?.[0]?.name ?? 'Choose a file';
});
for (const side of sides) {
  side.panel.addEventListener('input', () => {
    complain();
    showWhereTo();
  });
}

const given = new URLSearchParams(location.search);
for (const [i, side] of sides.entries()) side.address = given.get(NAMES[i] ?? 'a') ?? '';
showWhereTo();
document.documentElement.dataset.ready = '';
