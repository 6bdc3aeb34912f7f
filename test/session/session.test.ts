import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import { bytesOf, CHUNK, marked } from '../helpers/fake-model.js';
import { joinSession, openFakeSession } from '../helpers/fake-session.js';

const START = { type: 'start_recording' };
const STOP = { type: 'stop_recording' };
const FINALIZE = { type: 'finalize' };

const quiet = (samples: number): Uint8Array => bytesOf(marked(samples, []));

test('a client is greeted with what it may send', () => {
  const { socket } = openFakeSession();
  const greeting = socket.last('connection');
  assert.equal(greeting.client_id, 'someone');
  assert.equal(greeting.seq, 1);
  assert.deepEqual(greeting.supported_audio_formats.channels, [1, 2]);
});

test('speech comes back as partials, then as a transcription with word times after the pause', async () => {
  const { engine, socket, session, say, speak } = openFakeSession();
  say(START);
  speak(8_000, [[1_000, 'hello'], [6_000, 'world']]); // biome-ignore format: pairs
  session.onFrame(quiet(16_000));
  await engine.settle();
  assert.deepEqual(socket.of('partial').map((partial) => partial.text), ['hello', 'hello world']); // biome-ignore format: short
  const final = socket.last('transcription');
  assert.deepEqual([final.text, final.reason, final.segment_id], ['hello world', 'silence', 1]);
  assert.deepEqual(
    final.words?.map(({ word, start, end }) => [word, start, end]),
    [
      ['hello', 0.05, 0.1],
      ['world', 0.35, 0.4],
    ],
  );
});

test('a frame that is too large is answered with its code before the connection ends', () => {
  const { socket, session } = openFakeSession();
  session.onFrame(new Uint8Array(LIMITS.maxFrameBytes + 1));
  assert.equal(socket.last('error').code, 'MESSAGE_TOO_LARGE');
  assert.equal(session.activity, 'closed');
});

test('messages are numbered 1, 2, 3 …', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say(START);
  speak(CHUNK * 3, [[0, 'one']]);
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.messages.map((message) => message.seq), socket.messages.map((_, i) => i + 1)); // biome-ignore format: short
});

test('a stop brings out the last words without waiting for silence', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say(START);
  speak(2_000, [[1_999, 'hello']]);
  say(STOP);
  await engine.settle();
  const stopped = socket.last('recording_stopped');
  assert.deepEqual([stopped.final_transcript, stopped.total_segments], ['hello', 1]);
  assert.equal(stopped.total_duration, 0.13);
  assert.equal(socket.last('transcription').reason, 'stop');
  assert.deepEqual(socket.types.slice(-2), ['transcription', 'recording_stopped']);
});

test('a stop right after the start is answered with an empty transcript', async () => {
  const { engine, socket, say } = openFakeSession();
  say(START);
  say(STOP);
  await engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, '');
  assert.deepEqual(socket.of('transcription'), []);
});

test('stop and start back to back: the frames that follow belong to the second recording', async () => {
  const { engine, socket, session, say, speak } = openFakeSession();
  say(START);
  speak(2_000, [[0, 'one']]);
  say(STOP);
  say(START);
  speak(2_000, [[1_000, 'two']]);
  assert.ok(socket.paused, 'the socket is not read while frames are held');
  await engine.settle();
  assert.ok(!socket.paused);
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.of('recording_stopped').map((stopped) => stopped.final_transcript), ['one', 'two']); // biome-ignore format: short
  assert.equal(socket.last('transcription').words?.[0]?.start, 0.05, 'times begin anew');
  assert.equal(socket.last('transcription').segment_id, 1);
  assert.equal(session.activity, 'idle');
});

/** `one` is said and its flush under way, a second start is remembered, and `two` is said behind it. */
function stoppedAndStarted() {
  const opened = openFakeSession();
  const { say, speak } = opened;
  say(START);
  speak(2_000, [[0, 'one']]);
  say(STOP);
  say(START);
  speak(2_000, [[0, 'two']]);
  return opened;
}

test('a second recording that is stopped before it could begin is answered like any other', async () => {
  const { engine, socket, say } = stoppedAndStarted();
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.of('recording_stopped').map((stopped) => stopped.final_transcript), ['one', 'two']); // biome-ignore format: short
});

test('a finalize behind a remembered start cuts the second recording where it came', async () => {
  const { engine, socket, say, speak } = stoppedAndStarted();
  say(FINALIZE);
  speak(2_000, [[0, 'three']]);
  await engine.settle();
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.of('error'), []);
  assert.deepEqual(
    socket.of('transcription').map(({ text, reason }) => [text, reason]),
    [['one', 'stop'], ['two', 'finalize'], ['three', 'stop']],
  ); // biome-ignore format: pairs
});

