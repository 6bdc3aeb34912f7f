import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RNNTClientError } from 'rnnt-server/client';
import { RATE, ramp, setUp, speak } from '../helpers/client-rig.js';
import { settle } from '../helpers/fake-clock.js';

describe('a recording', () => {
  it('goes from start to the final transcript', async () => {
    const t = setUp();
    const partials: string[] = [];
    t.client.on('partial', ({ text }) => partials.push(text));
    await t.client.start();
    await speak(t, 0, 5);
    const result = await t.client.stop();
    assert.equal(result.transcript, 'one two three four five');
    assert.deepEqual(
      result.segments.map((s) => [s.segment_id, s.text, s.reason]),
      [
        [1, 'one two', 'silence'],
        [2, 'three four', 'silence'],
        [3, 'five', 'silence'],
      ],
    );
    assert.equal(result.duration, 5);
    assert.deepEqual(partials, ['one', 'one two', 'three', 'three four', 'five']);
    assert.deepEqual(t.states, ['connecting', 'live']);
  });

  it('leaves in chunks of 100 ms whatever the application passes in', async () => {
    const t = setUp();
    await t.client.start();
    t.client.send(ramp(0.0137));
    t.client.send(ramp(0.31));
    t.client.send(new Float32Array(100));
    await settle();
    assert.deepEqual(
      t.server.audio.map((a) => a.bytes.length),
      [3_200, 3_200, 3_200],
    );
    await t.client.stop();
    assert.equal(t.server.heard('session-1').length, 2 * (219 + 4_960 + 100));
  });

  it('can be followed by another on the same connection', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    assert.equal((await t.client.stop()).transcript, 'one two');
    await t.client.start();
    await speak(t, 0, 3);
    assert.equal((await t.client.stop()).transcript, 'one two three four');
    assert.equal(t.network.attempts.length, 1);
  });

  it('says why a start was refused', async () => {
    const t = setUp();
    await assert.rejects(t.client.start({ sample_rate: 4_000 }), { code: 'UNSUPPORTED_SAMPLE_RATE' });
    await t.client.start({ sample_rate: 16_000 });
    assert.equal(t.client.recording, true);
  });

  it('finalizes after the audio that was sent before it', async () => {
    const t = setUp();
    const reasons: string[] = [];
    t.client.on('transcription', ({ reason }) => reasons.push(reason));
    await t.client.start();
    t.client.send(ramp(0.95));
    t.client.finalize();
    await settle();
    assert.deepEqual(reasons, ['finalize']);
    assert.equal(t.server.heard('session-1').length, 0.95 * 32_000);
  });

  it('resolves configure with the settings in force', async () => {
    const t = setUp();
    await t.client.start();
    const config = await t.client.configure({ silence_duration: 0.3 });
    assert.equal(config.silence_duration, 0.3);
  });

  it('starts as it was told to, though settings change before the server answers: those have their place in the audio', async () => {
    const sent: Record<string, unknown>[] = [];
    const t = setUp();
    t.client.on('message', ({ direction, message }) => direction === 'out' && sent.push(message));
    const started = t.client.start({ silence_duration: 1 });
    t.client.send(ramp(0.5));
    const configured = t.client.configure({ silence_duration: 0.3 });
    await started;
    assert.equal((await configured).silence_duration, 0.3);
    const settings = sent.flatMap(({ type, config, ...rest }) => {
      if (type === 'start_recording') return [(config as typeof rest).silence_duration];
      return type === 'configure' ? [rest.silence_duration] : [];
    });
    assert.deepEqual(settings, [1, 0.3]);
  });

  it('measures chunk and word latency on its own clock', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 2);
    assert.equal(t.client.stats.chunkMs.p50, 0);
    assert.equal(t.client.stats.wordMs.count, 2);
    assert.equal(t.client.stats.rttMs.count >= 1, true);
  });
});

