import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { level, stateOfError } from '#static/audio-recorder.js';
import { connectionText } from '#static/demo/states.js';
import { confidenceClass, splitPartial } from '#static/transcription-ui.js';

describe('the transcript view', () => {
  it('sets the stable part apart at a word’s border', () => {
    assert.deepEqual(splitPartial({ text: 'one two three', stable_chars: 7 }), {
      stable: 'one two',
      open: ' three',
    });
    assert.deepEqual(splitPartial({ text: 'one two three', stable_chars: 6 }), {
      stable: 'one ',
      open: 'two three',
    });
    assert.deepEqual(splitPartial({ text: 'one', stable_chars: 0 }), { stable: '', open: 'one' });
    assert.deepEqual(splitPartial({ text: 'one', stable_chars: 3 }), { stable: 'one', open: '' });
  });

  it('sorts confidence into three kinds', () => {
    assert.deepEqual([1, 0.7, 0.69, 0.4, 0.1].map(confidenceClass), [
      'sure',
      'sure',
      'unsure',
      'unsure',
      'doubtful',
    ]);
  });
});

describe('the recorder', () => {
  it('turns the browser’s errors into states that people understand', () => {
    const named = (name: string) => Object.assign(new Error(), { name });
    assert.equal(stateOfError(named('NotAllowedError')), 'denied');
    assert.equal(stateOfError(named('NotFoundError')), 'no-device');
    assert.equal(stateOfError(named('NotReadableError')), 'busy');
    assert.equal(stateOfError(new Error('?')), 'failed');
    assert.equal(stateOfError('?'), 'failed');
  });

  it('measures level in dBFS, with −100 for silence', () => {
    assert.equal(level(new Float32Array(160)).dbfs, -100);
    assert.equal(Math.round(level(new Float32Array(160).fill(0.1)).dbfs), -20);
    assert.equal(level(Float32Array.of(0.1, -0.5)).peak, 0.5);
  });
});

describe('the page’s words for a connection', () => {
  it('gives the server’s reason and the wait of a refusal', () => {
    const reason = { code: 'AT_CAPACITY', text: 'Full.', retryable: true };
    const said = connectionText({ state: 'refused', previous: 'connecting', reason, retryInMs: 4_200 });
    assert.deepEqual(said, { state: 'refused', text: 'Server full, trying again in 4 s', tone: 'bad' });
  });

  it('says when a new session took over', () => {
    assert.match(
      connectionText({ state: 'resumed', previous: 'reconnecting', fresh: true }).text,
      /new session/,
    );
    assert.equal(
      connectionText({ state: 'resumed', previous: 'reconnecting', fresh: false }).text,
      'Resumed',
    );
  });

  it('does not call an end that was asked for a failure', () => {
    const reason = { code: 'CLOSED', text: '', retryable: false };
    assert.equal(connectionText({ state: 'closed', previous: 'live', reason }).state, 'idle');
  });
});