test('configure between stop and start, and after the waiting start, holds for the second recording', async () => {
  const { engine, socket, say } = openFakeSession();
  say(START);
  say(STOP);
  say({ type: 'configure', silence_duration: 1 });
  say(START);
  say({ type: 'configure', max_segment_duration: 7 });
  await engine.settle();
  assert.deepEqual(socket.types.slice(-4), [
    'recording_stopped',
    'configured',
    'recording_started',
    'configured',
  ]);
  assert.equal(socket.last('recording_started').config.silence_duration, 1);
  const { config } = socket.last('configured');
  assert.deepEqual([config.silence_duration, config.max_segment_duration], [1, 7]);
});

// ---- finalize -----------------------------------------------------------------------------------------------

test('finalize closes the segment where the audio stands, and audio goes on with its times right', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say(START);
  speak(2_100, [[1_700, 'one']]);
  say(FINALIZE);
  speak(4_300, [[900, 'two']]); // at 3,000 of the recording
  await engine.settle();
  say(STOP);
  await engine.settle();
  const [first, second] = socket.of('transcription');
  assert.deepEqual(
    [first?.text, first?.reason, second?.text, second?.reason],
    ['one', 'finalize', 'two', 'stop'],
  );
  assert.equal(first?.words?.[0]?.start, 0.1);
  assert.ok((first?.words?.[0]?.end ?? 1) <= 0.13, 'not past the audio');
  // The steps after the cut begin at 2,100: their second frame at 2,900.
  assert.equal(second?.words?.[0]?.start, 0.18);
  assert.equal(socket.last('recording_stopped').total_duration, 0.4);
});

test('finalize without a word is answered with an empty segment', async () => {
  const { engine, socket, say } = openFakeSession();
  say(START);
  say(FINALIZE);
  await engine.settle();
  const final = socket.last('transcription');
  assert.deepEqual([final.text, final.reason], ['', 'finalize']);
});

test('each of several finalizes cuts where it stood among the frames', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say(START);
  speak(500, [[0, 'one']]);
  say(FINALIZE);
  speak(500, [[0, 'two']]);
  say(FINALIZE);
  speak(500, [[0, 'three']]);
  say(FINALIZE);
  speak(500, [[0, 'four']]);
  say(STOP);
  await engine.settle();
  assert.deepEqual(
    socket.of('transcription').map(({ text, reason }) => `${reason} ${text}`),
    ['finalize one', 'finalize two', 'finalize three', 'stop four'],
  );
});

test('finalize works while the ring is full', async () => {
  const { engine, socket, say, speak } = openFakeSession({ ringSeconds: 1 });
  say(START);
  speak(20_000, [[19_000, 'one']]);
  assert.ok(socket.paused, 'the sender is slowed');
  say(FINALIZE);
  speak(1_000, [[0, 'two']]);
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.of('transcription').map(({ text }) => text), ['one', 'two']); // biome-ignore format: short
  assert.equal(socket.last('recording_stopped').total_duration, 1.31);
});

test('wherever finalizes fall, every word is told once, in order, in the segment it was said in', async () => {
  const piece = fc.record({
    samples: fc.integer({ min: 900, max: 4_000 }),
    finalize: fc.boolean(),
    rounds: fc.nat(3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (played) => {
      const { engine, socket, say, speak } = openFakeSession({ ringSeconds: 1 });
      say({ ...START, config: { silence_duration: 10 } });
      const said: string[][] = [[]];
      for (const [i, { samples, finalize, rounds }] of played.entries()) {
        const word = ['one', 'two', 'three', 'four', 'five'][i % 5]!;
        speak(samples, [[samples - 850, word]]);
        said.at(-1)?.push(word);
        if (finalize) {
          say(FINALIZE);
          said.push([]);
        }
        for (let round = 0; round < rounds; round++) await engine.round();
      }
      say(STOP);
      await engine.settle();
      const expected = said.map((words) => words.join(' '));
      if (expected.at(-1) === '') expected.pop(); // a stop without words closes no segment
      assert.deepEqual(socket.of('transcription').map(({ text }) => text), expected); // biome-ignore format: short
      const starts = socket
        .of('transcription')
        .flatMap(({ words }) => words?.map((word) => word.start) ?? []);
      assert.deepEqual(starts, [...starts].sort((a, b) => a - b)); // biome-ignore format: short
    }),
    { seed: 11, numRuns: 60 },
  );
});

// ---- endpointing and tuning ---------------------------------------------------------------------------------

test('with a threshold, quiet speech is a pause', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say({ ...START, config: { vad_threshold: 0.2, silence_duration: 0.3 } });
  speak(CHUNK * 12, [[0, 'one']]); // RMS 0.03
  await engine.settle();
  assert.equal(socket.last('transcription').reason, 'silence');
});

