import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServerError } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';
import {
  controlInBinary,
  DEFAULT_LANGUAGE,
  parseConfig,
  parseControl,
  parseHotword,
} from '../../src/protocol/parse.js';
import { CLIENT_MESSAGE_TYPES } from '../../src/protocol/types.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a message without configuration is its type', () => {
  assert.deepEqual(parseControl('{"type":"ping","anything":1}'), { type: 'ping' });
  assert.deepEqual(parseControl('{"type":"start_recording"}'), { type: 'start_recording', config: {} });
  assert.deepEqual(parseControl('{"type":"start_recording","config":null}'), {
    type: 'start_recording',
    config: {},
  });
});

test('settings that are not known are left out and named; what belongs to the message is none', () => {
  const text =
    '{"type":"start_recording","client_id":"x","smooth":1,"config":{"sample_rate":8000,"toString":"red"}}';
  const config = { sample_rate: 8_000 };
  assert.deepEqual(parseControl(text), { type: 'start_recording', config, unknown: ['smooth', 'toString'] });
});

for (const type of ['configure', 'start_recording'] as const) {
  test(`${type} takes its settings beside the type, nested, or both`, () => {
    const expected = { type, config: { vad_threshold: null, silence_duration: 0.5 } };
    const settings = '"vad_threshold":null,"silence_duration":0.5';
    assert.deepEqual(parseControl(`{"type":"${type}",${settings}}`), expected);
    assert.deepEqual(parseControl(`{"type":"${type}","config":{${settings}}}`), expected);
    const both = `{"type":"${type}","silence_duration":2,"vad_threshold":null,"config":{"silence_duration":0.5}}`;
    assert.deepEqual(parseControl(both), expected, 'the nested one counts');
  });
}

test('the message `config` of pages in the field is a configure', () => {
  const message = parseControl('{"type":"config","config":{"sample_rate":48000}}');
  assert.deepEqual(message, { type: 'configure', config: { sample_rate: 48_000 } });
});

test('a language may be written in capitals or with an underscore, and left out', () => {
  const languageOf = (language: unknown) => parseConfig({ language }).language;
  assert.deepEqual(['EN', 'en_US', 'en-gb', 'no tag'].map(languageOf), ['en', 'en-US', 'en-GB', 'no tag']);
  assert.deepEqual([null, ''].map(languageOf), [DEFAULT_LANGUAGE, DEFAULT_LANGUAGE]);
  assert.equal('language' in parseConfig({}), false);
  assert.throws(() => languageOf(7), { code: 'INVALID_MESSAGE' });
});

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['no JSON', 'hello', /INVALID_JSON/],
  ['half a message', '{"type":"ping"', /INVALID_JSON/],
  ['a list', '[1]', /INVALID_JSON/],
  ['a text', '"ping"', /INVALID_JSON/],
  ['null', 'null', /INVALID_JSON/],
  ['no type', '{}', /INVALID_MESSAGE/],
  ['a type that is no text', '{"type":7}', /INVALID_MESSAGE/],
  ['an unknown type', '{"type":"dance"}', /UNKNOWN_MESSAGE/],
  ['a type that every object has', '{"type":"constructor"}', /UNKNOWN_MESSAGE/],
  ['a configuration that is no object', '{"type":"start_recording","config":3}', /INVALID_MESSAGE/],
  [
    'a rate that is too low',
    '{"type":"start_recording","config":{"sample_rate":4000}}',
    /UNSUPPORTED_SAMPLE_RATE/,
  ],
  ['half a hertz', '{"type":"start_recording","config":{"sample_rate":16000.5}}', /UNSUPPORTED_SAMPLE_RATE/],
  [
    'an encoding nobody knows',
    '{"type":"start_recording","config":{"encoding":"mp9"}}',
    /UNSUPPORTED_ENCODING/,
  ],
  ['five channels', '{"type":"start_recording","config":{"channels":5}}', /UNSUPPORTED_CHANNELS/],
  ['a threshold above 1', '{"type":"configure","vad_threshold":2}', /INVALID_MESSAGE/],
  ['a text for a number', '{"type":"configure","silence_duration":"1"}', /INVALID_MESSAGE/],
  ['a hotword without a phrase', '{"type":"configure","hotwords":[{"boost":1}]}', /INVALID_MESSAGE/],
];
for (const [name, text, code] of refused) {
  test(`${name} is refused with ${code.source}`, () => {
    assert.throws(() => parseControl(text), (error) => error instanceof ServerError && code.test(error.code)); // biome-ignore format: short
  });
}

