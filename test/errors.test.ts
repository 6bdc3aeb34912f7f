import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, type ErrorCode, ServerError, toServerError } from '../src/errors.js';

const CODES = Object.keys(ERRORS) as ErrorCode[];

test('each code has a sentence, an HTTP status of a failure, and a WebSocket close code or none', () => {
  for (const code of CODES) {
    const { text, httpStatus, closeCode } = ERRORS[code];
    assert.match(code, /^[A-Z_]+$/);
    assert.match(text, /^[A-Z].*\.$/, code);
    assert.ok(httpStatus >= 400 && httpStatus < 600, code);
    assert.ok(closeCode === null || (closeCode >= 1000 && closeCode < 5000), code);
  }
});

test('a busy or broken server may be tried again; a request that is wrong may not', () => {
  for (const code of CODES) {
    const { httpStatus, retryable } = ERRORS[code];
    if (httpStatus === 503) assert.ok(retryable, code);
    if ([400, 401, 404, 410, 413, 415, 422].includes(httpStatus)) assert.ok(!retryable, code);
  }
});

test('an error says its text and what was found', () => {
  const error = new ServerError('MODEL_MISSING', 'model.onnx');
  assert.equal(error.message, 'A file of the model is missing. model.onnx');
  assert.equal(error.entry, ERRORS.MODEL_MISSING);
  assert.equal(new ServerError('INTERNAL').message, ERRORS.INTERNAL.text);
});

test('a stranger becomes INTERNAL, or what the caller says, and keeps its cause', () => {
  const cause = new TypeError('x is undefined');
  const error = toServerError(cause);
  assert.deepEqual([error.code, error.detail, error.cause], ['INTERNAL', 'x is undefined', cause]);
  assert.equal(toServerError('odd', 'CORRUPT_AUDIO').code, 'CORRUPT_AUDIO');
  assert.equal(toServerError('odd').detail, 'odd');
});

test('an error of the table stays what it is', () => {
  const error = new ServerError('AT_CAPACITY');
  assert.equal(toServerError(error, 'INTERNAL'), error);
});
