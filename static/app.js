/** The demo page: wires the recorder, the client library and the transcript together. */
import { AudioRecorder, level } from './audio-recorder.js';
import { exportTranscript } from './demo/export.js';
import { showFigures } from './demo/figures.js';
import { bundledSample, decodeFile, FILE_RATE } from './demo/sources.js';
import { connectionText } from './demo/states.js';
import { Tape } from './demo/tape.js';
import { showLevel, Waveform } from './demo/waveform.js';
import { clockTime, TranscriptView } from './transcription-ui.js';
import { RNNTClient } from './websocket-client.js';

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** @typedef {'microphone' | 'file' | 'sample'} Source */

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
const view = new TranscriptView(byId('transcript'), { onWord: (word) => playWord(word) });

/** @type {Source} */
let source = 'microphone';
/** @type {File | null} */
let chosenFile = null;
/** @type {RNNTClient | null} */
let client = null;
let tape = new Tape(FILE_RATE);
/** @type {AbortController | null} Ends the feeding of a file. */
let feeding = null;
let recording = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let liveTimer;
const RESUMED_SHOWN_MS = 3_000;

// ---- what the page says --------------------------------------------------------------------------------

/**
 * @param {string} text Empty to hide it.
 * @param {'bad' | 'warn' | 'info'} [tone]
 * @param {() => void} [retry]
 */
function notice(text, tone = 'bad', retry) {
  const node = byId('notice');
  node.hidden = text === '';
  node.dataset.tone = tone;
  byId('notice-text').textContent = text;
  const button = byId('notice-retry');
  button.hidden = !retry;
  button.onclick = retry ?? null;
}

/**
 * @param {string} state
 * @param {string} text
 */
function showState(state, text) {
  clearTimeout(liveTimer);
  byId('state').dataset.state = state;
  byId('state-text').textContent = text;
}

/** @param {boolean} on */
function showRecording(on) {
  recording = on;
  ui.record.setAttribute('aria-pressed', String(on));
  byId('record-text').textContent = on ? 'Stop' : 'Start';
  ui.finalize.hidden = !on;
  for (const input of document.querySelectorAll('#sources input')) {
    /** @type {HTMLInputElement} */ (input).disabled = on;
  }
  if (!on) showLevel(byId('level'), -100);
}

function showTranscriptControls() {
  const empty = view.segments.length === 0;
  byId('empty').hidden = !empty || recording;
  for (const button of document.querySelectorAll('.export button')) {
    /** @type {HTMLButtonElement} */ (button).disabled = empty;
  }
}

// ---- connection ----------------------------------------------------------------------------------------

function newClient() {
  const made = new RNNTClient({ vad: ui.checked('gate') });
  made.on('state', (change) => {
    if (client !== made) return;
    const { state, text, tone } = connectionText(change);
    // Catching up takes milliseconds: what was resumed stays to be read for a while, then the page is live.
    if (change.state === 'live' && change.previous === 'resumed') {
      liveTimer = setTimeout(() => showState(state, text), RESUMED_SHOWN_MS);
    } else {
      showState(state, text);
    }
    if (tone) notice(change.reason?.text ?? text, tone, change.retryInMs ? () => made.retryNow() : undefined);
    else if (change.state === 'live' || change.state === 'resumed') notice('');
  });
  made.on('connection', (greeting) => {
    byId('server-model').textContent = `Model: ${greeting.model ?? 'unknown'}`;
  });
  made.on('partial', (partial) => {
    byId('empty').hidden = true;
    view.showPartial(partial);
  });
  made.on('transcription', (segment) => {
    view.addSegment(segment);
    showTranscriptControls();
  });
  made.on('dropped', ({ totalSeconds }) => {
    notice(`${totalSeconds.toFixed(1)} s of audio could not be kept while the connection was away.`, 'warn');
  });
  made.on('warning', ({ text }) => notice(text, 'warn'));
  made.on('error', ({ text }) => notice(text));
  made.on('latency', () => showFigures(made.stats));
  made.on('metrics', () => showFigures(made.stats));
  globalThis.addEventListener('online', () => made.retryNow());
  return made;
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
    await recorder.stop();
    mine.close();
    showRecording(false);
    showTranscriptControls();
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
  showRecording(false);
  if (mine.recording) {
    showState('connecting', 'Finishing');
    const result = await mine.stop().catch((error) => {
      notice(error.message);
      return null;
    });
    showFigures(mine.stats);
    if (result) showState('idle', result.transcript === '' ? 'No words were heard' : 'Done');
  }
  showTranscriptControls();
  if (client !== mine) return;
  client = null; // What it says about its end is no news.
  mine.close();
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
  hear(samples);
  client?.send(samples);
});
recorder.on('state', ({ state, text }) => {
  if (state === 'requesting') showState('connecting', 'Waiting for the microphone');
  else if (state !== 'recording' && state !== 'idle') {
    showState('failed', 'No microphone');
    notice(text);
    if (recording) stop();
  }
});
ui.record.addEventListener('click', () => (recording ? stop() : start()));
ui.finalize.addEventListener('click', () => client?.finalize());
byId('sources').addEventListener('change', (event) => {
  choose(/** @type {Source} */ (/** @type {HTMLInputElement} */ (event.target).value));
});
ui.file.addEventListener('change', () => ui.file.files?.[0] && chooseFile(ui.file.files[0]));
ui.silence.addEventListener('input', () => {
  byId('silence-value').textContent = `${Number(ui.silence.value).toFixed(1)} s`;
  if (recording) client?.configure({ silence_duration: Number(ui.silence.value) }).catch(() => {});
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
  await navigator.clipboard.writeText(view.segments.map((s) => s.text).join('\n'));
  notice('Copied.', 'info');
});
document.addEventListener('dragover', (event) => {
  if (recording || !event.dataTransfer?.types.includes('Files')) return;
  event.preventDefault();
  byId('drop-hint').hidden = false;
});
for (const type of ['dragleave', 'drop']) {
  document.addEventListener(type, (event) => {
    const leaving = /** @type {DragEvent} */ (event).relatedTarget === null;
    if (type === 'drop' || leaving) byId('drop-hint').hidden = true;
  });
}
document.addEventListener('drop', (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (!file || recording) return;
  chooseFile(file);
  start();
});
navigator.mediaDevices?.addEventListener?.('devicechange', () => listDevices());
listDevices();
choose('microphone');
document.documentElement.dataset.ready = 'true';