test('a refusal names the field', () => {
  assert.throws(() => parseConfig({ hotwords: [{ phrase: 'a' }, { phrase: 3 }] }), /hotwords\.1\.phrase/);
});

test('an unknown type is quoted in part', () => {
  assert.throws(
    () => parseControl(JSON.stringify({ type: 'x'.repeat(5_000) })),
    (error) => {
      return error instanceof ServerError && (error.detail?.length ?? 999) < 60;
    },
  );
});

test('a binary frame with a whole control message is that message, white space around its end or not', () => {
  assert.deepEqual(controlInBinary(bytes('{"type":"ping"}')), { type: 'ping' });
  assert.deepEqual(controlInBinary(bytes('{"type":"ping"}\r\n ')), { type: 'ping' });
});

test('a known type with wrong fields in a binary frame is a mistake, not audio', () => {
  const frame = bytes('{"type":"start_recording","config":{"channels":3}}');
  assert.throws(() => controlInBinary(frame), { code: 'UNSUPPORTED_CHANNELS' });
});

test('everything else in a binary frame is audio', () => {
  for (const text of [
    '',
    '{',
    '{}',
    '{"type":"dance"}',
    '{"type":"ping"',
    '[{"type":"ping"}]',
    ' {"type":"ping"}',
  ]) {
    assert.equal(controlInBinary(bytes(text)), null, text);
  }
  assert.equal(controlInBinary(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)), null, 'not UTF-8');
  assert.equal(controlInBinary(new Uint8Array(LIMITS.maxControlBytes + 2).fill(0x7b)), null, 'too long');
});

test('whatever the text, the answer is a message or an error of the table', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.json(),
    fc.record({ type: fc.constantFrom(...CLIENT_MESSAGE_TYPES, 'x'), config: fc.jsonValue() }).map((it) => JSON.stringify(it)), // biome-ignore format: short
    fc.record({ type: fc.constant('configure'), vad_threshold: fc.jsonValue(), hotwords: fc.jsonValue() }).map((it) => JSON.stringify(it)), // biome-ignore format: short
  );
  fc.assert(
    fc.property(text, (it) => {
      try {
        assert.ok(CLIENT_MESSAGE_TYPES.includes(parseControl(it).type));
      } catch (error) {
        assert.ok(error instanceof ServerError, String(error));
        assert.notEqual(error.code, 'INTERNAL');
      }
    }),
    { seed: 14, numRuns: 1_000 },
  );
});

test('whatever the bytes, a binary frame is audio, a message, or an error of the table', () => {
  const inBraces = fc.uint8Array({ maxLength: 100 }).map((it) => Uint8Array.of(0x7b, ...it, 0x7d));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), inBraces, fc.json().map(bytes)), (frame) => {
      try {
        const message = controlInBinary(frame);
        assert.ok(message === null || CLIENT_MESSAGE_TYPES.includes(message.type));
      } catch (error) {
        assert.ok(error instanceof ServerError, String(error));
      }
    }),
    { seed: 15, numRuns: 1_000 },
  );
});

test('a hotword may end with its boost', () => {
  assert.deepEqual(parseHotword('Kubernetes'), { phrase: 'Kubernetes' });
  assert.deepEqual(parseHotword('kube ctl:2.5'), { phrase: 'kube ctl', boost: 2.5 });
  assert.deepEqual(parseHotword('ratio 3:2'), { phrase: 'ratio 3', boost: 2 });
  assert.deepEqual(parseHotword('note:'), { phrase: 'note:' });
});

test('a hotword may be written as its phrase with its boost', () => {
  const text = '{"type":"configure","hotwords":["Kubernetes","etcd:3",{"phrase":"a:b"}]}';
  assert.deepEqual(parseControl(text), {
    type: 'configure',
    config: {
      hotwords: [
        { phrase: 'Kubernetes', boost: 2 },
        { phrase: 'etcd', boost: 3 },
        { phrase: 'a:b', boost: 2 },
      ],
    },
  });
  for (const wrong of ['"etcd:99"', '""', '7']) {
    assert.throws(() => parseControl(`{"type":"configure","hotwords":[${wrong}]}`), {
      code: 'INVALID_MESSAGE',
    });
  }
});

test('a value whose length is thousands of lists in one another is a mistake in the message', () => {
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
  for (const field of ['hotwords', 'language']) {
    assert.throws(() => parseControl(`{"type":"configure","${field}":{"length":${deep}}}`), {
      code: 'INVALID_MESSAGE',
    });
  }
});
