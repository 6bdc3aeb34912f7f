/** The description of the socket: valid AsyncAPI, and true. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it, test } from 'node:test';
import { Ajv, type ValidateFunction } from 'ajv';
import type { z } from 'zod';
import { inPackage } from '../../src/paths.js';
import { asyncApi } from '../../src/protocol/asyncapi.js';
import { CLIENT_MESSAGES } from '../../src/protocol/client-messages.js';
import { native } from '../../src/protocol/dialects/native.js';
import type { StreamEvent } from '../../src/protocol/events.js';
import { parseControl } from '../../src/protocol/parse.js';
import { SERVER_MESSAGES } from '../../src/protocol/server-messages.js';
import { CLIENT_MESSAGE_TYPES } from '../../src/protocol/types.js';
import { fakeManifest } from '../helpers/fake-model.js';
import { recordingConfig } from '../helpers/recording-config.js';

const description = asyncApi();
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const payload = (name: string): ValidateFunction =>
  ajv.compile((description.components.schemas as Record<string, object>)[name] ?? assert.fail(name));

type Message = Record<string, unknown> & { readonly type: keyof typeof SERVER_MESSAGES };

test('the description is AsyncAPI 3.0.0', () => {
  const specs = createRequire(import.meta.url)('@asyncapi/specs') as {
    schemasWithoutId: Record<string, object>;
  };
  const isValid = ajv.compile(specs.schemasWithoutId['3.0.0'] ?? assert.fail());
  assert.ok(isValid(description), JSON.stringify(isValid.errors?.slice(0, 3)));
});

test('every reference of the description has its target', () => {
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)];
  assert.ok(references.length > 60);
  for (const [, path = ''] of references) {
    const target = path
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], description);
    assert.ok(target !== undefined, path);
  }
});

test('docs/asyncapi.json is fresh (else: npm run docs)', () => {
  const written: unknown = JSON.parse(readFileSync(inPackage('docs', 'asyncapi.json'), 'utf8'));
  assert.deepEqual(written, JSON.parse(JSON.stringify(description)));
});

test('every message of the client is described, and every example is one that the server reads', () => {
  assert.deepEqual(Object.keys(CLIENT_MESSAGES).sort(), [...CLIENT_MESSAGE_TYPES].sort());
  for (const [name, { schema, examples }] of Object.entries(CLIENT_MESSAGES)) {
    const isValid = payload(name);
    for (const example of examples) {
      const read = parseControl(JSON.stringify(example));
      assert.equal(read.type, name);
      assert.ok(!('unknown' in read), `an example of ${name} has a setting that is not known`);
      assert.deepEqual(schema.parse(example), example, 'the schema names every field');
      assert.ok(isValid(example), JSON.stringify(isValid.errors));
    }
  }
});

test('what the server refuses, the description refuses too', () => {
  const wrong = [
    { type: 'start_recording', config: { sample_rate: 100 } },
    { type: 'start_recording', config: { encoding: 'mp3' } },
    { type: 'configure', silence_duration: -1 },
    { type: 'configure', hotwords: [{ phrase: '' }] },
  ] as const;
  for (const message of wrong) {
    assert.throws(() => parseControl(JSON.stringify(message)));
    assert.equal(payload(message.type)(message), false, JSON.stringify(message));
  }
});

test('every example of the server has all that its message has, and nothing else', () => {
  for (const [name, { schema, examples }] of Object.entries(SERVER_MESSAGES)) {
    assert.ok(examples.length > 0, name);
    for (const example of examples) assert.deepEqual(schema.parse(example), example, name);
  }
});

test('every field of the server’s messages that is a time, a level or a share has its unit', () => {
  const fields = Object.entries(description.components.schemas).flatMap(([name, { properties = {} }]) =>
    Object.entries(properties).map(([field, schema]) => ({ at: `${name}.${field}`, field, schema })),
  );
  const measured = fields.filter(({ field }) =>
    /_ms|_end$|_time$|duration|samples|confidence|^start$|^lag$|dbfs|_rate$/.test(field),
  );
  assert.ok(measured.length > 15);
  for (const { at, schema } of measured) assert.ok(schema['x-unit'] !== undefined, at);
});

// ---- what the dialect says ------------------------------------------------------------------------------

const WORDS = [
  { text: 'hello', startSamples: 0, endSamples: 4_000, tokens: 1, logpSum: -0.1 },
  { text: 'world', startSamples: 4_000, endSamples: 9_000, tokens: 2, logpSum: -0.4 },
];
const PARTIAL = { type: 'partial', channel: 0, segmentId: 1, words: WORDS, stableWords: 1 } as const;
const TIMES = { audioEndSamples: 9_600, processingMs: 5.25 } as const;
const SEGMENT = { id: 1, words: WORDS, reason: 'silence' } as const;

const EVENTS: Readonly<Record<StreamEvent['type'], readonly StreamEvent[]>> = {
  opened: [
    { type: 'opened', sessionId: 's', clientId: 'c' },
    { type: 'opened', sessionId: 's', clientId: 'c', resumeToken: 't' },
  ],
  resumed: (['idle', 'recording', 'stopping'] as const).map((state) => ({
    ...{ type: 'resumed', state, receivedSamples: 1_600, receivedControls: 2, resumeToken: 't', seen: 0 },
  })),
  started: [{ type: 'started', config: recordingConfig() }],
  configured: [
    { type: 'configured', config: { ...recordingConfig(), hotwords: [{ phrase: 'etcd', boost: 2 }] } },
  ],
  partial: [
    { ...PARTIAL, ...TIMES, withWords: true },
    { ...PARTIAL, ...TIMES, words: [], stableWords: 0, withWords: false },
  ],
  segment: [
    ...(['silence', 'max_duration', 'finalize', 'stop', 'timeout'] as const).map((reason) => ({
      ...{ type: 'segment', channel: 0, segment: { ...SEGMENT, reason }, ...TIMES, withWords: true },
    })),
    { type: 'segment', channel: 0, segment: { ...SEGMENT, words: [] }, ...TIMES, withWords: false },
  ] as StreamEvent[],
  speech: (['started', 'ended'] as const).map((change) => ({
    ...{ type: 'speech', channel: 0, change, atSamples: 1_600, wanted: true },
  })),
  progress: [{ type: 'progress', channel: 0, audioEndSamples: 1_600 }],
  stopped: [false, true].map((truncated) => ({
    ...{ type: 'stopped', text: 'hello world', truncated, segments: 1, samples: 16_000 },
  })),
  warning: [
    { type: 'warning', code: 'AUDIO_IGNORED' },
    { type: 'warning', code: 'UNKNOWN_SETTING', detail: '"x"' },
  ],
  error: [
    { type: 'error', code: 'INTERNAL', detail: 'kept', fatal: true },
    { type: 'error', code: 'INVALID_JSON', detail: 'why', fatal: false },
  ],
  metrics: [
    {
      ...{ type: 'metrics', levelDbfs: -100, lagSamples: 0, stepMsP50: 1, stepMsP95: 2, droppedPartials: 0 },
      receivedSamples: 16_000,
    },
  ],
  ack: [{ type: 'ack', receivedSamples: 16_000 }],
  moving: [{ type: 'moving' }],
  pong: [{ type: 'pong' }],
  closing: [{ type: 'closing', code: null }],
} as Readonly<Record<StreamEvent['type'], readonly StreamEvent[]>>;

/** All that a session with these settings says, as JSON. */
function said(settings: Partial<ReturnType<typeof recordingConfig>>): Message[] {
  const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes: true };
  const dialect = native.create({ url: new URL('ws://h/ws/transcribe?resumable=1'), headers: {} }, host);
  const began = { type: 'started', config: { ...recordingConfig(), ...settings } } as const;
  const { started: _, configured, ...others } = EVENTS;
  return [...configured, began, ...Object.values(others).flat()]
    .flatMap((event) => dialect.render(event))
    .map((frame) => JSON.parse(String(frame)) as Message);
}

