import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerError } from '../../src/errors.js';
import { recordingConfig } from '../helpers/recording-config.js';
import { RESUME_WINDOW_MS, SessionHarness } from './session-harness.js';

const start = (language: string) => ({ type: 'START', config: recordingConfig(language) }) as const;

describe('session machine: recording', () => {
  it('begins idle, with a socket and without audio', () => {
    const session = new SessionHarness();
    assert.equal(session.state, 'idle');
    assert.equal(session.acceptsAudio, false);
    assert.deepEqual(session.trace, []);
  });

  it('begins, flushes and finishes a recording, and can do so again', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send(start('en')), ['beginRecording(en)']);
    assert.equal(session.acceptsAudio, true);
    assert.deepEqual(session.send('STOP'), ['beginFlush(stop)']);
    assert.equal(session.acceptsAudio, false);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording']);
    assert.equal(session.state, 'idle');
    assert.deepEqual(session.send(start('de')), ['beginRecording(de)']);
  });

  it('refuses START while recording and goes on recording', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('START', start('de')), ['beginRecording(en)', 'refuse(ALREADY_RECORDING)']);
    assert.equal(session.acceptsAudio, true);
  });

  it('refuses STOP and FINALIZE while idle', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('STOP', 'FINALIZE'), ['refuse(NOT_RECORDING)', 'refuse(NOT_RECORDING)']);
    assert.equal(session.state, 'idle');
  });

  it('leaves what comes while flushing to the inbox: nothing is refused, nothing begins', () => {
    const session = new SessionHarness();
    session.send('START', 'STOP');
    assert.deepEqual(session.send('START', 'STOP', 'FINALIZE', 'NO_AUDIO'), []);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording']);
  });

  it('closes the segment on FINALIZE and goes on recording', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('START', 'FINALIZE', 'FINALIZE'), [
      'beginRecording(en)',
      'finalizeSegment',
      'finalizeSegment',
    ]);
    assert.equal(session.acceptsAudio, true);
  });

  it('ignores FLUSHED when nothing is being flushed', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('FLUSHED'), []);
    session.send('START');
    assert.deepEqual(session.send('FLUSHED'), []);
    assert.equal(session.acceptsAudio, true);
  });

  it('takes FLUSHED from inside beginFlush, when there was nothing to flush', () => {
    const session = new SessionHarness({
      onEffect: (name, actor) => {
        if (name === 'beginFlush') actor.send({ type: 'FLUSHED' });
      },
    });
    assert.deepEqual(session.send('START', 'STOP'), [
      'beginRecording(en)',
      'beginFlush(stop)',
      'finishRecording',
    ]);
    assert.equal(session.state, 'idle');
  });
});

describe('session machine: a client that fell silent', () => {
  it('ends a recording without audio, and is idle afterwards', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('START', 'NO_AUDIO'), ['beginRecording(en)', 'beginFlush(timeout)']);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording']);
    assert.equal(session.state, 'idle');
  });

  it('tells what was said before it closes an idle connection', () => {
    const session = new SessionHarness();
    session.send('START');
    assert.deepEqual(session.send('IDLE_TIMEOUT'), ['beginFlush(timeout)']);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording', 'close(IDLE_TIMEOUT)']);
  });

  it('closes an idle connection that does not record at once', () => {
    assert.deepEqual(new SessionHarness().send('IDLE_TIMEOUT'), ['close(IDLE_TIMEOUT)']);
  });

  it('leaves with the last reason when two come together', () => {
    const session = new SessionHarness();
    session.send('START', 'IDLE_TIMEOUT', 'DRAIN');
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording', 'close(DRAINING)']);
  });
});

