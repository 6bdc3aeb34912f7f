/** Deepgram's dialect over a session with the scripted model: what is said, in which order, and with which fields. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.js';
import { deepgram } from '../../../src/protocol/dialects/deepgram.js';
import { deepgramSettings } from '../../../src/protocol/dialects/deepgram-settings.js';
import { bytesOf, CHUNK, marked, spoken } from '../../helpers/fake-model.js';
import { openFakeSession } from '../../helpers/fake-session.js';
import type { Message } from '../../helpers/ws-client.js';

function connected(query = '') {
  const opened = openFakeSession({ dialect: deepgram, query });
  const messages = opened.socket.messages as unknown as Message[];
  return {
    ...opened,
    messages,
    results: () => messages.filter(({ type }) => type === 'Results'),
    types: () => messages.map(({ type }) => type),
    pause: (samples: number) => opened.session.onFrame(bytesOf(marked(samples, []))),
  };
}

const CLOSE = { type: 'CloseStream' };
const FINALIZE = { type: 'Finalize' };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const textOf = (result: Message): string => result.channel.alternatives[0].transcript;

test('a stream begins with its audio, is told in finals, and ends with Metadata and 1000', async () => {
  const { engine, socket, messages, say, speak, types } = connected();
  assert.equal(messages.length, 0, 'no greeting');
  speak(CHUNK * 4, [[0, 'hello'], [CHUNK * 2, 'world']]); // biome-ignore format: pairs
  await engine.settle();
  say(CLOSE);
  await engine.settle();
  assert.deepEqual(types(), ['Results', 'Metadata']);
  const [result, metadata] = messages;
  const { request_id, model_uuid } = result!.metadata;
  assert.deepEqual(result, {
    type: 'Results',
    channel_index: [0, 1],
    duration: 0.4,
    start: 0,
    is_final: true,
    speech_final: true,
    channel: {
      alternatives: [
        {
          transcript: 'hello world',
          confidence: result!.channel.alternatives[0].confidence,
          words: [
            {
              word: 'hello',
              start: 0,
              end: 0.05,
              confidence: result!.channel.alternatives[0].words[0].confidence,
              punctuated_word: 'hello',
            },
            {
              word: 'world',
              start: 0.2,
              end: 0.25,
              confidence: result!.channel.alternatives[0].words[1].confidence,
              punctuated_word: 'world',
            },
          ],
        },
      ],
    },
    metadata: { request_id, model_info: { name: 'fake', version: '1.0.0', arch: 'transducer' }, model_uuid },
    from_finalize: false,
  });
  assert.match(request_id, UUID);
  assert.match(model_uuid, UUID);
  assert.equal(metadata!.request_id, request_id);
  assert.deepEqual(
    [metadata!.duration, metadata!.channels, metadata!.transaction_key],
    [0.4, 1, 'deprecated'],
  );
  assert.deepEqual(metadata!.models, [model_uuid]);
  assert.deepEqual(Object.keys(metadata!.model_info), [model_uuid]);
  const audio = bytesOf(spoken(CHUNK * 4, [[0, 'hello'], [CHUNK * 2, 'world']])); // biome-ignore format: pairs
  assert.equal(metadata!.sha256, createHash('sha256').update(audio).digest('hex'));
  assert.ok(!Number.isNaN(Date.parse(metadata!.created)));
  assert.deepEqual(socket.closings, [{ code: 1000, reason: '' }]);
});

test('interim results come before their final where they are asked for, in any spelling', async () => {
  for (const yes of ['true', 'True', '1']) {
    const { engine, results, speak, pause } = connected(`?interim_results=${yes}`);
    speak(CHUNK * 2, [[0, 'hello'], [CHUNK, 'world']]); // biome-ignore format: pairs
    pause(CHUNK * 10);
    await engine.settle();
    const interims = results().slice(0, -1);
    assert.deepEqual(interims.map(textOf), ['hello', 'hello world']);
    for (const it of interims) assert.deepEqual([it.is_final, it.speech_final, it.start], [false, false, 0]);
    const final = results().at(-1)!;
    assert.deepEqual([textOf(final), final.is_final, final.speech_final], ['hello world', true, true]);
  }
});

test('each result begins where the last final ended', async () => {
  const { engine, results, speak, say } = connected();
  speak(CHUNK * 3, [[0, 'one']]);
  say(FINALIZE);
  await engine.settle();
  speak(CHUNK * 2, [[0, 'two']]);
  say(CLOSE);
  await engine.settle();
  assert.deepEqual(
    results().map(({ start, duration, from_finalize }) => [start, duration, from_finalize]),
    [
      [0, 0.3, true],
      [0.3, 0.2, false],
    ],
  );
  assert.equal(results()[1]!.channel.alternatives[0].words[0].start, 0.3, 'times are of the stream');
});

test('each Finalize has exactly one answer, also where nothing was said and before any audio', async () => {
  const { engine, results, pause, say, socket } = connected();
  say(FINALIZE);
  assert.deepEqual(results().map(textOf), ['']);
  pause(CHUNK);
  say(FINALIZE);
  say(FINALIZE);
  await engine.settle();
  assert.equal(results().length, 3);
  for (const it of results())
    assert.deepEqual([it.from_finalize, it.is_final, it.speech_final], [true, true, true]);
  assert.deepEqual(socket.closings, [], 'the stream goes on');
});

test('speech is announced before its words, with vad_events', async () => {
  const { engine, types, messages, speak, say } = connected('?vad_events=true&interim_results=true');
  speak(CHUNK * 4, [[CHUNK, 'one'], [CHUNK * 2, 'two']]); // biome-ignore format: pairs
  say(CLOSE);
  await engine.settle();
  assert.equal(types()[0], 'SpeechStarted');
  const started = messages[0]!;
  assert.deepEqual(started.channel, [0]);
  assert.ok(started.timestamp >= 0 && started.timestamp <= 0.1, String(started.timestamp));
  const silent = connected();
  silent.speak(CHUNK * 4, [[CHUNK, 'one']]);
  silent.say(CLOSE);
  await silent.engine.settle();
  assert.deepEqual(silent.types(), ['Results', 'Metadata'], 'not without');
});

test('a noise that was announced as speech ends with an empty final, so that agents do not wait for its end', async () => {
  const { engine, types, results, speak, pause } = connected(
    '?vad_events=true&interim_results=true&endpointing=300',
  );
  speak(CHUNK * 3);
  pause(CHUNK * 4);
  await engine.settle();
  assert.deepEqual(types(), ['SpeechStarted'], 'words may still come');
  pause(CHUNK * 12);
  speak(CHUNK, [[0, 'one']]);
  await engine.settle();
  pause(CHUNK * 12);
  await engine.settle();
  assert.deepEqual(types(), ['SpeechStarted', 'Results', 'SpeechStarted', 'Results', 'Results']);
  assert.deepEqual(
    results().map((it) => [textOf(it), it.is_final, it.speech_final, it.from_finalize]),
    [
      ['', true, true, false],
      ['one', false, false, false],
      ['one', true, true, false],
    ],
  );
});

test('without interim results there is one final for what was said, and none for a noise', async () => {
  const { engine, results, speak, pause } = connected(
    '?vad_events=true&utterance_end_ms=1000&endpointing=100',
  );
  speak(CHUNK * 3);
  pause(CHUNK * 16);
  speak(CHUNK * 2, [[CHUNK, 'one']]);
  pause(CHUNK * 16);
  await engine.settle();
  assert.deepEqual(results().map(textOf), ['one']);
});

test('the end of an utterance is told once its time has passed in the audio, behind the final', async () => {
  const { engine, types, messages, speak, pause } = connected('?utterance_end_ms=1000&endpointing=300');
  speak(CHUNK, [[0, 'one']]);
  pause(CHUNK * 5);
  await engine.settle();
  assert.deepEqual(types(), ['Results']);
  pause(CHUNK * 6);
  await engine.settle();
  assert.deepEqual(types(), ['Results', 'UtteranceEnd']);
  assert.deepEqual(messages[1], { type: 'UtteranceEnd', channel: [0, 1], last_word_end: 0.05 });
  pause(CHUNK * 30);
  await engine.settle();
  assert.equal(types().length, 2, 'and once only');
});

test('an utterance that goes on within the time has not ended', async () => {
  const { engine, types, speak, pause } = connected('?utterance_end_ms=1000&endpointing=200');
  for (let i = 0; i < 3; i++) {
    speak(CHUNK, [[0, 'one']]);
    pause(CHUNK * 6);
  }
  await engine.settle();
  assert.deepEqual(types(), ['Results', 'Results', 'Results']);
});

test('KeepAlive is not answered, an empty frame ends the stream', async () => {
  const { engine, types, say, session, socket } = connected();
  say({ type: 'KeepAlive' });
  session.onFrame(new Uint8Array(0));
  await engine.settle();
  assert.deepEqual(types(), ['Metadata']);
  assert.equal(socket.closeCode, 1000);
});

test('what cannot be read is answered with a SchemaError, and the stream goes on', async () => {
  const { engine, messages, say, session, socket, speak, results } = connected();
  session.onFrame('{not json');
  say({ type: 'Sing' });
  say([]);
  assert.deepEqual(messages.map(({ type, variant }) => [type, variant]), Array(3).fill(['Error', 'SchemaError'])); // biome-ignore format: short
  assert.ok(messages.every(({ description }) => description.length > 10));
  speak(CHUNK, [[0, 'one']]);
  say(CLOSE);
  await engine.settle();
  assert.deepEqual(results().map(textOf), ['one']);
  assert.equal(socket.closeCode, 1000);
});

test('key terms may be changed on the way; an older Configure changes nothing', () => {
  const { messages, say } = connected();
  say({ type: 'Configure', keyterms: ['hello world', 'one:3'] });
  say({ type: 'Configure', processors: { numerals: true } });
  const { request_id, ...success } = messages[0]!;
  assert.deepEqual(success, { type: 'ConfigureSuccess', keyterms: ['hello world', 'one:3'] });
  assert.match(request_id, UUID);
  assert.equal(messages.length, 1);
});

test('a Configure has its answer: too many key terms are refused, and change nothing; features are none', () => {
  const { messages, say } = connected();
  const many = Array.from({ length: LIMITS.maxHotwords + 1 }, (_, i) => `term ${i}`);
  say({ type: 'Configure', keyterms: many });
  say({ type: 'Configure', keyterms: ['a'.repeat(LIMITS.maxHotwordChars + 1)] });
  say({ type: 'Configure', features: { numerals: true } });
  say({ type: 'Configure', keyterms: [] });
  assert.deepEqual(
    messages.map(({ type, code, keyterms }) => [type, code, keyterms]),
    [
      ['ConfigureFailure', 'CONFIGURE_KEYTERM_LIMIT_EXCEEDED', undefined],
      ['ConfigureFailure', 'CONFIGURE_KEYTERM_LIMIT_EXCEEDED', undefined],
      ['ConfigureSuccess', undefined, undefined],
      ['ConfigureSuccess', undefined, []],
    ],
  );
  for (const { type, description } of messages)
    assert.equal(typeof description, type === 'ConfigureFailure' ? 'string' : 'undefined');
});

test('a WAV header tells the format where the address does not', async () => {
  const { engine, results, say, session } = connected('?model=nova-3');
  const audio = bytesOf(spoken(CHUNK * 2, [[0, 'hello']]));
  const header = Buffer.alloc(44);
  header.write('RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0', 0, 'latin1');
  header.writeUInt32LE(16_000, 24);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data\xff\xff\xff\xff', 36, 'latin1');
  session.onFrame(new Uint8Array(Buffer.concat([header, audio])));
  say(CLOSE);
  await engine.settle();
  assert.deepEqual(results().map(textOf), ['hello']);
});

test('a container that cannot be read ends the stream with 1008 DATA-0000 and a reason', async () => {
  const { engine, messages, session, socket } = connected();
  session.onFrame(new Uint8Array(Buffer.from('fLaC\0\0\0\x22 and so on', 'latin1')));
  await engine.settle();
  const [{ code, reason } = { code: 0, reason: '' }] = socket.closings;
  assert.equal(code, 1008);
  assert.match(reason, /^DATA-0000: .*FLAC/);
  assert.ok(Buffer.byteLength(reason) <= 123, 'a close frame has room for it');
  assert.equal(messages.at(-1)?.type, 'Error');
});

test('a stream goes on in time after a recording that had no audio for too long', async () => {
  const { engine, results, session, speak, say, messages } = connected();
  speak(CHUNK * 2, [[0, 'one']]);
  await engine.settle();
  session.watch.audioMs -= 601_000;
  session.sweep(performance.now());
  await engine.settle();
  speak(CHUNK * 2, [[0, 'two']]);
  say(CLOSE);
  await engine.settle();
  const [first, second] = results();
  assert.deepEqual(
    [first!.start, second!.start, second!.channel.alternatives[0].words[0].start],
    [0, 0.2, 0.2],
  );
  assert.equal(messages.at(-1)!.duration, 0.4);
});

test('multichannel: each channel has its index in every message', async () => {
  const { engine, results, messages, session, say } = connected('?channels=2&multichannel=true');
  const [left, right] = [spoken(CHUNK * 2, [[0, 'one']]), spoken(CHUNK * 2, [[CHUNK, 'two']])];
  session.onFrame(
    bytesOf(Int16Array.from({ length: CHUNK * 4 }, (_, i) => (i % 2 === 0 ? left : right)[i >> 1]!)),
  );
  say(FINALIZE);
  say(CLOSE);
  await engine.settle();
  assert.deepEqual(
    results().map((it) => [it.channel_index, textOf(it)]),
    [
      [[0, 2], 'one'],
      [[1, 2], 'two'],
    ],
  );
  assert.equal(messages.at(-1)!.channels, 2);
});

const settings = (query: string) => deepgramSettings(new URLSearchParams(query));

test('endpointing is clamped to what is possible, not refused', () => {
  const silence = (query: string) => settings(query).config.silence_duration;
  assert.deepEqual(
    [
      'endpointing=25',
      'endpointing=300',
      'endpointing=99999',
      'endpointing=false',
      'endpointing=true',
      '',
    ].map(silence),
    [0.1, 0.3, 10, 10, undefined, undefined],
  );
  assert.equal(
    silence('endpointing=false&utterance_end_ms=1500'),
    1.5,
    'a final comes before the end is told',
  );
  assert.deepEqual(
    [settings('endpointing=false').tellsPauses, settings('endpointing=10').tellsPauses],
    [false, true],
  );
});

test('encodings have their usual rates; others are refused by name', () => {
  const format = (query: string) => {
    const { encoding, sample_rate, channels } = settings(query).config;
    return [encoding, sample_rate, channels];
  };
  assert.deepEqual(format(''), ['pcm16', 16_000, 1]);
  assert.deepEqual(format('encoding=linear16&sample_rate=48000&channels=2'), ['pcm16', 48_000, 2]);
  assert.deepEqual(format('encoding=mulaw'), ['mulaw', 8_000, 1]);
  assert.deepEqual(format('encoding=alaw&sample_rate=16000'), ['alaw', 16_000, 1]);
  assert.throws(() => settings('encoding=speex'), { code: 'UNSUPPORTED_ENCODING' });
  assert.throws(() => settings('sample_rate=400'), { code: 'UNSUPPORTED_SAMPLE_RATE' });
  assert.throws(() => settings('channels=5'), { code: 'UNSUPPORTED_CHANNELS' });
});

test('key terms and keywords become hotwords, repeated or as one list; unknown parameters are ignored', () => {
  const { hotwords } = settings(
    'keyterm=Kubernetes&keyterm=etcd&keywords=nginx:3&keywords=x:-99&filler_words=true&no_delay=1&tag=a&diarize=yes',
  ).config;
  assert.deepEqual(hotwords, [
    { phrase: 'Kubernetes', boost: 2 },
    { phrase: 'etcd', boost: 2 },
    { phrase: 'nginx', boost: 3 },
    { phrase: 'x', boost: -20 },
  ]);
  const asList = settings(`keyterm=${encodeURIComponent('["one","two"]')}`).config.hotwords;
  assert.deepEqual(asList?.map(({ phrase }) => phrase), ['one', 'two']); // biome-ignore format: short
});

test('a refusal has the code that SDKs look for, and says why in headers', () => {
  const refusal = deepgram.refuse?.('UNAUTHORIZED', undefined);
  const body = refusal?.body as Message;
  assert.equal(body.err_code, 'INVALID_AUTH');
  assert.equal(refusal?.headers['dg-request-id'], body.request_id);
  assert.equal(refusal?.headers['dg-error'], body.err_msg);
});