describe('what the native dialect says', () => {
  const messages = [...said({}), ...said({ channels: 2, multichannel: true })];

  it('is every message that is described', () => {
    assert.deepEqual(
      [...new Set(messages.map(({ type }) => type))].sort(),
      Object.keys(SERVER_MESSAGES).sort(),
    );
  });

  it('fits the schemas, which leave no field of it out', () => {
    for (const message of messages) {
      const { schema }: { schema: z.ZodType } = SERVER_MESSAGES[message.type];
      assert.deepEqual(schema.parse(message), message, message.type);
    }
  });

  it('fits the JSON schemas that are served', () => {
    const checks = new Map(Object.keys(SERVER_MESSAGES).map((name) => [name, payload(name)]));
    for (const message of messages) {
      const isValid = checks.get(message.type) ?? assert.fail(message.type);
      assert.ok(isValid(message), `${message.type}: ${JSON.stringify(isValid.errors)}`);
    }
  });

  it('names the channel where two are kept apart', () => {
    const apart = said({ channels: 2, multichannel: true });
    assert.equal(apart.find(({ type }) => type === 'transcription')?.channel, 0);
  });
});

test('a client that reads by these schemas takes messages with new fields', () => {
  const isValid = payload('pong');
  assert.ok(isValid({ type: 'pong', timestamp: '2026-01-01T00:00:00Z', seq: 1, later: true }));
  assert.ok(!isValid({ type: 'pong', seq: 1 }));
});

test('the description is made once, however often it is asked for', () => {
  assert.equal(asyncApi(), description);
});
