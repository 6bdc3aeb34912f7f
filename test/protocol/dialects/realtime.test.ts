import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.js';
import type { Input, StreamEvent } from '../../../src/protocol/dialect.js';
import { realtime } from '../../../src/protocol/dialects/realtime.js';
import type { SegmentReason } from '../../../src/transcript/tuning.js';
import type { Word } from '../../../src/transcript/words.js';
import { fakeManifest } from '../../helpers/fake-model.js';
import { recordingConfig } from '../../helpers/recording-config.js';

// biome-ignore lint/suspicious/noExplicitAny: an event
type Told = any;
const RATE = LIMITS.sampleRateHz;

function opened(query = '?intent=transcription') {
  const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes: false };
  const url = new URL(`ws://localhost/v1/realtime${query}`);
  const dialect = realtime.create({ url, headers: {} }, host);
  const tell = (event: StreamEvent): Told[] =>
    dialect.render(event).map((frame) => JSON.parse(String(frame)));
  const said = (inputs: readonly Input[]): Told[] =>
    inputs.flatMap((it) => (it.type === 'say' ? it.frames.map((frame) => JSON.parse(String(frame))) : []));
  const say = (message: object) => dialect.parse(JSON.stringify(message));
  const created = tell({ type: 'opened', sessionId: 's', clientId: 'c' });
  return {
    dialect,
    created,
    tell,
    say,
    said,
    update: (input: object) =>
      say({ type: 'session.update', session: { type: 'transcription', audio: { input } } }),
    append: (bytes: number) =>
      say({ type: 'input_audio_buffer.append', audio: Buffer.alloc(bytes).toString('base64') }),
    begin: () => tell({ type: 'started', config: recordingConfig() }),
    partial: (text: string, stableWords: number, endS = 1) =>
      tell({
        type: 'partial',
        channel: 0,
        segmentId: 1,
        words: wordsOf(text),
        stableWords,
        audioEndSamples: endS * RATE,
        processingMs: 0,
        withWords: true,
      }),
    final: (text: string, reason: SegmentReason = 'silence', endS = 2) =>
      tell({
        type: 'segment',
        channel: 0,
        segment: { id: 1, words: wordsOf(text), reason },
        audioEndSamples: endS * RATE,
        processingMs: 0,
        withWords: true,
      }),
    speech: (change: 'started' | 'ended', atS: number) =>
      tell({ type: 'speech', channel: 0, change, atSamples: atS * RATE, wanted: false }),
    stop: (seconds: number) =>
      tell({ type: 'stopped', text: '', truncated: false, segments: 1, samples: seconds * RATE }),
  };
}

/** Words of 0.1 s each from 0.5 s on. */
const wordsOf = (text: string): Word[] =>
  text
    .split(' ')
    .filter((it) => it !== '')
    .map((it, i) => ({
      text: it,
      startSamples: 8_000 + i * 1_600,
      endSamples: 9_600 + i * 1_600,
      tokens: 1,
      logpSum: 0,
    }));

const typesOf = (events: Told[]): string[] => events.map(({ type }) => type.split('.').at(-1));

test('the session is told at once, with all that is in force', () => {
  const [created, ...rest] = opened('?model=gpt-4o-transcribe').created;
  assert.deepEqual([created.type, rest], ['session.created', []]);
  const { type, object, id, audio } = created.session;
  assert.deepEqual([type, object, id], ['transcription', 'realtime.transcription_session', 'sess_s']);
  assert.deepEqual(audio.input.format, { type: 'audio/pcm', rate: 24_000 });
  assert.equal(audio.input.transcription.model, 'gpt-4o-transcribe');
  assert.deepEqual(
    [audio.input.turn_detection.type, audio.input.turn_detection.silence_duration_ms],
    ['server_vad', 500],
  );
});

test('a turn is told in the order that clients rest on, under one id', () => {
  const it = opened();
  it.begin();
  const told = [
    ...it.speech('started', 0.4),
    ...it.partial('hello wor', 1),
    ...it.partial('hello world this', 2),
    ...it.speech('ended', 1.2),
    ...it.final('hello world this'),
  ];
  assert.deepEqual(typesOf(told), [
    'speech_started',
    'delta',
    'delta',
    'speech_stopped',
    'committed',
    'added',
    'delta',
    'completed',
  ]);
  const ids = new Set(told.map(({ item_id, item }) => item_id ?? item.id));
  assert.equal(ids.size, 1);
  const deltas = told.filter(({ type }) => type.endsWith('.delta')).map(({ delta }) => delta);
  assert.deepEqual(deltas, ['hello', ' world', ' this']);
  const completed = told.at(-1);
  assert.equal(completed.transcript, deltas.join(''));
  assert.deepEqual([completed.content_index, completed.usage], [0, { type: 'duration', seconds: 2 }]);
  assert.deepEqual([told[0].audio_start_ms, told[3].audio_end_ms], [400, 1_200]);
  assert.equal(told[4].previous_item_id, null);
  assert.equal(new Set(told.map(({ event_id }) => event_id)).size, told.length);
  const [started, , , committed] = [...it.speech('started', 3), ...it.final('again', 'silence', 4)];
  assert.notEqual(started.item_id, completed.item_id);
  assert.equal(committed.previous_item_id ?? it, completed.item_id);
});