test('configure while recording holds from the next chunk on', async () => {
  const { engine, socket, say, speak } = openFakeSession({ defaults: { silence_duration: 5 } });
  say(START);
  speak(CHUNK, [[0, 'one']]);
  speak(CHUNK);
  await engine.settle();
  say({ type: 'configure', config: { words: false }, silence_duration: 0.2, vad_threshold: 0.5 });
  assert.equal(socket.last('configured').config.silence_duration, 0.2);
  speak(CHUNK * 6);
  await engine.settle();
  const final = socket.last('transcription');
  assert.deepEqual([final.text, final.reason, final.words], ['one', 'silence', undefined]);
});

test('the audio format cannot change while recording', () => {
  const { socket, say } = openFakeSession();
  say(START);
  say({ type: 'configure', sample_rate: 8_000 });
  assert.deepEqual(socket.errors, ['CONFIG_LOCKED']);
  say({ type: 'configure', sample_rate: 16_000 });
  assert.equal(socket.of('configured').length, 1, 'the same value changes nothing');
});

test('what configure sets holds for later recordings; what start sets for its own only', async () => {
  const { engine, socket, say } = openFakeSession();
  say({ type: 'configure', silence_duration: 2 });
  say({ ...START, config: { language: 'fr' } });
  say(STOP);
  await engine.settle();
  say({ type: 'configure', words: false });
  assert.equal(socket.last('configured').config.language, 'en', 'tells what the next recording will have');
  say(START);
  const { config } = socket.last('recording_started');
  assert.deepEqual([config.silence_duration, config.language, config.words], [2, 'en', false]);
});

test('speech events are sent when asked for', async () => {
  const { engine, socket, session, say, speak } = openFakeSession();
  say({ ...START, config: { vad_events: true, silence_duration: 0.2 } });
  session.onFrame(quiet(CHUNK));
  speak(CHUNK * 2);
  session.onFrame(quiet(CHUNK * 4));
  await engine.settle();
  assert.equal(socket.last('speech_started').audio_time, 0.1);
  assert.equal(socket.last('speech_ended').audio_time, 0.3);
});

// ---- mistakes -----------------------------------------------------------------------------------------------

test('control messages in the wrong state are refused, and the connection goes on', async () => {
  const { engine, socket, say } = openFakeSession();
  say(STOP);
  say(FINALIZE);
  say(START);
  say(START);
  assert.deepEqual(socket.errors, ['NOT_RECORDING', 'NOT_RECORDING', 'ALREADY_RECORDING']);
  say(STOP);
  await engine.settle();
  assert.equal(socket.of('recording_stopped').length, 1);
  assert.deepEqual(socket.closings, []);
});

test('audio outside of a recording is counted and warned of once', async () => {
  const { engine, socket, metrics, say, speak } = openFakeSession();
  speak(CHUNK);
  speak(CHUNK);
  assert.deepEqual(socket.of('warning').map((warning) => warning.code), ['AUDIO_IGNORED']); // biome-ignore format: short
  assert.equal(metrics.ignoredFrames, 2);
  say(START);
  say(STOP);
  await engine.settle();
  speak(CHUNK);
  assert.equal(socket.of('warning').length, 2, 'once more in the next idle period');
});

test('a binary frame with a known control message is one; audio that begins with { is audio', async () => {
  const { engine, session, socket } = openFakeSession();
  const binary = (text: string) => session.onFrame(new TextEncoder().encode(text));
  binary('{"type":"start_recording"}');
  assert.equal(session.activity, 'recording');
  binary('{"type":"no such thing"}'); // 24 bytes: 12 samples
  binary('{{{{');
  const audio = bytesOf(marked(CHUNK - 14, [[1_000, 'one']]));
  session.onFrame(audio);
  binary('{"type":"stop_recording"}');
  await engine.settle();
  assert.deepEqual(socket.errors, []);
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
  assert.equal(socket.last('recording_stopped').total_duration, 0.1);
});

