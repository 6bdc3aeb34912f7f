#!/usr/bin/env node
/**
 * Speech to text in the terminal: from the microphone, or from a WAV file as if it were spoken now.
 *
 *     node examples/nodejs-client.js                       the microphone (needs sox or arecord); Ctrl+C ends
 *     node examples/nodejs-client.js --duration 10         the same, for ten seconds
 *     node examples/nodejs-client.js --file speech.wav
 */
import { spawn, spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { createScreen } from './lib/screen.js';
import { connect, formatOf, paced, record } from './lib/session.js';
import { readWav } from './lib/wav.js';

const HELP = `Usage: node examples/nodejs-client.js [options]

  --url URL        the server's WebSocket (default ws://localhost:8000/ws/transcribe)
  --file FILE.wav  stream this file in real time; without it the microphone is used
  --duration S     stop after this many seconds of audio
  --fast           stream the file as fast as the server accepts it
  --silence S      seconds of silence that end a segment (default: the server's)
  --token TOKEN    access token, if the server requires one
  --json           print each message of the server as one line of JSON
  --help
`;

const options = {
  url: { type: 'string', default: 'ws://localhost:8000/ws/transcribe' },
  file: { type: 'string' },
  duration: { type: 'string' },
  fast: { type: 'boolean', default: false },
  silence: { type: 'string' },
  token: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** Programs that write the microphone's audio to standard output as 16 kHz mono pcm16. */
const RECORDERS = [
  ['sox', ['-q', '-d', '-t', 'raw', '-r', '16000', '-e', 'signed', '-b', '16', '-c', '1', '-']],
  ['arecord', ['-q', '-t', 'raw', '-f', 'S16_LE', '-r', '16000', '-c', '1']],
];
const MICROPHONE_FORMAT = { sample_rate: 16_000, encoding: 'pcm16', channels: 1 };

function microphone() {
  const found = RECORDERS.find(([name]) => spawnSync(name, ['--version']).error === undefined);
  if (found === undefined) {
    throw new Error(
      'Recording needs sox or arecord: apt-get install sox, or brew install sox. Or use --file.',
    );
  }
  const child = spawn(found[0], found[1], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('SIGINT', () => child.kill()); // the stream ends, and the last words are still recognised
  return child.stdout;
}

/** The first `seconds` of the microphone. Counts audio instead of time, since a recorder may take a while to start. */
async function* firstSeconds(audio, seconds) {
  let left = Math.round(seconds * MICROPHONE_FORMAT.sample_rate) * 2;
  for await (const piece of audio) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return; // leaving the loop closes the pipe and thus ends the recorder
  }
}

/** @returns {number} Infinity if not given. */
function secondsOf(duration = 'Infinity') {
  const seconds = Number(duration);
  if (seconds > 0) return seconds;
  throw new Error(`--duration: must be a number of seconds above 0, not "${duration}"`);
}

function addressOf({ url, token }) {
  const address = new URL(url);
  if (token !== undefined) address.searchParams.set('token', token);
  return address.href;
}

/** @returns {Promise<number>} The exit code: 0 if words were recognised. */
async function main() {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seconds = secondsOf(values.duration);
  const screen = createScreen();
  const wav = values.file === undefined ? null : readWav(values.file);
  const { socket } = await connect(addressOf(values));
  const format = wav === null ? MICROPHONE_FORMAT : formatOf(wav);
  const speed = values.fast ? Number.POSITIVE_INFINITY : 1;
  const audio = wav === null ? firstSeconds(microphone(), seconds) : paced(wav, { speed, seconds });
  if (wav === null) screen.line('Speak. Ctrl+C ends.');

  const show = (message) => {
    if (values.json) screen.line(JSON.stringify(message));
    else if (message.type === 'partial') screen.partial(message.text);
    else if (message.type === 'transcription') screen.final(message);
    else if (message.type === 'warning') screen.line(`warning: ${message.warning}`);
  };
  const config =
    values.silence === undefined ? format : { ...format, silence_duration: Number(values.silence) };
  const { final_transcript, total_duration, total_segments } = await record(socket, config, audio, show);
  socket.close();
  if (!values.json) screen.line(`${total_segments} segment(s) in ${total_duration} s of audio.`);
  return final_transcript === '' ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1); // a socket may still be open
}
