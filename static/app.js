/** The demo page: wires the recorder, the client library and the transcript together. */
import { AudioRecorder, level } from './audio-recorder.js';
import { STATE_NAMES } from './client/recorder-states.js';
import { demoClient } from './demo/client.js';
import { CodeView, modelText, serverCard } from './demo/code.js';
import { showFigures } from './demo/figures.js';
import { acceptDrops, byId, notice, showState } from './demo/page.js';
import { Picker } from './demo/picker.js';
import { checked, recordingConfig, rememberSettings } from './demo/settings.js';
import { Shown } from './demo/shown.js';
import { bundledSample, decodeFile, FILE_RATE, ServerGone } from './demo/sources.js';
import { Tape } from './demo/tape.js';
import { wireCaptions, wireShortcuts, wireTabs } from './demo/views.js';
import { showLevel, Waveform } from './demo/waveform.js';
import { useToken } from './page-token.js';
import { clockTime } from './transcription-ui.js';
import { RNNTClientError } from './websocket-client.js';

/**
 * @typedef {import('./websocket-client.js').RNNTClient} RNNTClient
 */

const ui = {
  record: /** @type {HTMLButtonElement} */ (byId('record')),
  finalize: /** @type {HTMLButtonElement} */ (byId('finalize')),
  silence: /** @type {HTMLInputElement} */ (byId('silence')),
};
const recorder = new AudioRecorder();
const waveform = new Waveform(byId('waveform'));
const picker = new Picker();
const shown = new Shown(() => recording || finishing);

/** @type {RNNTClient | null} */
let client = null;
/** The audio of the recording that runs: what the transcript shows, once the server records. */
let taping = new Tape(FILE_RATE);
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

// ---- connection ----------------------------------------------------------------------------------------

function newClient() {
  const made = demoClient({
    vad: checked('gate'),
    view: shown.view,
    isCurrent: () => client === made,
    onSegment: () => shown.controls(),
    onGivenUp: () => abandon(made),
  });
  return made;
}

/** What was recorded is kept, if it came so far that it is shown. */
async function endShown() {
  if (shown.tape === taping) await shown.end();
  else shown.controls();
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
  shown.view.settle();
  showRecording(false);
  await endShown();
}

// ---- recording -----------------------------------------------------------------------------------------

async function start() {
  notice('');
  waveform.clear();
  client?.close();
  client = newClient();
  showRecording(true);
  shown.controls();
  const mine = client;
  try {
    if (picker.source === 'microphone') await startMicrophone(mine);
    else await startSamples(mine);
  } catch (error) {
    if (mine !== client) return;
    client = null; // What it says about its end is no news.
    await recorder.stop();
    mine.close();
    showRecording(false);
    shown.controls();
    if (picker.source === 'microphone' && !mine.sessionId) return; // The recorder or the client has said why.
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
  taping = new Tape(sampleRate);
  const { language } = await mine.start(recordingConfig(sampleRate));
  // Only now: whatever fails before costs nobody the transcript that is there.
  shown.begin(taping, language);
}

/** @param {RNNTClient} mine */
async function startMicrophone(mine) {
  const { sampleRate } = await recorder.start({ deviceId: picker.deviceId });
  await begin(mine, sampleRate);
  await picker.listDevices();
  // A phone that goes to sleep stops the microphone. Where this is refused, recording goes on all the same.
  wakeLock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
}

/** @param {RNNTClient} mine */
async function startSamples(mine) {
  if (picker.source === 'file' && !picker.file)
    throw new Error('Choose an audio file first, or drop one on the page.');
  const samples =
    picker.source === 'file' && picker.file ? await decodeFile(picker.file) : (await bundledSample()).samples;
  await begin(mine, FILE_RATE);
  feeding = new AbortController();
  const { signal } = feeding;
  const realTime = checked('real-time');
  const whole = new Tape(FILE_RATE, Number.POSITIVE_INFINITY);
  whole.push(samples);
  if (realTime && checked('aloud')) whole.play(0, whole.seconds);
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
  taping.push(samples);
  waveform.push(samples, taping.rate);
  showLevel(byId('level'), level(samples).dbfs);
  byId('clock').textContent = clockTime(taping.seconds);
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
  await endShown();
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
    shown.view.settle();
    const lost = error instanceof RNNTClientError && error.code !== 'CLOSED';
    showState(lost ? 'failed' : 'idle', lost ? 'The last words are missing' : 'Ready');
    notice(lost ? error.message : '');
  } finally {
    byId('record-text').textContent = 'Start';
  }
}

// ---- wiring --------------------------------------------------------------------------------------------

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
function pressRecord() {
  if (finishing) client?.close();
  else if (recording) stop();
  else start();
}
ui.record.addEventListener('click', pressRecord);
ui.finalize.addEventListener('click', () => client?.finalize());
function showSilence() {
  byId('silence-value').textContent = `${Number(ui.silence.value).toFixed(1)} s`;
}
ui.silence.addEventListener('input', () => {
  showSilence();
  if (recording) client?.configure({ silence_duration: Number(ui.silence.value) }).catch(() => {});
});
byId('marks').addEventListener('change', () => {
  document.body.classList.toggle('unmarked', !checked('marks'));
});
acceptDrops(
  (file) => {
    picker.chooseFile(file);
    start();
  },
  () => !recording && !finishing,
);
globalThis.addEventListener('online', () => client?.retryNow());
globalThis.addEventListener('beforeunload', (event) => {
  if (recording || finishing) event.preventDefault(); // The browser asks whether the page may be left.
});
byId('try-sample').addEventListener('click', () => {
  picker.choose('sample');
  void start();
});
byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken(/** @type {HTMLInputElement} */ (byId('token')).value.trim());
  byId('token-form').hidden = true;
  void start();
});
rememberSettings();
const code = new CodeView();
wireTabs((panel) => panel === 'code' && code.show());
wireCaptions();
wireShortcuts({ record: pressRecord, finalize: () => client?.finalize(), play: () => byId('play').click() });
void serverCard().then(({ model, dialects }) => {
  if (model) byId('server-model').textContent = modelText(model);
  code.dialects = dialects;
});
showSilence();
document.body.classList.toggle('unmarked', !checked('marks'));
document.documentElement.dataset.ready = 'true';
