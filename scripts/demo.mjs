// `npm run demo`: starts the server on a free port, streams the bundled sample in real time, and shows the results:
// partials in place, then finals with the time of every word. Exits with 0 if words were recognised.
import { join } from 'node:path';
import { prepareServer, root } from './prepare.mjs';

prepareServer();
const { loadConfig } = await import('../dist/src/config.js');
const { createLogger } = await import('../dist/src/log.js');
const { startServer } = await import('../dist/src/server/server.js');
const { createScreen } = await import('../examples/lib/screen.js');
const { connect, formatOf, paced, record } = await import('../examples/lib/session.js');
const { readWav } = await import('../examples/lib/wav.js');

const screen = createScreen();
const config = loadConfig({ host: '127.0.0.1', port: 0, logLevel: process.env.LOG_LEVEL ?? 'warn' });
const server = await startServer(config, createLogger(config));
try {
  screen.line('Starting the server …');
  const engine = await server.ready;
  const wav = readWav(join(root, 'static', 'sample.wav'));
  screen.line(
    `Model ${engine.model.manifest.name}. Streaming static/sample.wav, ${wav.seconds.toFixed(1)} s of speech:\n`,
  );

  const { socket } = await connect(`ws://127.0.0.1:${server.port}/ws/transcribe`);
  const stopped = await record(socket, formatOf(wav), paced(wav), (message) => {
    if (message.type === 'partial') screen.partial(message.text);
    if (message.type === 'transcription') screen.final(message);
  });
  socket.close();
  screen.line(`\nWhole transcript: ${stopped.final_transcript || '(no words were recognised)'}`);
  process.exitCode = stopped.final_transcript === '' ? 1 : 0;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  server.drain();
  await server.stopped;
}