test('too many control messages at once end the connection, with one error', (t) => {
  const nowMs = performance.now();
  t.mock.method(performance, 'now', () => nowMs); // no more become allowed meanwhile
  const { socket, metrics, say } = openFakeSession();
  for (let i = 0; i <= LIMITS.controlBurst; i++) say({ type: 'ping' });
  assert.equal(socket.of('pong').length, LIMITS.controlBurst);
  assert.deepEqual(socket.errors, ['RATE_LIMITED']);
  assert.equal(metrics.errors.get('RATE_LIMITED'), 1);
  assert.deepEqual(socket.closings, [{ code: 4429, reason: 'RATE_LIMITED' }]);
});

test('hotwords that change all the time end the connection, other settings do not', () => {
  const { say, session, socket } = openFakeSession();
  for (let i = 0; i < LIMITS.hotwordListBurst; i++)
    say({ type: 'configure', hotwords: [{ phrase: 'Mira' }] });
  say({ type: 'configure', hotwords: [] });
  say({ type: 'configure', silence_duration: 1 });
  assert.equal(session.activity, 'idle');
  // Some more than one, since time passes meanwhile.
  for (let i = 0; i < 10; i++) say({ type: 'configure', hotwords: ['Mira'] });
  assert.deepEqual(socket.errors, ['RATE_LIMITED']);
  assert.deepEqual(socket.closings, [{ code: 4429, reason: 'RATE_LIMITED' }]);
});

test('a control message that is too large ends the connection', () => {
  const { socket, session } = openFakeSession();
  session.onFrame(`{"type":"ping","x":"${'x'.repeat(LIMITS.maxControlBytes)}"}`);
  assert.deepEqual(socket.errors, ['MESSAGE_TOO_LARGE']);
  assert.match(socket.last('error').detail ?? '', /65536/);
  assert.equal(socket.closeCode, 1009);
});

test('whatever bytes a client sends, the session answers or ignores them', async () => {
  const frames = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.json(),
      fc.constantFrom('{"type":"start_recording"}', '{"type":"stop_recording"}', '{"type":"finalize"}', '{"type":"configure"}'), // biome-ignore format: a list
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(frames, async (sent) => {
      const { engine, session, socket } = openFakeSession();
      for (const frame of sent) {
        if (typeof frame === 'string') session.onFrame(frame);
        else session.onFrame(frame);
      }
      await engine.settle();
      session.onSocketClosed();
      await engine.settle();
      assert.equal(session.activity, 'closed');
      assert.equal(engine.table.leased, 0);
      for (const { code } of socket.of('error')) assert.notEqual(code, 'INTERNAL');
    }),
    { seed: 12, numRuns: 100 },
  );
});

// ---- flow control -------------------------------------------------------------------------------------------

test('a client that sends faster than real time is slowed and loses nothing', async () => {
  const { engine, socket, say, speak } = openFakeSession({ ringSeconds: 1 });
  say(START);
  const words = ['one', 'two', 'three', 'four', 'five', 'six'];
  for (const word of words) {
    speak(10_000, [[5_000, word]]);
    while (socket.paused) await engine.round();
  }
  say(STOP);
  await engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, words.join(' '));
  assert.ok(socket.flow.includes('pause') && socket.flow.at(-1) === 'resume');
});

test('a slow reader gets the newest partial only, and every final', async () => {
  const { engine, socket, session, say, speak } = openFakeSession();
  say({ ...START, config: { silence_duration: 0.3 } });
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  for (const word of ['one', 'two', 'three']) speak(CHUNK, [[0, word]]);
  speak(CHUNK);
  await engine.settle();
  assert.deepEqual(socket.of('partial'), []);
  session.onFrame(quiet(CHUNK * 6));
  await engine.settle();
  assert.deepEqual(socket.of('transcription').map(({ text }) => text), ['one two three']); // biome-ignore format: short
  assert.equal(session.droppedPartials, 2);
  speak(CHUNK * 2, [[0, 'four']]);
  await engine.settle();
  socket.bufferedAmount = 0;
  session.sweep(performance.now());
  assert.deepEqual(socket.of('partial').map(({ text }) => text), ['four'], 'the sweep sends what was held'); // biome-ignore format: short
});

test('a client that does not read at all is let go', async () => {
  const { engine, socket, closed, say, speak } = openFakeSession();
  say(START);
  speak(CHUNK * 2, [[0, 'one']]);
  socket.bufferedAmount = LIMITS.outboxHardBytes + 1;
  say({ type: 'ping' });
  await engine.settle();
  assert.deepEqual(socket.closings, [{ code: 1013, reason: 'SLOW_READER' }]);
  assert.equal(closed.length, 1);
  assert.equal(engine.table.leased, 0);
});

