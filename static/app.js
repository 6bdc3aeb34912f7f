/** The demo page: wires the recorder, the client library and the transcript together. */
import { AudioRecorder, level } from './audio-recorder.js';
import { STATE_NAMES } from './client/recorder-states.js';
import { demoClient } from './demo/client.js';
import { exportTranscript } from './demo/export.js';
import { showFigures } from './demo/figures.js';
import { acceptDrops, byId, notice, showState } from './demo/page.js';
import { bundledSample, decodeFile, FILE_RATE, ServerGone } from './demo/sources.js';
import { Tape } from './demo/tape.js';
import { showLevel, Waveform } from './demo/waveform.js';
import { clockTime, TranscriptView } from './transcription-ui.js';
import { RNNTClientError } from './websocket-client.js';

/**
 * @typedef {'microphone' | 'file' | 'sample'} Source
 * @typedef {import('./websocket-client.js').RNNTClient} RNNTClient
 */

const ui = {
  record: /** @type {HTMLButtonElement} */ (byId('record')),
  finalize: /** @type {HTMLButtonElement} */ (byId('finalize')),
  device: /** @type {HTMLSelectElement} */ (byId('device')),
  file: /** @type {HTMLInputElement} */ (byId('file')),
  silence: /** @type {HTMLInputElement} */ (byId('silence')),
  hotwords: /** @type {HTMLTextAreaElement} */ (byId('hotwords')),
  checked: (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id)).checked,
};
const recorder = new AudioRecorder();
const waveform = new Waveform(byId('waveform'));
const view = new TranscriptView(byId('transcript'), {
  onWord: (word) => playWord(word),
  onFollow: (following) => {
    byId('jump').hidden = following;
    view.root.classList.toggle('scrolled-away', !following);
  },
});

/** @type {Source} */
let source = 'microphone';
/** @type {File | null} */
let chosenFile = null;
/** @type {RNNTClient | null} */
let client = null;
let tape = new Tape(FILE_RATE);
/** @type {AbortController | null} Ends the feeding of a file. */
let feeding = null;
/** @type {WakeLockSentinel | null} */
let wakeLock = null;
let recording = false;
/** The recording has ended and its last words are awaited. */
let finishing = false;

/** @param {boolean} on */
function showRecording(on) {
  recording = on;
  document.body.classList.toggle('recording', on);
  ui.record.setAttribute('aria-pressed', String(on));
  byId('record-text').textContent = on ? 'Stop' : 'Start';
  ui.finalize.hidden = !on;
  for (const input of document.querySelectorAll('#sources input')) {
    /** @type {HTMLInputElement} */ (input).disabled = on;
  }
  if (!on) showLevel(byId('level'), -100);
}

function showTranscriptControls() {
  const nothing = view.text === '';
  byId('empty').hidden = !nothing || recording;
  byId('legend').hidden = view.segments.length === 0;
  for (const node of document.querySelectorAll('.export button')) {
    const button = /** @type {HTMLButtonElement} */ (node);
    // Files are made of finals; what is open can be copied all the same.
    button.disabled = button.id === 'copy' ? nothing : view.segments.length === 0;
  }
}

// ---- connection ----------------------------------------------------------------------------------------

function newClient() {
  const made = demoClient({
    vad: ui.checked('gate'),
    view,
    isCurrent: () => client === made,
    onSegment: showTranscriptControls,
    onGivenUp: () => abandon(made),
  });
  return made;
}

/**
 * The client has given up: nothing is recorded any more.
 * @param {RNNTClient} mine
 */
async function abandon(mine) {
  if (client !== mine || !recording || finishing) return;
  client = null;
  feeding?.abort();
  feeding = null;
  await recorder.stop();
  wakeLock?.release();
  wakeLock = null;
  view.settle();
  showRecording(false);
  showTranscriptControls();
}

