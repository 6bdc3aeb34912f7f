import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { mock, test } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import type { FilePiece } from '../../src/audio/file.js';
import { type FileMessage, FileStream, type FileTask } from '../../src/codec/file-stream.js';
import { CodecPool } from '../../src/codec/pool.js';
import { LIMITS } from '../../src/limits.js';
import { fixturesDir, sampleWavPath } from '../helpers/fixtures.js';
import { pcm16Wav } from '../helpers/wav.js';

const request = () => ({ bytes: new Uint8Array(4), maxSeconds: 60 });
const piece = (value: number): FilePiece => ({ channels: [Int16Array.of(value)], fraction: value / 10 });

/** A stream whose worker is played by the test. */
function played() {
  let port!: MessagePort;
  let signal!: AbortSignal;
  let settle!: { resolve(): void; reject(error: unknown): void };
  const asked: number[] = [];
  const stream = new FileStream(request(), (task: FileTask, _transfer, given) => {
    port = task.port;
    signal = given;
    port.on('message', (more: number) => void asked.push(more));
    return new Promise((resolve, reject) => {
      settle = { resolve, reject };
      given.addEventListener('abort', () => reject(new Error('aborted')));
    });
  });
  const say = (message: FileMessage) => port.postMessage(message);
  return { stream, say, asked, close: () => port.close(), settle: () => settle, signal: () => signal };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await turn();
}

test('only as much is asked for as was used', async () => {
  const { stream, say, asked, close } = played();
  say('started');
  for (const value of [1, 2]) say(piece(value));
  await turns();
  assert.deepEqual(asked, [2]);
  assert.equal((await stream.next())?.channels[0]?.[0], 1);
  await turns();
  assert.deepEqual(asked, [2, 1]);
  assert.equal((await stream.next())?.channels[0]?.[0], 2);
  say('ended');
  assert.equal(await stream.next(), null);
  assert.equal(await stream.next(), null);
  close();
});

test('what went wrong comes after the pieces before it', async () => {
  const { stream, say, close } = played();
  say(piece(1));
  say({ code: 'CORRUPT_AUDIO', detail: 'the page at byte 9 is damaged' });
  await turns();
  assert.equal((await stream.next())?.channels[0]?.[0], 1);
  await assert.rejects(stream.next(), { code: 'CORRUPT_AUDIO', detail: 'the page at byte 9 is damaged' });
  close();
});

test('a decoder that is stuck is ended, and the file is to blame', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { stream, say, signal, close } = played();
    say('started');
    await turns();
    const next = assert.rejects(stream.next(), { code: 'CORRUPT_AUDIO', detail: /stuck/ });
    mock.timers.tick(LIMITS.fileStallMs / 2);
    mock.timers.tick(LIMITS.fileStallMs / 2 - 1);
    assert.equal(signal().aborted, false);
    mock.timers.tick(1);
    assert.equal(signal().aborted, true);
    await next;
    close();
  } finally {
    mock.timers.reset();
  }
});

test('a process that stood still itself does not count the decoder as stuck', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { stream, say, signal, close } = played();
    say('started');
    await turns();
    const next = stream.next();
    mock.timers.tick(10 * LIMITS.fileStallMs);
    say(piece(1));
    assert.ok(await next);
    assert.equal(signal().aborted, false);
    close();
    stream.close();
  } finally {
    mock.timers.reset();
  }
});

test('one that waits for a thread, or for its reader, is not stuck', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const queued = played();
    void queued.stream.next();
    for (let i = 0; i < 2; i++) mock.timers.tick(10 * LIMITS.fileStallMs);
    assert.equal(queued.signal().aborted, false);
    queued.stream.close();
    assert.equal(queued.signal().aborted, true, 'and gives its place in the queue up when nobody wants it');
    const ahead = played();
    ahead.say('started');
    ahead.say(piece(1));
    await turns();
    for (let i = 0; i < 2; i++) mock.timers.tick(10 * LIMITS.fileStallMs);
    assert.equal(ahead.signal().aborted, false);
    ahead.close();
    queued.close();
  } finally {
    mock.timers.reset();
  }
});

test('a thread that dies of memory blames the file, any other death the server', async () => {
  const outOfMemory = Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
  for (const [error, code] of [
    [outOfMemory, 'CORRUPT_AUDIO'],
    [new Error('trap'), 'INTERNAL'],
  ] as const) {
    const { stream, settle, close } = played();
    const next = assert.rejects(stream.next(), { code });
    settle().reject(error);
    await next;
    close();
  }
});

test('a long file is decoded no further than it is read, and its thread is free once it is left', async () => {
  const pool = new CodecPool({ fileThreads: 1 });
  try {
    const bytes = pcm16Wav(new Int16Array(16_000 * 30).fill(5));
    const stream = pool.openFile({ bytes, maxSeconds: 60 });
    const first = await stream.next();
    assert.ok(first !== null && first.fraction < 0.1);
    stream.close();
    assert.equal(await stream.next(), null);
    const samples = await pool.decodeFile(await readFile(sampleWavPath), { maxSeconds: 60 });
    assert.equal(samples.length, 111_360);
  } finally {
    await pool.close();
  }
});

test('two files are decoded beside each other, each by its own pace', async () => {
  const pool = new CodecPool({ fileThreads: 2 });
  try {
    const held = pool.openFile({ bytes: pcm16Wav(new Int16Array(16_000 * 10).fill(5)), maxSeconds: 60 });
    await held.next();
    const flac = await readFile(`${fixturesDir}speech/lj002-0057.flac`);
    assert.ok((await pool.decodeFile(flac, { maxSeconds: 60 })).length > 16_000);
    held.close();
  } finally {
    await pool.close();
  }
});
