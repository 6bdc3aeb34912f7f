#!/usr/bin/env node
/**
 * End-to-end check of a running server: streams a WAV in real time, checks every answer against the protocol, and
 * the words against what was said.
 *
 *     node examples/test_streaming.js --url ws://localhost:8000/ws/transcribe
 *
 * How many word errors are allowed: --max-wer, else RNNT_MAX_WER, else `sampleWer` in the manifest of the served
 * model (if this checkout has it), else words are compared and printed but do not fail the check.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, formatOf, paced, record } from './lib/session.js';
import { readWav } from './lib/wav.js';
import { wordErrorRate } from './lib/words.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const sample = JSON.parse(readFileSync(here('../static/sample.json'), 'utf8'));

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'ws://localhost:8000/ws/transcribe' },
    file: { type: 'string', default: here('../static/sample.wav') },
    text: { type: 'string', default: sample.text },
    'max-wer': { type: 'string' },
    speed: { type: 'string', default: '1' },
  },
});

function allowedErrors(model) {
  const given = values['max-wer'] ?? process.env.RNNT_MAX_WER;
  if (given !== undefined) return Number(given);
  try {
    return JSON.parse(readFileSync(here(`../models/${model}/manifest.json`), 'utf8')).sampleWer ?? null;
  } catch {
    return null; // the server runs a model that is not in this checkout
  }
}

let failures = 0;
function check(what, passed, detail = '') {
  if (!passed) failures++;
  process.stdout.write(
    `${passed ? 'ok  ' : 'FAIL'}  ${what}${passed || detail === '' ? '' : `: ${detail}`}\n`,
  );
}

const ascending = (numbers) => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]);

function checkProtocol(messages, greeting, wav) {
  const ofType = (type) => messages.filter((message) => message.type === type);
  const [partials, finals] = [ofType('partial'), ofType('transcription')];
  const words = finals.flatMap((message) => message.words);
  check('the greeting names protocol 1', /^1\./.test(greeting.protocol_version), greeting.protocol_version);
  check('recording_started comes first', messages[0]?.type === 'recording_started', messages[0]?.type);
  check(
    'seq counts up by one',
    messages.every((m, i) => m.seq === greeting.seq + 1 + i),
  );
  check('partials come while the audio runs', partials.length > 0);
  check('partials cover ever more audio', ascending(partials.map((p) => p.audio_end)));
  check(
    'stable_chars lies within the text',
    partials.every((p) => p.stable_chars <= p.text.length),
  );
  check('words come', words.length > 0);
  check('word times ascend', ascending(words.map((word) => word.start)));
  check(
    'word times lie within the audio',
    words.every((w) => w.start >= 0 && w.end <= wav.seconds + 0.01),
  );
  check(
    'confidences lie between 0 and 1',
    words.every((w) => w.confidence >= 0 && w.confidence <= 1),
  );
  // Silence at the end of the audio may have closed it before the stop did.
  check(
    'every segment has a reason',
    finals.every((m) => ['silence', 'max_duration', 'stop'].includes(m.reason)),
  );
  const stopped = messages.at(-1);
  const joined = finals
    .map((message) => message.text)
    .filter(Boolean)
    .join(' ');
  check('recording_stopped comes last', stopped?.type === 'recording_stopped', stopped?.type);
  check('final_transcript is the segments joined', stopped?.final_transcript === joined);
  check(
    'all audio was counted',
    Math.abs(stopped?.total_duration - wav.seconds) < 0.02,
    stopped?.total_duration,
  );
}

function checkWords(heard, model) {
  const allowed = allowedErrors(model);
  const errors = wordErrorRate(values.text, heard);
  process.stdout.write(
    `said:  ${values.text}\nheard: ${heard}\nword error rate ${(100 * errors).toFixed(1)} %\n`,
  );
  if (allowed === null) process.stdout.write('      words not checked: no limit given (--max-wer)\n');
  else check(`at most ${100 * allowed} % word errors`, errors <= allowed, `${(100 * errors).toFixed(1)} %`);
}

try {
  const wav = readWav(values.file);
  const { socket, greeting } = await connect(values.url);
  const messages = [];
  const audio = paced(wav, { speed: Number(values.speed) });
  const stopped = await record(socket, formatOf(wav), audio, (message) => messages.push(message));
  socket.close();
  checkProtocol(messages, greeting, wav);
  checkWords(stopped.final_transcript, greeting.model);
} catch (error) {
  check('the stream runs to its end', false, error.message);
}
process.exitCode = failures === 0 ? 0 : 1;