describe('a dropped connection', () => {
  it('is resumed, and nothing is lost, doubled or retimed', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 2.5);
    t.server.drop();
    await speak(t, 2.5, 5);
    const result = await t.client.stop();
    assert.equal(result.transcript, 'one two three four five');
    assert.deepEqual(t.server.heard('session-1'), Buffer.from(ramp(5).buffer));
    assert.deepEqual(t.states, ['connecting', 'live', 'reconnecting', 'reconnecting', 'resumed', 'live']);
    assert.match(t.network.attempts[1] ?? '', /resume=token-session-1&last_seq=\d+/);
  });

  it('sends again what was in flight when it broke', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1.2);
    t.client.send(ramp(0.8, 1.2 * RATE));
    t.server.drop(); // Before the microtasks that would deliver them.
    await speak(t, 2, 3);
    await t.client.stop();
    assert.deepEqual(t.server.heard('session-1'), Buffer.from(ramp(3).buffer));
  });

  it('continues from the middle of a chunk', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    const session = [...t.server.sessions.values()][0];
    assert.ok(session);
    session.receivedBytes -= 1_000;
    t.server.drop();
    await speak(t, 1, 2);
    await t.client.stop();
    const heard = t.server.heard('session-1');
    assert.equal(heard.length, 64_000 + 1_000);
    assert.deepEqual(heard.subarray(32_000), Buffer.from(ramp(2).buffer).subarray(31_000));
  });

  it('does not repeat messages that had arrived', async () => {
    const t = setUp();
    const finals: number[] = [];
    t.client.on('transcription', ({ segment_id }) => finals.push(segment_id));
    await t.client.start();
    await speak(t, 0, 2.5);
    const session = [...t.server.sessions.values()][0];
    assert.ok(session);
    const { said } = session;
    session.said = [...said];
    Object.defineProperty(session.said, 'slice', { value: () => said }); // Replays everything, seen or not.
    t.server.drop();
    await speak(t, 2.5, 5);
    await t.client.stop();
    assert.deepEqual(finals, [1, 2, 3]);
  });

  it('waits with exponential backoff and full jitter, and gives up after the last attempt', async () => {
    const t = setUp({}, { reconnect: { baseMs: 100, maxMs: 1_000, maxAttempts: 5 } });
    const waits: (number | undefined)[] = [];
    t.client.on('state', ({ retryInMs }) => retryInMs !== undefined && waits.push(retryInMs));
    await t.client.start();
    t.network.refuse = true;
    t.server.drop();
    const stopped = assert.rejects(t.client.stop(), (error) => {
      assert.ok(error instanceof RNNTClientError);
      assert.equal(error.code, 'CONNECTION_LOST');
      assert.equal(error.result?.transcript, '');
      return true;
    });
    await t.clock.advance(10_000);
    await stopped;
    assert.deepEqual(waits, [50, 100, 200, 400, 500]);
    assert.equal(t.client.state, 'closed');
  });

  it('notices a server that stops answering', async () => {
    const t = setUp();
    await t.client.start();
    t.server.mute = true;
    await speak(t, 0, 1);
    await t.clock.advance(20_000);
    t.server.mute = false;
    await t.clock.advance(1_000);
    assert.equal(t.states.includes('reconnecting'), true);
    assert.equal(t.client.state, 'live');
  });

  it('keeps the oldest audio when the queue is full, and says what it dropped', async () => {
    const t = setUp({}, { maxQueueSeconds: 1 });
    let dropped = 0;
    t.client.on('dropped', ({ totalSeconds }) => {
      dropped = totalSeconds;
    });
    await t.client.start();
    await speak(t, 0, 1);
    t.network.dead = true;
    t.server.drop();
    await settle();
    await speak(t, 1, 4);
    assert.equal(Math.round(dropped * 10), 20);
    t.network.dead = false;
    await t.clock.advance(20_000);
    await speak(t, 4, 5);
    const result = await t.client.stop();
    const expected = Buffer.concat([Buffer.from(ramp(2).buffer), Buffer.from(ramp(1, 4 * RATE).buffer)]);
    assert.deepEqual(t.server.heard('session-1'), expected);
    assert.equal(Math.round(result.droppedSeconds * 10), 20);
    const three = result.segments.flatMap((s) => s.words).find((w) => w.word === 'three');
    assert.equal(three?.start, 4); // Heard at 2.0 s by the server, spoken at 4.0 s.
    assert.equal(result.duration, 5);
  });
});

describe('a forgotten session', () => {
  it('is recorded again from the last final on, with ids and times continued', async () => {
    const t = setUp({ words: [{ word: 'hello', start: 0.2, end: 0.5 }] });
    const fresh: (boolean | undefined)[] = [];
    t.client.on('state', (change) => change.fresh !== undefined && fresh.push(change.fresh));
    await t.client.start();
    await speak(t, 0, 3);
    t.server.drop();
    t.server.expire();
    await speak(t, 3, 5);
    const result = await t.client.stop();
    assert.deepEqual(fresh, [true]);
    assert.deepEqual(
      result.segments.map((s) => [s.segment_id, s.text, s.words[0]?.start]),
      [
        [1, 'hello', 0.2],
        [2, 'hello', 0.7], // The new session hears "hello" 0.2 s after the end of the last final.
      ],
    );
    assert.deepEqual(t.server.heard('session-2'), Buffer.from(ramp(4.5, 0.5 * RATE).buffer));
  });

  it('makes the new recording with the settings that were in force', async () => {
    const t = setUp();
    await t.client.start({ language: 'en', metrics: true });
    await speak(t, 0, 1);
    await t.client.configure({ silence_duration: 0.25 });
    await speak(t, 1, 4);
    t.server.drop();
    t.server.expire();
    await t.clock.advance(1_000);
    const starts = t.server.received.filter((m) => m.type === 'start_recording');
    assert.equal(starts.length, 2);
    const config = starts[1]?.config as Record<string, unknown>;
    assert.equal(config.silence_duration, 0.25);
    assert.equal(config.language, 'en');
  });
});