test('speech that no event announced is announced before its first text', () => {
  const it = opened();
  assert.deepEqual(it.partial('hello', 0), [], 'not stable yet');
  const [started, delta] = it.partial('hello world', 1);
  assert.deepEqual([started.type, started.audio_start_ms], ['input_audio_buffer.speech_started', 500]);
  assert.equal(delta.delta, 'hello');
  assert.deepEqual(it.speech('started', 0.5), [], 'once');
  assert.deepEqual(typesOf(it.final('hello world')), [
    'speech_stopped',
    'committed',
    'added',
    'delta',
    'completed',
  ]);
  assert.deepEqual(typesOf(opened().final('yes')), [
    'speech_started',
    'speech_stopped',
    'committed',
    'added',
    'delta',
    'completed',
  ]);
});

test('speech without words ends, and is complete and empty when the next begins', () => {
  const it = opened();
  it.speech('started', 1);
  assert.deepEqual(typesOf(it.speech('ended', 2)), ['speech_stopped']);
  const told = it.speech('started', 5);
  assert.deepEqual(typesOf(told), ['committed', 'added', 'completed', 'speech_started']);
  assert.equal(told[2].transcript, '');
  assert.notEqual(told[3].item_id, told[2].item_id);
});

test('a pause within words is no end of speech: that comes once, with the segment', () => {
  const it = opened();
  it.speech('started', 0);
  it.partial('hello', 0);
  assert.deepEqual(it.speech('ended', 1), []);
  assert.deepEqual(it.speech('started', 1.5), []);
  it.speech('ended', 2);
  assert.deepEqual(typesOf(it.final('hello')), [
    'speech_stopped',
    'committed',
    'added',
    'delta',
    'completed',
  ]);
});

test('words that come after the end of their speech are a turn of their own', () => {
  const it = opened();
  it.speech('started', 0.4);
  assert.deepEqual(typesOf(it.speech('ended', 0.6)), ['speech_stopped']);
  assert.deepEqual(it.partial('yes', 0), []);
  const told = it.partial('yes please', 1);
  assert.deepEqual(typesOf(told), ['committed', 'added', 'completed', 'speech_started', 'delta']);
  assert.deepEqual([told[2].transcript, told[4].delta], ['', 'yes']);
  assert.notEqual(told[3].item_id, told[2].item_id);
  assert.deepEqual(typesOf(it.final('yes please')).slice(0, 2), ['speech_stopped', 'committed']);
});

test('what was taken for words and is none keeps nobody waiting for the end of speech', () => {
  const it = opened();
  it.speech('started', 0);
  it.partial('uh', 0);
  it.speech('ended', 1);
  const [stopped, ...rest] = it.partial('', 0);
  assert.deepEqual(
    [stopped.type, stopped.audio_end_ms, rest],
    ['input_audio_buffer.speech_stopped', 1_000, []],
  );
  it.speech('started', 2);
  it.partial('uh', 0);
  assert.deepEqual(typesOf(it.stop(3)), ['speech_stopped'], 'nor does an end of the audio');
});

test('by hand, segments are one item until the commit, and speech is not told', () => {
  const it = opened();
  const inputs = it.update({ turn_detection: null });
  assert.deepEqual(
    inputs.map(({ type }) => type),
    ['configure', 'say'],
  );
  const config = inputs[0]?.type === 'configure' ? inputs[0].config : {};
  assert.deepEqual([config.silence_duration, config.max_segment_duration], [10, 300]);
  assert.equal(it.said(inputs)[0].session.audio.input.turn_detection, null);
  assert.deepEqual(
    it.append(9_600).map(({ type }) => type),
    ['audio'],
  );
  it.begin();
  const told = [
    ...it.speech('started', 0),
    ...it.partial('one two', 1),
    ...it.final('one two'),
    ...it.speech('ended', 2),
    ...it.partial('three four', 1),
  ];
  assert.deepEqual(
    told.map(({ delta }) => delta),
    ['one', ' two', ' three'],
  );
  assert.deepEqual(it.say({ type: 'input_audio_buffer.commit' }), [{ type: 'finalize' }]);
  const end = it.final('three four', 'finalize', 3);
  assert.deepEqual(typesOf(end), ['committed', 'added', 'delta', 'completed']);
  assert.deepEqual([end[3].transcript, end[3].usage.seconds], ['one two three four', 3]);
  it.append(9_600);
  it.say({ type: 'input_audio_buffer.commit' });
  const empty = it.final('', 'finalize', 4);
  assert.deepEqual([typesOf(empty), empty[2].transcript], [['committed', 'added', 'completed'], '']);
});

test('a text that grows for hours without a commit is committed', () => {
  const it = opened();
  it.update({ turn_detection: null });
  it.final('a'.repeat(LIMITS.maxFinalTranscriptChars));
  assert.equal(typesOf(it.final('b')).at(-1), 'completed');
});

