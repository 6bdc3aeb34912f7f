/** The HTTP face, with the real model. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { after, before, test } from 'node:test';
import { uploadAnswer } from '../../src/server/answers.js';
import { clips, fixturesDir, loadClip, sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

let live: LiveServer;
before(async () => {
  live = await startLiveServer();
});
after(() => live.stop());

const json = async (path: string) => {
  const response = await fetch(live.http + path);
  assert.equal(response.status, 200, path);
  return (await response.json()) as Record<string, never>;
};

const upload = (body: string | Uint8Array | Blob | FormData, headers: Record<string, string> = {}) =>
  fetch(`${live.http}/transcribe/file`, { method: 'POST', body, headers });

test('GET / is a card that names every endpoint, and each of them answers', async () => {
  const card = (await json('/')) as unknown as { service: string; endpoints: Record<string, string> };
  assert.equal(card.service, 'rnnt-server');
  const { websocket, upload: uploadPath, ...others } = card.endpoints;
  const { vosk, deepgram, openai, assemblyai, ...readable } = others;
  assert.deepEqual([websocket, vosk], ['/ws/transcribe', '/vosk']);
  assert.deepEqual([deepgram, openai, assemblyai], ['/v1/listen', '/v1/realtime', '/v3/ws']);
  for (const path of [websocket, vosk]) {
    const response = await fetch(live.http + path);
    assert.equal(response.status, 426, path);
    await response.arrayBuffer();
  }
  assert.equal(uploadPath, '/transcribe/file');
  for (const path of Object.values(readable)) {
    const response = await fetch(live.http + path);
    assert.equal(response.status, 200, path);
    await response.arrayBuffer();
  }
});

test('a browser that opens / lands on the page', async () => {
  const response = await fetch(live.http, { headers: { accept: 'text/html' }, redirect: 'manual' });
  assert.equal(response.status, 302);
  assert.equal(response.headers.get('location'), 'static/index.html', 'relative, for sub-paths');
});

test('health says ready; extended health shows the model and hides secrets', async () => {
  assert.deepEqual(pick(await json('/health'), ['status', 'live', 'ready']), {
    status: 'ready',
    live: true,
    ready: true,
  });
  const secret = await startLiveServer({ authToken: 'open-sesame', maxStreams: 2 });
  const response = await fetch(`${secret.http}/health/extended`);
  const text = await response.text();
  await secret.stop();
  assert.ok(!text.includes('open-sesame'));
  const extended = JSON.parse(text) as {
    model: { name: string };
    config: { authToken: string };
    capacity: object;
  };
  assert.equal(extended.config.authToken, '(set)');
  assert.equal(extended.model.name, live.server.context.recogniser?.engine.model.manifest.name);
});

test('/ws/status counts sessions by state, batches, latencies and audio', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  const during = (await json('/ws/status')) as unknown as {
    connections: number;
    sessions: { recording: number };
  };
  assert.equal(during.connections, 1);
  assert.equal(during.sessions.recording, 1);
  await client.audio(bytesOf(await loadClip(clips[0]!.file)));
  client.say({ type: 'stop_recording' });
  await client.until('recording_stopped');
  const status = (await json('/ws/status')) as unknown as Record<string, Record<string, number>>;
  assert.ok(Number(status.audio_seconds_processed) > 1);
  assert.ok(status.batch_size!.mean! >= 1);
  assert.equal(status.totals!.recordings, 1);
  assert.equal(Number(status.capacity), live.server.context.recogniser?.engine.capacity.streams);
  await client.close();
});

test('/metrics is Prometheus text with the figures of the service', async () => {
  const response = await fetch(`${live.http}/metrics`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
  const text = await response.text();
  for (const name of [
    'rnnt_sessions',
    'rnnt_capacity_streams',
    'rnnt_audio_seconds_total',
    'rnnt_chunk_latency_seconds_bucket',
  ]) {
    assert.ok(text.includes(name), name);
  }
});

test('a wrong method at a known address is answered with 405 and what is allowed', async () => {
  const wrong = [
    ['GET', '/transcribe/file', 'POST, OPTIONS'],
    ['HEAD', '/transcribe/file', 'POST, OPTIONS'],
    ...[
      '/',
      '/health',
      '/ws/status',
      '/ws/transcribe',
      '/metrics',
      '/docs/openapi.json',
      '/static/index.html',
    ].map((path) => ['POST', path, 'GET, HEAD, OPTIONS']),
    ['DELETE', '/examples/simple-client.html', 'GET, HEAD, OPTIONS'],
    ['PUT', '/metrics', 'GET, HEAD, OPTIONS'],
  ] as [string, string, string][];
  for (const [method, path, allow] of wrong) {
    const body = method === 'PUT' || method === 'POST' ? 'x' : null;
    const response = await fetch(`${live.http}${path}`, {
      method,
      body,
      headers: { 'content-type': 'audio/wav' },
    });
    assert.equal(response.status, 405, `${method} ${path}`);
    assert.deepEqual(response.headers.get('allow')?.split(', ').sort(), allow.split(', ').sort(), path);
    if (method === 'HEAD') continue;
    assert.equal(((await response.json()) as { code: string }).code, 'METHOD_NOT_ALLOWED');
  }
  const options = await fetch(`${live.http}/transcribe/file`, { method: 'OPTIONS' });
  assert.deepEqual([options.status, options.headers.get('allow')], [204, 'POST, OPTIONS']);
  const unknown = await fetch(`${live.http}/transcribe/nothing`, { method: 'POST' });
  assert.equal(unknown.status, 404);
});

test('an uploaded WAV gives text, words, times and a real-time factor', async () => {
  const form = new FormData();
  form.set('file', new Blob([await readFile(sampleWavPath)]), 'sample.wav');
  const response = await upload(form);
  assert.equal(response.status, 200);
  const result = uploadAnswer.parse(await response.json());
  assert.ok(result.words.length >= 3);
  assert.equal(result.text, result.segments.map((segment) => segment.text).join(' '));
  assert.ok(Math.abs(result.audio_duration_s - 6.96) < 0.02);
  assert.ok(result.real_time_factor > 0);
});

test('an upload is read whatever type its body or its field is said to be', async () => {
  const wav = await readFile(sampleWavPath);
  const bodies = [
    ...['', 'application/x-www-form-urlencoded', 'application/json', 'text/plain', 'audio/x-wav'].map(
      (type) => new Blob([wav], { type }),
    ),
    ...['audio', 'file', 'upload'].map((field) => {
      const form = new FormData();
      form.append('model', 'whisper-1');
      form.append(field, new Blob([wav]), 'sample.wav');
      return form;
    }),
  ];
  const texts = new Set<string>();
  for (const body of bodies) {
    const response = await upload(body);
    assert.equal(response.status, 200, body instanceof Blob ? `"${body.type}"` : [...body.keys()].join());
    texts.add(uploadAnswer.parse(await response.json()).text);
  }
  assert.equal(texts.size, 1);
});

test('a raw FLAC body gives what the same audio gives over the WebSocket', async () => {
  const clip = clips[2]!;
  const body = await readFile(`${fixturesDir}speech/${clip.file}`);
  const response = await upload(body, { 'content-type': 'audio/flac' });
  const result = uploadAnswer.parse(await response.json());
  const client = await TestClient.open(live.ws);
  const stopped = await client.transcribe(cut(bytesOf(await loadClip(clip.file)), 3_200));
  assert.equal(result.text, stopped.final_transcript);
  assert.deepEqual(
    result.words,
    client.all('transcription').flatMap((final) => final.words),
  );
  await client.close();
});

test('an upload listens for hotwords, and says which of them it cannot', async () => {
  const wav = await readFile(sampleWavPath);
  const post = async (query: string) => {
    const response = await fetch(`${live.http}/transcribe/file${query}`, { method: 'POST', body: wav });
    return { status: response.status, body: (await response.json()) as Record<string, never> };
  };
  const { body } = await post('?hotwords=olde:20&hotwords=%C3%A9t%C3%A9&silence_duration=1');
  assert.match(body.text!, /\bolde\b/);
  assert.deepEqual(uploadAnswer.parse(body).warnings.length, 1);
  assert.match(JSON.stringify(body.warnings), /NOT_SUPPORTED.*hotwords\.1 is left out/);
  const refused = await post('?silence_duration=soon');
  assert.deepEqual([refused.status, refused.body.code], [400, 'BAD_REQUEST']);
  assert.match(refused.body.detail!, /^silence_duration: /);
});

/** A request that offers to go on in HTTP/2, as Java's client makes it. */
function offering(request: string, body: Uint8Array = new Uint8Array(0)): Promise<string> {
  const { port } = new URL(live.http);
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(port), '127.0.0.1');
    const answer: Buffer[] = [];
    socket.on('data', (data) => void answer.push(data));
    socket.on('end', () => resolve(Buffer.concat(answer).toString()));
    socket.on('error', reject);
    const offer = 'Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings';
    socket.write(`${request} HTTP/1.1\r\nHost: x\r\n${offer}\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
    socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  });
}

test('an offer to speak HTTP/2 is ignored, and the request answered', async () => {
  const health = await offering('GET /health');
  assert.equal(health.match(/HTTP\/1\.1 200/g)?.length, 2, 'this one, and the next on the same connection');
  assert.match(health, /"status":"ready"/);
  const uploaded = await offering('POST /transcribe/file', await readFile(sampleWavPath));
  assert.match(uploaded, /^HTTP\/1\.1 200[\s\S]*"audio_duration_s"/);
});

test('progress comes as server-sent events when asked for', async () => {
  const response = await upload(await readFile(sampleWavPath), {
    accept: 'text/event-stream',
    'content-type': 'audio/wav',
  });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const events = [...(await response.text()).matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)];
  const names = events.map((event) => event[1]);
  assert.ok(names.includes('progress') && names.includes('transcription'));
  assert.equal(names.at(-1), 'result');
  uploadAnswer.parse(JSON.parse(events.at(-1)![2]!));
});

test('progress comes as lines of JSON when asked for', async () => {
  const response = await upload(await readFile(sampleWavPath), {
    accept: 'application/x-ndjson',
    'content-type': 'audio/wav',
  });
  const lines = (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  assert.equal(lines.at(-1)?.type, 'result');
  assert.ok(lines.some((line) => line.type === 'progress'));
});

test('a truncated upload is told apart from one that is no audio, and the next one works', async () => {
  const wav = await readFile(sampleWavPath);
  const flac = await readFile(`${fixturesDir}speech/${clips[0]!.file}`);
  const broken = await upload(flac.subarray(0, flac.length >> 1), { 'content-type': 'audio/flac' });
  assert.equal(broken.status, 422);
  assert.equal(((await broken.json()) as { code: string }).code, 'CORRUPT_AUDIO');
  const fine = await upload(wav, { 'content-type': 'audio/wav' });
  assert.equal(fine.status, 200);
  await fine.arrayBuffer();
});

test('uploads past the bound are refused with 503 and Retry-After', async () => {
  const none = await startLiveServer({ maxUploads: 0, maxStreams: 2 });
  const response = await fetch(`${none.http}/transcribe/file`, {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'audio/wav' },
  });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.equal(((await response.json()) as { code: string }).code, 'TOO_MANY_UPLOADS');
  await none.stop();
});

test('a server with a token turns away who has none', async () => {
  const closed = await startLiveServer({ authToken: 'open-sesame', maxStreams: 2 });
  const without = await fetch(`${closed.http}/transcribe/file`, {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'audio/wav' },
  });
  assert.equal(without.status, 401);
  const client = await TestClient.open(`${closed.ws}?token=open-sesame`);
  await client.close();
  await closed.stop();
});

test('a draining server finishes what was said, then says goodbye with 1001', async () => {
  const leaving = await startLiveServer({ maxStreams: 2 });
  const client = await TestClient.open(leaving.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  await client.audio(bytesOf(await loadClip(clips[0]!.file)));
  client.say({ type: 'ping' });
  await client.until('pong'); // all of the audio is in
  leaving.server.drain();
  const stopped = await client.until('recording_stopped');
  assert.ok(stopped.total_duration > 1);
  assert.equal(await client.closed(), 1001);
  assert.equal((await leaving.server.stopped).outcome, 'drained');
});

function pick(from: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}
