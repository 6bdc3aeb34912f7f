/**
 * A backend that accepts WAV uploads and transcribes them with rnnt-server through the client library.
 *
 *     npm install && npm start
 *     curl --data-binary @speech.wav http://localhost:5000/transcribe
 *     curl -F audio=@speech.wav http://localhost:5000/transcribe
 */
import express from 'express';
import { RNNTClient } from 'rnnt-server/client';
import { readPcm16Wav } from './wav.js';

const { RNNT_URL = 'ws://localhost:8000/ws/transcribe', PORT = '5000' } = process.env;
const MAX_UPLOAD = '50mb';

/** @param {unknown} body A 16-bit PCM WAV. */
async function transcribe(body) {
  const { samples, sampleRate, channels } = readPcm16Wav(body);
  const client = new RNNTClient({ url: RNNT_URL, reconnect: { maxAttempts: 3 } });
  try {
    await client.start({ sample_rate: sampleRate, channels, partials: false });
    await client.sendAll(samples); // as fast as the server accepts it
    const { transcript, segments, duration } = await client.stop();
    return { text: transcript, words: segments.flatMap((segment) => segment.words), duration };
  } finally {
    client.close();
  }
}

/** The first file of a form, in a field of any name; otherwise the body itself. */
async function uploaded({ headers, body }) {
  const type = headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) return body;
  const form = await new Response(body, { headers: { 'content-type': type } }).formData();
  const file = [...form.values()].find((value) => typeof value !== 'string');
  return file === undefined ? null : Buffer.from(await file.arrayBuffer());
}

const app = express();

app.post('/transcribe', express.raw({ type: () => true, limit: MAX_UPLOAD }), async (request, response) => {
  response.json(await transcribe(await uploaded(request)));
});

// Express recognises an error handler by its four parameters.
app.use((error, _request, response, _next) => {
  const status = error.status ?? (error.retryable ? 503 : 502);
  response.status(status).json({ error: error.message, code: error.code });
});

const server = app.listen(Number(PORT), () => {
  console.log(`Listening on http://localhost:${server.address().port}/transcribe`);
});
