import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIALECT_NAMES } from '../../../src/config.js';
import { LIMITS } from '../../../src/limits.js';
import { DIALECTS, dialectAt, dialectsOf } from '../../../src/protocol/dialects/index.js';
import { native } from '../../../src/protocol/dialects/native.js';
import { fakeManifest } from '../../helpers/fake-model.js';
import { recordingConfig } from '../../helpers/recording-config.js';

function opened(query = '', { resumes = true } = {}) {
  const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes };
  return native.create({ url: new URL(`ws://localhost/ws/transcribe${query}`), headers: {} }, host);
}
const OPENED = { type: 'opened', sessionId: 's', clientId: 'c' } as const;

test('controls are text, or a whole JSON object in a binary frame; anything else in one is audio', () => {
  const it = opened();
  assert.deepEqual(it.parse('{"type":"stop_recording"}'), [{ type: 'stop' }]);
  assert.deepEqual(it.parse(Buffer.from('{"type":"finalize"}')), [{ type: 'finalize' }]);
  const audio = Buffer.from('{"type":"dance"}');
  assert.deepEqual(it.parse(audio), [{ type: 'audio', bytes: audio }]);
});

test('an unknown message is a warning; an unreadable one is a mistake', () => {
  assert.deepEqual(opened().parse('{"type":"dance"}'), [
    { type: 'warning', code: 'UNKNOWN_MESSAGE', detail: 'type: "dance"' },
  ]);
  assert.throws(() => opened().parse('{'), { code: 'INVALID_JSON' });
});

test('unknown settings are named behind what they came with, and not endlessly', () => {
  const fields = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`.padEnd(60, '.'), 1]));
  const [start, warning, ...rest] = opened().parse(JSON.stringify({ type: 'start_recording', ...fields }));
  assert.deepEqual([start?.type, warning?.type, rest], ['start', 'warning', []]);
  const detail = warning?.type === 'warning' ? warning.detail : '';
  assert.equal(detail.split(', ').length, LIMITS.maxNamedSettings);
  assert.match(detail, /…$/);
});

test('a client takes part in resuming if it asks to and the server does it', () => {
  const asks = '?resumable=1';
  assert.deepEqual(
    ['', '?resumable=0', asks].map((query) => opened(query).policy.resumable),
    [false, false, true],
  );
  assert.equal(opened(asks, { resumes: false }).policy.resumable, false);
});

test('the greeting tells the token, if there is one', () => {
  const greetings = [OPENED, { ...OPENED, resumeToken: 't' }].map((event) =>
    JSON.parse(String(opened().render(event)[0])),
  );
  assert.deepEqual(
    greetings.map(({ session_id, resume_token, protocol_version }) => [
      session_id,
      resume_token,
      protocol_version,
    ]),
    [
      ['s', undefined, '1.1'],
      ['s', 't', '1.1'],
    ],
  );
});

test('a resumption carries the number behind which the others go on, and is no message of its own', () => {
  const it = opened('?resumable=1');
  it.render(OPENED);
  const resumed = {
    type: 'resumed',
    state: 'recording',
    receivedSamples: 1_600,
    receivedControls: 2,
    resumeToken: 't',
    seen: 1,
  } as const;
  assert.deepEqual(JSON.parse(String(it.render(resumed)[0])), {
    type: 'resumed',
    received_samples: 1_600,
    received_controls: 2,
    state: 'recording',
    resume_token: 't',
    seq: 1,
  });
  assert.equal(JSON.parse(String(it.render({ type: 'pong' })[0])).seq, 2);
});

test('what is said is numbered, what is not said is not', () => {
  const it = opened();
  const numbers = [
    ...it.render(OPENED),
    ...it.render({ type: 'speech', channel: 0, change: 'started', atSamples: 0, wanted: false }),
    ...it.render({ type: 'pong' }),
    ...it.render({ type: 'closing', code: null }),
    ...it.render({ type: 'error', code: 'NOT_RECORDING', fatal: false }),
  ].map((frame) => JSON.parse(String(frame)).seq);
  assert.deepEqual(numbers, [1, 2, 3]);
});

test('a transcript that was cut says so', () => {
  const stopped = { type: 'stopped', text: 'the end', segments: 9, samples: 16_000 } as const;
  const told = (truncated: boolean) => JSON.parse(String(opened().render({ ...stopped, truncated })[0]));
  assert.equal(told(true).final_transcript_truncated, true);
  assert.equal('final_transcript_truncated' in told(false), false);
});

test('every dialect has a name and paths of its own', () => {
  const paths = DIALECTS.flatMap((it) => it.paths);
  assert.equal(new Set(paths).size, paths.length);
  assert.equal(new Set(DIALECTS.map((it) => it.name)).size, DIALECTS.length);
  const at = (path: string) => dialectAt(path, DIALECT_NAMES)?.name;
  assert.deepEqual(['/ws/transcribe', '/', '/vosk'].map(at), ['native', 'vosk', 'vosk']); // biome-ignore format: short
  assert.equal(at('/nowhere'), undefined);
});

test('every dialect but the native one can be turned off, and each has a name that the option knows', () => {
  assert.deepEqual(dialectsOf([]).map(({ name }) => name), ['native']); // biome-ignore format: short
  for (const { name, paths } of DIALECTS) {
    if (name === 'native') continue;
    assert.ok(DIALECT_NAMES.includes(name), name);
    for (const path of paths) assert.equal(dialectAt(path, [name])?.name, name);
    for (const path of paths) assert.equal(dialectAt(path, []), undefined);
  }
});