describe('session machine: the socket', () => {
  it('closes at once when the socket goes and sessions are not resumable', () => {
    const session = new SessionHarness({ resumeWindowMs: 0 });
    session.send('START');
    assert.deepEqual(session.send('DETACHED'), ['close(null)']);
    assert.equal(session.state, 'closed');
  });

  it('goes on recognising while detached, and is resumed by a new socket', () => {
    const session = new SessionHarness();
    session.send('START');
    assert.deepEqual(session.send('DETACHED'), ['detach']);
    assert.equal(session.state, 'recording, detached');
    session.clock.increment(RESUME_WINDOW_MS - 1);
    assert.deepEqual(session.send('ATTACHED'), ['attach']);
    session.clock.increment(RESUME_WINDOW_MS);
    assert.equal(session.state, 'recording');
  });

  it('closes when the resume window has passed', () => {
    const session = new SessionHarness();
    session.send('START', 'DETACHED');
    session.clock.increment(RESUME_WINDOW_MS - 1);
    assert.equal(session.state, 'recording, detached');
    session.clock.increment(1);
    assert.equal(session.state, 'closed');
    assert.equal(session.trace.at(-1), 'close(null)');
  });

  it('finishes a flush while detached', () => {
    const session = new SessionHarness();
    session.send('START', 'STOP', 'DETACHED');
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording']);
    assert.equal(session.state, 'idle, detached');
  });

  it('lets a new socket take over from one that was not seen to go', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('START', 'ATTACHED'), ['beginRecording(en)', 'detach', 'attach']);
    assert.equal(session.state, 'recording');
  });

  it('leaves a detached session to its resume window, not to the idle timer', () => {
    const session = new SessionHarness();
    assert.deepEqual(session.send('DETACHED', 'IDLE_TIMEOUT'), ['detach']);
    assert.deepEqual(session.send('ATTACHED', 'IDLE_TIMEOUT'), ['attach', 'close(IDLE_TIMEOUT)']);
  });

  it('does so in the middle of a recording too', () => {
    const session = new SessionHarness();
    session.send('START', 'DETACHED');
    assert.deepEqual(session.send('IDLE_TIMEOUT'), []);
    assert.equal(session.state, 'recording, detached');
  });
});

describe('session machine: the end', () => {
  it('closes an idle session with DRAINING at once', () => {
    assert.deepEqual(new SessionHarness().send('DRAIN'), ['close(DRAINING)']);
  });

  it('flushes a recording before it closes with DRAINING', () => {
    const session = new SessionHarness();
    session.send('START');
    assert.deepEqual(session.send('DRAIN'), ['beginFlush(drain)']);
    assert.deepEqual(session.send('START', 'DRAIN'), []);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording', 'close(DRAINING)']);
  });

  it('closes with DRAINING after a flush that was already running', () => {
    const session = new SessionHarness();
    session.send('START', 'STOP');
    assert.deepEqual(session.send('DRAIN'), []);
    assert.deepEqual(session.send('FLUSHED'), ['finishRecording', 'close(DRAINING)']);
  });

  for (const setup of [[], ['START'], ['START', 'STOP'], ['START', 'DRAIN']] as const) {
    it(`closes with the code of a fault after [${setup.join(', ')}]`, () => {
      const session = new SessionHarness();
      session.send(...setup);
      assert.deepEqual(session.send({ type: 'FAULT', code: 'ENGINE_FAILED' }), ['close(ENGINE_FAILED)']);
      assert.equal(session.state, 'closed');
    });

    it(`closes with the code it is told after [${setup.join(', ')}]`, () => {
      const session = new SessionHarness();
      session.send(...setup);
      assert.deepEqual(session.send({ type: 'CLOSE', code: 'RATE_LIMITED' }), ['close(RATE_LIMITED)']);
    });
  }

  it('tells its code as its output', () => {
    const session = new SessionHarness();
    session.send('IDLE_TIMEOUT');
    assert.deepEqual(session.actor.getSnapshot().output, { code: 'IDLE_TIMEOUT' });
  });

  it('ignores everything once closed', () => {
    const session = new SessionHarness();
    session.send({ type: 'CLOSE', code: null });
    assert.deepEqual(session.send('START', 'STOP', 'DETACHED', 'DRAIN', 'TICK'), []);
  });
});

describe('session machine: an effect that throws', () => {
  const failing = (effect: string, error: Error) =>
    new SessionHarness({
      onEffect: (name) => {
        if (name === effect) throw error;
      },
    });

  it('closes the session with INTERNAL and reports the effect', () => {
    const session = failing('beginRecording', new Error('no slot'));
    assert.deepEqual(session.send('START'), ['close(INTERNAL)']);
    assert.deepEqual(session.failures, ['beginRecording: no slot']);
    assert.equal(session.acceptsAudio, false);
    assert.equal(session.actor.getSnapshot().status, 'done');
  });

  it('closes it with the code of a ServerError', () => {
    const session = failing('beginFlush', new ServerError('ENGINE_FAILED'));
    assert.deepEqual(session.send('START', 'STOP'), ['beginRecording(en)', 'close(ENGINE_FAILED)']);
  });

  it('is closed all the same when close itself throws', () => {
    const session = failing('close', new Error('socket is stuck'));
    assert.deepEqual(session.send('START', { type: 'CLOSE', code: null }), ['beginRecording(en)']);
    assert.deepEqual(session.failures, ['close: socket is stuck']);
    assert.equal(session.state, 'closed');
    assert.equal(session.acceptsAudio, false);
  });
});