// ---- the end ------------------------------------------------------------------------------------------------

test('a client that vanishes in the middle of a word leaves its slot free', async () => {
  const { engine, session, closed, say, speak } = openFakeSession();
  say(START);
  speak(CHUNK, [[0, 'one']]);
  engine.pump();
  session.onSocketClosed();
  await engine.settle();
  assert.equal(closed.length, 1);
  assert.equal(engine.table.leased, 0);
});

test('a stream whose audio the recogniser gives up is told so, and not to come back with it', async () => {
  const { engine, socket, say, speak } = openFakeSession({ maxFailures: 1 });
  say(START);
  speak(CHUNK);
  engine.pump();
  engine.lanes[0]?.fail();
  await engine.settle();
  assert.deepEqual(socket.errors, ['AUDIO_FAILED']);
  assert.equal(socket.last('error').retryable, false);
  assert.equal(socket.closeCode, 1003);
});

test('a stream whose recogniser is lost is told so, and may come back', async () => {
  const { engine, socket, say, speak } = openFakeSession();
  say(START);
  speak(CHUNK);
  engine.pump();
  engine.lanes[0]!.onRecover = () => Promise.reject(new Error('no memory'));
  engine.lanes[0]!.fail();
  await engine.settle();
  assert.deepEqual(socket.errors, ['ENGINE_FAILED']);
  assert.equal(socket.last('error').retryable, true);
  assert.equal(socket.closeCode, 1011);
});

test('a drain finishes what was said, then closes with 1001', async () => {
  const { engine, session, socket, metrics, say, speak } = openFakeSession();
  say(START);
  speak(2_000, [[1_000, 'one']]);
  session.actor.send({ type: 'DRAIN' });
  say(START);
  assert.deepEqual([socket.errors, socket.closings], [[], []], 'it waits behind the flush, which goes on');
  await engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
  assert.deepEqual([socket.errors, socket.of('recording_started').length], [['DRAINING'], 1]);
  assert.equal(socket.closeCode, 1001);
  assert.ok(metrics.final.percentiles().p99 < 1_000, 'timed from the drain');
});

test('a session that hears nothing for too long is closed; one that is paused is not', () => {
  const { session, socket } = openFakeSession();
  session.sweep(session.watch.heardMs + 119_000);
  assert.deepEqual(socket.closings, []);
  session.sweep(session.watch.heardMs + 121_000);
  assert.equal(socket.closeCode, 4408);
  const slowed = openFakeSession({ ringSeconds: 1 });
  slowed.say(START);
  slowed.speak(20_000);
  slowed.session.sweep(slowed.session.watch.heardMs + 121_000);
  assert.deepEqual(slowed.socket.closings, []);
});

test('keepalive resets the idle timer and is not answered', () => {
  const { session, socket, say } = openFakeSession();
  session.watch.heardMs -= 121_000;
  say({ type: 'keepalive' });
  session.sweep(performance.now());
  assert.deepEqual(socket.closings, []);
  assert.deepEqual(socket.types, ['connection']);
});

test('the sweep acknowledges what was received, and tells figures when asked to', async () => {
  const { engine, session, socket, say, speak } = openFakeSession({ query: '?resumable=1' });
  session.sweep(performance.now());
  assert.deepEqual(socket.of('ack'), [], 'nothing while idle');
  say({ ...START, config: { metrics: true } });
  speak(CHUNK + 100);
  await engine.settle();
  session.sweep(performance.now());
  assert.equal(socket.last('ack').received_samples, CHUNK + 100);
  const figures = socket.last('metrics');
  assert.equal(figures.level_dbfs, -30.3);
  assert.deepEqual([figures.lag, figures.audio_received], [0.01, 0.11]);
});

test('a start finds no slot: AT_CAPACITY, which may be tried again on the same connection', async () => {
  const { context, engine, say } = openFakeSession({ slots: 1 });
  const other = joinSession(context);
  const start = () => other.session.onFrame(JSON.stringify(START));
  say(START);
  start();
  assert.deepEqual(other.socket.errors, ['AT_CAPACITY']);
  assert.equal(other.socket.last('error').retryable, true);
  assert.deepEqual([other.session.activity, other.socket.closings], ['idle', []]);
  say(STOP);
  await engine.settle();
  assert.equal(engine.table.leased, 0, 'a session that does not record holds no slot');
  start();
  assert.equal(other.session.activity, 'recording');
});
