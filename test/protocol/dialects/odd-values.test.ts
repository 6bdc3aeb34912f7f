/** Any value in any field of any message, in every dialect: understood, ignored or refused by a code, never an exception. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, ServerError } from '../../../src/errors.js';
import { DIALECTS } from '../../../src/protocol/dialects/index.js';
import { fakeManifest } from '../../helpers/fake-model.js';
import { SPEECHES } from '../../helpers/fuzz/corpus.js';
import { ODD, written } from '../../helpers/fuzz/mutate.js';
import { recordingConfig } from '../../helpers/recording-config.js';

/** The message with `value` in the place of each of its fields in turn, at every depth. */
function* withOdd(message: unknown, value: unknown): Generator<unknown> {
  yield value;
  if (Array.isArray(message)) yield [value, ...message.slice(1)];
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return;
  for (const [name, inner] of Object.entries(message)) {
    for (const odd of withOdd(inner, value)) yield { ...message, [name]: odd };
  }
}

for (const { dialect: name, path, messages } of SPEECHES) {
  test(`${name}: whatever a field holds, a command or a code comes of it`, () => {
    const definition = DIALECTS.find((it) => it.name === name) ?? assert.fail(`no dialect ${name}`);
    const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes: true };
    let read = 0;
    for (const message of messages) {
      for (const value of ODD) {
        const dialect = definition.create({ url: new URL(path, 'ws://localhost'), headers: {} }, host);
        dialect.render({ type: 'opened', sessionId: 's', clientId: 'c' });
        for (const odd of withOdd(message, value)) {
          const text = written(odd);
          try {
            for (const input of dialect.parse(text))
              if (input.type === 'configure') checkConfig(input.config, text);
          } catch (error) {
            assert.ok(
              error instanceof ServerError && error.code !== 'INTERNAL',
              `${text.slice(0, 300)}: ${error}`,
            );
            assert.ok(Object.hasOwn(ERRORS, error.code));
          }
          read++;
        }
      }
    }
    assert.ok(read > ODD.length);
  });
}

/** What is handed on has been looked at: numbers are numbers, lists are lists. */
function checkConfig(config: object, text: string): void {
  const { silence_duration = 1, hotwords = [] } = config as Record<string, unknown>;
  assert.ok(typeof silence_duration === 'number' && Number.isFinite(silence_duration), text.slice(0, 300));
  assert.ok(Array.isArray(hotwords), text.slice(0, 300));
}
