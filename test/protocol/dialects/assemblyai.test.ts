/** AssemblyAI's dialect over a session with the scripted model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemblyAi } from '../../../src/protocol/dialects/assemblyai.js';
import { bytesOf, CHUNK, marked } from '../../helpers/fake-model.js';
import { openFakeSession } from '../../helpers/fake-session.js';
import type { Message } from '../../helpers/ws-client.js';

function connected(query = '') {
  const opened = openFakeSession({ dialect: assemblyAi, query });
  const messages = opened.socket.messages as unknown as Message[];
  return {
    ...opened,
    messages,
    turns: () => messages.filter(({ type }) => type === 'Turn'),
    types: () => messages.map(({ type }) => type),
    pause: (samples: number) => opened.session.onFrame(bytesOf(marked(samples, []))),
  };
}

test('Begin comes at once, with an id and whole seconds', () => {
  const { messages } = connected();
  assert.deepEqual(Object.keys(messages[0]!), ['type', 'id', 'expires_at']);
  assert.equal(messages[0]!.type, 'Begin');
  assert.ok(Number.isInteger(messages[0]!.expires_at) && messages[0]!.expires_at > Date.now() / 1000);
});

test('turns grow, and end with one formatted final; each has every field, times in whole milliseconds', async () => {
  const { engine, turns, speak, pause } = connected('?min_turn_silence=300');
  speak(CHUNK * 3, [[0, 'hello'], [CHUNK, 'world']]); // biome-ignore format: pairs
  pause(CHUNK * 6);
  speak(CHUNK, [[0, 'one']]);
  pause(CHUNK * 6);
  await engine.settle();
  assert.deepEqual(
    turns().map(({ turn_order, end_of_turn, turn_is_formatted, transcript }) => [
      turn_order,
      end_of_turn,
      turn_is_formatted,
      transcript,
    ]),
    [
      [0, false, false, 'hello'],
      [0, false, false, 'hello world'],
      [0, true, true, 'hello world'],
      [1, false, false, 'one'],
      [1, true, true, 'one'],
    ],
  );
  for (const turn of turns()) {
    assert.deepEqual(Object.keys(turn), [
      'type',
      'turn_order',
      'turn_is_formatted',
      'end_of_turn',
      'transcript',
      'end_of_turn_confidence',
      'words',
    ]);
    assert.ok(turn.end_of_turn_confidence >= 0 && turn.end_of_turn_confidence <= 1);
    for (const word of turn.words) {
      assert.deepEqual(Object.keys(word), ['text', 'start', 'end', 'confidence', 'word_is_final']);
      assert.ok(Number.isInteger(word.start) && Number.isInteger(word.end), JSON.stringify(word));
    }
  }
  const final = turns()[2]!;
  assert.deepEqual(final.words.map((it: Message) => [it.text, it.start, it.end, it.word_is_final]), [['hello', 0, 50, true], ['world', 100, 150, true]]); // biome-ignore format: pairs
  assert.deepEqual(turns()[1]!.words.map((it: Message) => it.word_is_final), [true, false]); // biome-ignore format: short
});

test('SpeechStarted comes once a turn, before its first words, and never for a noise', async () => {
  const { engine, messages, types, speak, pause } = connected('?min_turn_silence=600');
  speak(CHUNK * 3); // a noise
  pause(CHUNK * 12);
  speak(CHUNK, [[0, 'one']]);
  pause(CHUNK * 4);
  speak(CHUNK, [[0, 'two']]);
  pause(CHUNK * 12);
  speak(CHUNK, [[0, 'three']]);
  pause(CHUNK * 12);
  await engine.settle();
  const turn = ['SpeechStarted', 'Turn', 'Turn'];
  assert.deepEqual(types(), ['Begin', 'SpeechStarted', 'Turn', 'Turn', 'Turn', ...turn]);
  for (const [index, { type, timestamp }] of messages.entries()) {
    if (type !== 'SpeechStarted') continue;
    const { start } = messages[index + 1]!.words[0];
    assert.ok(Number.isInteger(timestamp) && timestamp <= start, `${timestamp} before ${start}`);
  }
});

test('a turn whose words turn out to be none ends, empty, once nobody speaks', () => {
  const { context, engine } = connected();
  const host = { manifest: engine.model.manifest, defaults: context.defaults, resumes: false };
  const dialect = assemblyAi.create({ url: new URL('ws://localhost/v3/ws'), headers: {} }, host);
  const words = [{ text: 'uh', startSamples: 1_600, endSamples: 3_200, tokens: 1, logpSum: -1 }];
  const partial = (these: typeof words) => ({ type: 'partial', channel: 0, segmentId: 1, words: these, stableWords: 0, audioEndSamples: 4_800, processingMs: 0, withWords: true }) as const; // biome-ignore format: one event
  const speech = (change: 'started' | 'ended') => ({ type: 'speech', channel: 0, change, atSamples: 800, wanted: false }) as const; // biome-ignore format: one event
  const told = [
    speech('started'),
    partial(words),
    partial([]),
    speech('ended'),
    speech('started'),
    partial(words),
  ]
    .flatMap((event) => dialect.render(event))
    .map((frame) => JSON.parse(String(frame)));
  assert.deepEqual(
    told.map(({ type, turn_order, end_of_turn, transcript, timestamp }) => timestamp ?? [type, turn_order, end_of_turn, transcript]),
    [50, ['Turn', 0, false, 'uh'], ['Turn', 0, true, ''], 50, ['Turn', 1, false, 'uh']],
  ); // biome-ignore format: rows
});

test('ForceEndpoint ends the turn where it stands; with nothing said it is not answered', async () => {
  const { engine, turns, speak, say } = connected();
  say({ type: 'ForceEndpoint' });
  speak(CHUNK * 2, [[0, 'hello']]);
  say({ type: 'ForceEndpoint' });
  say({ type: 'ForceEndpoint' });
  await engine.settle();
  assert.deepEqual(turns().filter((it) => it.end_of_turn).map((it) => it.transcript), ['hello']); // biome-ignore format: short
});

test('Terminate brings out the last turn, then Termination in whole seconds, then 1000', async () => {
  const { engine, types, messages, speak, say, socket } = connected();
  speak(CHUNK * 11, [[CHUNK * 10, 'hello']]);
  say({ type: 'Terminate' });
  await engine.settle();
  assert.deepEqual(types().slice(-2), ['Turn', 'Termination']);
  const { audio_duration_seconds, session_duration_seconds } = messages.at(-1)!;
  assert.equal(audio_duration_seconds, 1);
  assert.ok(Number.isInteger(session_duration_seconds));
  assert.deepEqual(socket.closings, [{ code: 1000, reason: '' }]);
});

test('the configuration may change on the way, by the same names as JSON', async () => {
  const { engine, turns, speak, pause, say } = connected('?min_turn_silence=5000');
  speak(CHUNK, [[0, 'one']]);
  pause(CHUNK * 8);
  await engine.settle();
  assert.deepEqual(turns().map((it) => it.end_of_turn), [false]); // biome-ignore format: short
  say({ type: 'UpdateConfiguration', min_turn_silence: 300, keyterms_prompt: ['one two'] });
  pause(CHUNK * 2);
  await engine.settle();
  assert.deepEqual(turns().map((it) => it.end_of_turn), [false, true]); // biome-ignore format: short
});

const silence = (query: string) => {
  const { policy } = assemblyAi.create(
    { url: new URL(`ws://localhost/v3/ws?${query}`), headers: {} },
    { manifest: connected().engine.model.manifest, defaults: connected().context.defaults, resumes: false },
  );
  return policy.defaults;
};

test('silence is clamped; a confidence of 1 leaves the longer silence to end a turn', () => {
  const of = (query: string) => silence(query).silence_duration;
  assert.equal(of('min_turn_silence=100'), 0.1);
  assert.equal(of('min_turn_silence=20'), 0.1);
  assert.equal(of('min_end_of_turn_silence_when_confident=400'), 0.4);
  assert.equal(of('min_turn_silence=100&max_turn_silence=2000&end_of_turn_confidence_threshold=1.0'), 2);
  assert.equal(of('end_of_turn_confidence_threshold=1'), 1.28);
  assert.equal(of(''), undefined);
});

test('the address gives format and key terms; unknown parameters are ignored, other encodings refused', () => {
  const { sample_rate, encoding, hotwords } = silence(
    `sample_rate=8000&encoding=pcm_mulaw&keyterms_prompt=${encodeURIComponent('["etcd","Kubernetes"]')}&format_turns=True&speech_model=universal-streaming-english`,
  );
  assert.deepEqual([sample_rate, encoding], [8_000, 'mulaw']);
  assert.deepEqual(hotwords?.map(({ phrase }) => phrase), ['etcd', 'Kubernetes']); // biome-ignore format: short
  assert.equal(silence('encoding=ogg_opus').encoding, 'container');
  assert.throws(() => silence('encoding=aac'), { code: 'UNSUPPORTED_ENCODING' });
  assert.throws(() => silence('sample_rate=1'), { code: 'UNSUPPORTED_SAMPLE_RATE' });
});

test('no message but Error has a key named error; mistakes that end nothing are not told', async () => {
  const { engine, messages, session, say, speak, socket } = connected();
  session.onFrame('{no json');
  say({ type: 'Sing' });
  say({ type: 'KeepAlive' });
  say({ type: 'UpdateConfiguration', min_turn_silence: 'soon' });
  speak(CHUNK * 2, [[0, 'one']]);
  say({ type: 'Terminate' });
  await engine.settle();
  for (const message of messages) assert.equal('error' in message, false, JSON.stringify(message));
  assert.equal(socket.closeCode, 1000);
});

test('what ends the session is told as Error with the code of the close', async () => {
  const { engine, messages, session, socket } = connected();
  session.onFrame(new Uint8Array(Buffer.from('fLaC\0\0\0\x22 and so on', 'latin1')));
  await engine.settle();
  const { type, error_code, error } = messages.at(-1)!;
  assert.deepEqual([type, error_code], ['Error', 3006]);
  assert.match(error, /FLAC/);
  assert.equal(socket.closeCode, 3006);
});

test('each end has the close code by which clients know it', () => {
  const { context, engine } = connected();
  const host = { manifest: engine.model.manifest, defaults: context.defaults, resumes: false };
  const dialect = assemblyAi.create({ url: new URL('ws://localhost/v3/ws'), headers: {} }, host);
  const codes = (
    [
      'UNAUTHORIZED',
      'AT_CAPACITY',
      'RATE_LIMITED',
      'IDLE_TIMEOUT',
      'UNSUPPORTED_ENCODING',
      'INTERNAL',
    ] as const
  ).map((code) => {
    const [frame] = dialect.render({ type: 'error', code, detail: undefined, fatal: true });
    const { error_code } = JSON.parse(String(frame));
    return [dialect.closeCode(code), error_code];
  });
  assert.deepEqual(
    codes,
    [4001, 3009, 4029, 3008, 3006, 3005].map((code) => [code, code]),
  );
  assert.equal(dialect.closeCode(null), 1000);
});