describe('a refused connection', () => {
  it('tells the reason, waits as long as the server asks and gets in later', async () => {
    const body = {
      error: 'The server is at its rated capacity.',
      code: 'AT_CAPACITY',
      retryable: true,
    };
    const t = setUp(
      {},
      {
        fetch: async () =>
          new Response(JSON.stringify(body), { status: 503, headers: { 'Retry-After': '7' } }),
      },
    );
    const changes: { state: string; code: string | undefined; retryInMs: number | undefined }[] = [];
    t.client.on('state', (c) =>
      changes.push({ state: c.state, code: c.reason?.code, retryInMs: c.retryInMs }),
    );
    t.network.refuse = true;
    const connected = t.client.connect();
    await t.clock.advance(6_900);
    assert.deepEqual(changes[1], { state: 'refused', code: 'AT_CAPACITY', retryInMs: 7_125 });
    assert.equal(t.network.attempts.length, 1);
    t.network.refuse = false;
    await t.clock.advance(1_000);
    await connected;
    assert.equal(t.client.state, 'live');
  });

  it('rejects at once where trying again cannot help', async () => {
    const t = setUp({}, { fetch: async () => new Response('{}', { status: 401 }) });
    t.network.refuse = true;
    await assert.rejects(t.client.connect(), { code: 'UNAUTHORIZED', retryable: false });
    assert.deepEqual(t.states, ['connecting', 'refused', 'closed']);
    assert.equal(t.clock.pending, 0);
  });
});

describe('an old server', () => {
  it('without tokens and acknowledgements still transcribes, and a drop starts over', async () => {
    const t = setUp({ legacy: true });
    await t.client.start();
    await speak(t, 0, 1.5);
    t.server.drop();
    await speak(t, 1.5, 4);
    const result = await t.client.stop();
    assert.equal(result.segments[0]?.text, 'one two');
    assert.equal(result.segments[1]?.segment_id, 2);
    assert.equal(t.client.stats.reconnects, 1);
  });
});

describe('client-side voice activity', () => {
  /** Speech from 1 to 2 s and from 10 to 11 s, silence in between. */
  function conversation(seconds: number): Int16Array {
    return Int16Array.from({ length: seconds * RATE }, (_, i) => {
      const at = i / RATE;
      const voiced = (at >= 1 && at < 2) || (at >= 10 && at < 11);
      return voiced ? Math.round(8_000 * Math.sin(i / 5)) : 0;
    });
  }

  it('keeps the connection alive while it holds silence back, and leaves an idle one to the server', async () => {
    const t = setUp({}, { vad: true });
    await t.client.start();
    for (let i = 0; i < 300; i += 1) {
      t.client.send(new Int16Array(1_600));
      await t.clock.advance(100);
    }
    assert.equal(t.server.heard('session-1').length, 0);
    assert.ok(t.server.received.filter((m) => m.type === 'keepalive').length >= 4);
    await t.client.stop();
    const before = t.server.received.length;
    await t.clock.advance(60_000);
    assert.equal(t.server.received.length, before);
    assert.equal(t.client.state, 'live');
  });

  it('sends nothing in long silence and keeps the word times on the application’s timeline', async () => {
    const heardAt = [
      { word: 'first', start: 0.4, end: 1.2 },
      { word: 'second', start: 2.9, end: 3.7 },
    ];
    const t = setUp({ words: heardAt }, { vad: { hangoverMs: 1_200, prerollMs: 300 } });
    await t.client.start();
    t.client.send(conversation(13));
    const result = await t.client.stop();
    const seconds = t.server.heard('session-1').length / 32_000;
    assert.equal(seconds, 0.3 + 1 + 1.2 + 0.3 + 1 + 1.2);
    assert.equal(t.server.received.filter((m) => m.type === 'finalize').length, 2);
    const starts = result.segments.flatMap((s) => s.words.map((w) => Math.round(w.start * 10) / 10));
    assert.deepEqual(starts, [1.1, 10.1]);
    assert.ok(result.skippedSeconds > 7 && result.skippedSeconds < 8.1, String(result.skippedSeconds));
  });
});