/** @param {number} sampleRate */
function recordingConfig(sampleRate) {
  const hotwords = ui.hotwords.value
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((phrase) => ({ phrase, boost: 2 }));
  return {
    sample_rate: sampleRate,
    partials: ui.checked('partials'),
    silence_duration: Number(ui.silence.value),
    metrics: true,
    ...(hotwords.length > 0 ? { hotwords } : {}),
  };
}

// ---- recording -----------------------------------------------------------------------------------------

async function start() {
  notice('');
  view.clear();
  waveform.clear();
  client?.close();
  client = newClient();
  showRecording(true);
  showTranscriptControls();
  const mine = client;
  try {
    if (source === 'microphone') await startMicrophone(mine);
    else await startSamples(mine);
  } catch (error) {
    if (mine !== client) return;
    client = null; // What it says about its end is no news.
    await recorder.stop();
    mine.close();
    showRecording(false);
    showTranscriptControls();
    if (source === 'microphone' && !mine.sessionId) return; // The recorder or the client has said why.
    if (error instanceof ServerGone || error instanceof RNNTClientError) showState('failed', 'Not connected');
    else showState('idle', 'Ready');
    if (!byId('notice-text').textContent) notice(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {RNNTClient} mine
 * @param {number} sampleRate
 */
async function begin(mine, sampleRate) {
  const { language } = await mine.start(recordingConfig(sampleRate));
  if (typeof language === 'string') view.root.lang = language;
}

/** @param {RNNTClient} mine */
async function startMicrophone(mine) {
  const { sampleRate } = await recorder.start({ deviceId: ui.device.value });
  tape = new Tape(sampleRate);
  await begin(mine, sampleRate);
  await listDevices();
  // A phone that goes to sleep stops the microphone. Where this is refused, recording goes on all the same.
  wakeLock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
}

/** @param {RNNTClient} mine */
async function startSamples(mine) {
  if (source === 'file' && !chosenFile)
    throw new Error('Choose an audio file first, or drop one on the page.');
  const samples =
    source === 'file' && chosenFile ? await decodeFile(chosenFile) : (await bundledSample()).samples;
  tape = new Tape(FILE_RATE);
  await begin(mine, FILE_RATE);
  feeding = new AbortController();
  const { signal } = feeding;
  const realTime = ui.checked('real-time');
  const whole = new Tape(FILE_RATE, Number.POSITIVE_INFINITY);
  whole.push(samples);
  if (realTime && ui.checked('aloud')) whole.play(0, whole.seconds);
  signal.addEventListener('abort', () => whole.silence());
  const piece = FILE_RATE / 10;
  let shown = 0;
  await mine.sendAll(samples, {
    speed: realTime ? 1 : Number.POSITIVE_INFINITY,
    signal,
    onProgress: (fraction) => {
      const until = Math.round(fraction * samples.length);
      for (; shown < until; shown += piece) hear(samples.subarray(shown, Math.min(until, shown + piece)));
    },
  });
  if (!signal.aborted) await stop();
}

/**
 * Keeps and draws what is being sent.
 * @param {Float32Array} samples
 */
function hear(samples) {
  tape.push(samples);
  waveform.push(samples, tape.rate);
  showLevel(byId('level'), level(samples).dbfs);
  byId('clock').textContent = clockTime(tape.seconds);
  if (client) showFigures(client.stats);
}

async function stop() {
  feeding?.abort();
  feeding = null;
  const mine = client;
  if (!mine) return;
  await recorder.stop();
  wakeLock?.release();
  wakeLock = null;
  showRecording(false);
  if (mine.recording) await finish(mine);
  finishing = false;
  showTranscriptControls();
  if (client !== mine) return;
  client = null; // What it says about its end is no news.
  mine.close();
}

/**
 * Waits for the last words; over a lost connection that may take a while, so it can be given up.
 * @param {RNNTClient} mine
 */
async function finish(mine) {
  if (mine.sessionId === null) {
    showState('idle', 'Ready'); // It never got in: there is nothing to wait for.
    notice('');
    return;
  }
  finishing = true;
  byId('record-text').textContent = 'Give up';
  showState('connecting', 'Finishing');
  try {
    const { transcript } = await mine.stop();
    showFigures(mine.stats);
    showState('idle', transcript === '' ? 'No words were heard' : 'Done');
  } catch (error) {
    view.settle();
    const lost = error instanceof RNNTClientError && error.code !== 'CLOSED';
    showState(lost ? 'failed' : 'idle', lost ? 'The last words are missing' : 'Ready');
    notice(lost ? error.message : '');
  } finally {
    byId('record-text').textContent = 'Start';
  }
}

/** @param {import('./client/types.js').Word} word */
async function playWord(word) {
  const margin = 0.05;
  view.highlight(word.start);
  await tape.play(word.start - margin, word.end + margin);
  view.highlight(null);
}

async function listDevices() {
  const devices = await AudioRecorder.devices();
  const chosen = ui.device.value;
  ui.device.replaceChildren(
    new Option('Default microphone', ''),
    ...devices.filter((d) => d.label && d.id !== 'default').map((d) => new Option(d.label, d.id)),
  );
  ui.device.value = devices.some((d) => d.id === chosen) ? chosen : '';
}

// ---- wiring --------------------------------------------------------------------------------------------

/** @param {Source} next */
function choose(next) {
  source = next;
  const input = document.querySelector(`#sources input[value="${next}"]`);
  if (input) /** @type {HTMLInputElement} */ (input).checked = true;
  for (const node of document.querySelectorAll('[data-for]')) {
    const element = /** @type {HTMLElement} */ (node);
    element.hidden = !element.dataset.for?.split(' ').includes(next);
  }
}

/** @param {File} file */
function chooseFile(file) {
  chosenFile = file;
  byId('file-name').textContent = file.name;
  choose('file');
}

recorder.on('samples', (samples) => {
  // The tape and the recording begin with the same sample: word times must point at the same audio.
  if (!client?.recording) return;
  hear(samples);
  client.send(samples);
});
let microphone = recorder.state;
recorder.on('state', ({ state, text }) => {
  const previous = microphone;
  microphone = state;
  if (state === 'requesting') showState('connecting', STATE_NAMES.requesting);
  else if (state === 'idle') {
    if (previous === 'requesting') showState('idle', 'Ready'); // Stopped while the browser asked for permission.
  } else if (state !== 'recording') {
    showState('failed', STATE_NAMES[state]);
    notice(text);
    if (recording) stop();
  }
});
ui.record.addEventListener('click', () => {
  if (finishing) client?.close();
  else if (recording) stop();
  else start();
});
ui.finalize.addEventListener('click', () => client?.finalize());
byId('sources').addEventListener('change', (event) => {
  choose(/** @type {Source} */ (/** @type {HTMLInputElement} */ (event.target).value));
});
ui.file.addEventListener('change', () => ui.file.files?.[0] && chooseFile(ui.file.files[0]));
ui.silence.addEventListener('input', () => {
  byId('silence-value').textContent = `${Number(ui.silence.value).toFixed(1)} s`;
  if (recording) client?.configure({ silence_duration: Number(ui.silence.value) }).catch(() => {});
});
byId('jump').addEventListener('click', () => view.jumpToLive());
byId('marks').addEventListener('change', () => {
  document.body.classList.toggle('unmarked', !ui.checked('marks'));
});
byId('clear').addEventListener('click', () => {
  view.clear();
  waveform.clear();
  byId('clock').textContent = clockTime(0);
  showTranscriptControls();
});
for (const button of document.querySelectorAll('[data-export]')) {
  const format = /** @type {HTMLElement} */ (button).dataset.export ?? 'txt';
  button.addEventListener('click', () => exportTranscript(view.segments, format, view.root.lang));
}
byId('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(view.text);
  notice('Copied.', 'info');
});
acceptDrops(
  (file) => {
    chooseFile(file);
    start();
  },
  () => !recording && !finishing,
);
globalThis.addEventListener('online', () => client?.retryNow());
navigator.mediaDevices?.addEventListener?.('devicechange', () => listDevices());
listDevices();
choose('microphone');
document.documentElement.dataset.ready = 'true';