test('a commit of less than 100 ms is an error with the code that clients know', () => {
  const it = opened();
  it.append(4_798);
  const [error, ...rest] = it.said(it.say({ type: 'input_audio_buffer.commit' }));
  assert.deepEqual([error.type, error.error.code, rest], ['error', 'input_audio_buffer_commit_empty', []]);
  it.append(2);
  assert.equal(
    it.said(it.say({ type: 'input_audio_buffer.commit' }))[0].type,
    'input_audio_buffer.committed',
  );
});

test('what was cleared is forgotten, and what comes behind it is not', () => {
  const it = opened();
  it.update({ turn_detection: null });
  it.append(48_000);
  it.begin();
  it.partial('one two', 1);
  const inputs = it.say({ type: 'input_audio_buffer.clear' });
  assert.deepEqual(
    [inputs[0], it.said(inputs)[0].type],
    [{ type: 'finalize' }, 'input_audio_buffer.cleared'],
  );
  assert.deepEqual([...it.partial('one two three', 2), ...it.final('one two three', 'finalize')], []);
  it.append(48_000);
  it.say({ type: 'input_audio_buffer.commit' });
  assert.equal(it.final('four', 'finalize', 3).at(-1).transcript, 'four');
});

test('positions count from the start of the stream, over recordings', () => {
  const it = opened();
  it.begin();
  it.stop(10);
  it.begin();
  assert.equal(it.speech('started', 1)[0].audio_start_ms, 11_000);
  assert.equal(it.final('hello').at(-1).usage.seconds, 12);
});

test('formats are PCM of any rate, and the two of telephones; another while recording waits for its end', () => {
  const it = opened();
  const configured = (inputs: readonly Input[]) => {
    const found = inputs.find(({ type }) => type === 'configure');
    return found?.type === 'configure' ? [found.config.encoding, found.config.sample_rate] : [];
  };
  assert.deepEqual(configured(it.update({ format: { type: 'audio/pcm', rate: 16_000 } })), ['pcm16', 16_000]);
  assert.deepEqual(configured(it.update({ format: { type: 'audio/pcm' } })), ['pcm16', 24_000]);
  assert.deepEqual(configured(it.update({ format: { type: 'audio/pcmu' } })), ['mulaw', 8_000]);
  it.begin();
  const inputs = it.update({ format: { type: 'audio/pcma' } });
  assert.deepEqual(
    inputs.map(({ type }) => type),
    ['stop', 'configure', 'say'],
  );
  assert.throws(() => it.update({ format: { type: 'audio/opus' } }), { code: 'UNSUPPORTED_ENCODING' });
  assert.throws(() => it.update({ format: { type: 'audio/pcm', rate: 96_000 } }), {
    code: 'UNSUPPORTED_SAMPLE_RATE',
  });
});

test('settings that stay unsaid stay; those that are not done are no error', () => {
  const it = opened();
  const [first] = it.update({
    turn_detection: { type: 'server_vad', silence_duration_ms: 350 },
    transcription: { keywords: ['etcd', ' '] },
  });
  assert.deepEqual(first?.type === 'configure' && first.config.hotwords, [{ phrase: 'etcd', boost: 2 }]);
  const [told] = it.said(
    it.update({ noise_reduction: { type: 'near_field' }, transcription: { prompt: 'x', languages: ['en'] } }),
  );
  const { input } = told.session.audio;
  assert.deepEqual([input.turn_detection.silence_duration_ms, input.noise_reduction], [350, null]);
  assert.deepEqual([input.transcription.prompt, input.transcription.keywords], ['x', ['etcd', ' ']]);
  const eager = it.update({ turn_detection: { type: 'semantic_vad', eagerness: 'high' } })[0];
  assert.equal(eager?.type === 'configure' && eager.config.silence_duration, 0.3);
  assert.equal(eager?.type === 'configure' && 'hotwords' in eager.config, false, 'not spelled once more');
  assert.deepEqual(it.say({ type: 'response.create' }), []);
});

test("the beta's form is answered in its own", () => {
  const it = opened();
  const session = {
    input_audio_format: 'g711_ulaw',
    turn_detection: null,
    input_audio_transcription: { model: 'x' },
  };
  const [told] = it.said(it.say({ type: 'transcription_session.update', session }));
  assert.equal(told.type, 'transcription_session.updated');
  assert.deepEqual([told.session.input_audio_format, told.session.turn_detection], ['g711_ulaw', null]);
});

test('audio in text frames may be long and many; what is no base64 is told', () => {
  const { dialect, say, tell } = opened();
  assert.ok(dialect.policy.maxTextChars >= 1 << 20 && dialect.policy.textFramesPerSecond > 100);
  assert.throws(() => say({ type: 'input_audio_buffer.append', audio: 'no, this' }), {
    code: 'INVALID_MESSAGE',
  });
  assert.throws(() => say({ type: 'nonsense' }), { code: 'UNKNOWN_MESSAGE' });
  const [{ type, error }] = tell({ type: 'error', code: 'AT_CAPACITY', fatal: true });
  assert.deepEqual([type, error.type, error.code], ['error', 'server_error', 'at_capacity']);
  assert.deepEqual(tell({ type: 'warning', code: 'NOT_SUPPORTED' }), []);
});
