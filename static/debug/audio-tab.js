import { level } from '../audio-recorder.js';
import { button, el } from './dom.js';

/** A spectrum below this is not drawn. */
const FLOOR_DB = -100;

/**
 * Waveform and spectrum of the microphone or a tone, and a plain verdict on the signal.
 * @param {{ recorder: import('../audio-recorder.js').AudioRecorder, tone: (hz: number, seconds: number) => Float32Array }} options
 */
export function audioTab({ recorder, tone }) {
  const wave = el('canvas', { class: 'scope', role: 'img', 'aria-label': 'Waveform' });
  const spectrum = el('canvas', {
    class: 'scope',
    role: 'img',
    'aria-label': 'Spectrum, 0 Hz to half the sample rate',
  });
  const nothing = 'Nothing to show yet. Start the microphone, or show a tone.';
  const verdict = el('ul', { class: 'findings' }, el('li', { class: 'hint' }, nothing));
  const hz = el('input', { type: 'number', value: '440', min: '50', max: '8000', 'aria-label': 'Tone, Hz' });
  let rate = 0;
  let frame = 0;

  recorder.on('samples', (samples) => showVerdict(samples));
  recorder.on('state', ({ state, text }) => {
    listen.textContent = state === 'recording' ? 'Stop the microphone' : 'Start the microphone';
    if (state !== 'recording' && state !== 'idle')
      verdict.replaceChildren(line(state === 'requesting', text));
    if (state === 'recording') loop();
  });

  const listen = button('Start the microphone', async () => {
    if (recorder.state === 'recording') return recorder.stop();
    const started = await recorder.start().catch(() => null); // The state event has given the reason.
    rate = started?.sampleRate ?? 0;
    return undefined;
  });

  function loop() {
    const { analyser } = recorder;
    if (!analyser) return;
    const time = new Float32Array(analyser.fftSize);
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatTimeDomainData(time);
    analyser.getFloatFrequencyData(bins);
    drawWave(wave, time);
    drawSpectrum(spectrum, bins);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(loop);
  }

  /** @param {Float32Array} samples */
  function showVerdict(samples) {
    verdict.replaceChildren(...judge(samples, rate).map(({ ok, text }) => line(ok, text)));
  }

  async function showTone() {
    const samples = tone(Number(hz.value), 0.5);
    rate = 16_000;
    const context = new OfflineAudioContext(1, samples.length, rate);
    const analyser = context.createAnalyser();
    const buffer = context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(/** @type {Float32Array<ArrayBuffer>} */ (samples), 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(analyser).connect(context.destination);
    source.start();
    context.suspend(0.25).then(() => {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      drawSpectrum(spectrum, bins);
      context.resume();
    });
    await context.startRendering();
    drawWave(wave, samples.subarray(0, 800));
    showVerdict(samples);
  }

  return el(
    'section',
    { class: 'tab-panel' },
    el(
      'div',
      { class: 'toolbar' },
      listen,
      button('Show a tone', showTone),
      hz,
      el('span', { class: 'hint' }, 'Hz'),
    ),
    el(
      'div',
      { class: 'scopes' },
      el('figure', {}, wave, el('figcaption', {}, 'Waveform')),
      el('figure', {}, spectrum, el('figcaption', {}, 'Spectrum')),
    ),
    verdict,
  );
}

/**
 * Assesses 100 ms of audio as input for a recogniser.
 * @param {Float32Array} samples
 * @param {number} rate
 * @returns {{ ok: boolean, text: string }[]}
 */
export function judge(samples, rate) {
  const { dbfs, peak } = level(samples);
  const offset = samples.reduce((sum, sample) => sum + sample, 0) / Math.max(1, samples.length);
  const clipped = samples.filter((sample) => Math.abs(sample) >= 0.999).length;
  return [
    { ok: rate >= 8_000 && rate <= 48_000, text: `Sample rate ${rate} Hz` },
    {
      ok: dbfs > -60,
      text:
        dbfs > -60
          ? `Level ${dbfs.toFixed(0)} dBFS, peak ${peak.toFixed(2)}`
          : 'Silence: is the microphone muted?',
    },
    {
      ok: clipped === 0,
      text: clipped === 0 ? 'No clipping' : `${clipped} samples clipped: turn the gain down`,
    },
    {
      ok: Math.abs(offset) < 0.02,
      text: `Offset ${offset.toFixed(3)}${Math.abs(offset) < 0.02 ? '' : ': the signal is not centred'}`,
    },
  ];
}

/**
 * @param {boolean} ok
 * @param {string} text
 */
function line(ok, text) {
  return el('li', { class: ok ? 'pass' : 'fail' }, text);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {{ context: CanvasRenderingContext2D, width: number, height: number } | null}
 */
function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  context.strokeStyle = style.getPropertyValue('--wave') || style.color;
  context.fillStyle = context.strokeStyle;
  context.lineWidth = 1.5;
  return { context, width, height };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} samples
 */
function drawWave(canvas, samples) {
  const drawing = prepare(canvas);
  if (!drawing) return;
  const { context, width, height } = drawing;
  context.beginPath();
  samples.forEach((sample, i) => {
    context.lineTo((i / samples.length) * width, (0.5 - sample / 2) * height);
  });
  context.stroke();
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} bins Decibels.
 */
function drawSpectrum(canvas, bins) {
  const drawing = prepare(canvas);
  if (!drawing) return;
  const { context, width, height } = drawing;
  const step = width / bins.length;
  bins.forEach((db, i) => {
    const size = Math.max(0, (db - FLOOR_DB) / -FLOOR_DB) * height;
    context.fillRect(i * step, height - size, Math.max(1, step), size);
  });
}
