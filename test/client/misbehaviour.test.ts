/** The client library when the network or the server misbehaves: every wait ends, nothing is lost unsaid. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { outcomeOf, RATE, ramp, rampBytes, setUp, speak } from '../helpers/client-rig.js';
import { settle } from '../helpers/fake-clock.js';

/** A fetch that never answers; it does not even look at its signal. */
const never: typeof fetch = () => new Promise(() => {});

function changesOf(t: ReturnType<typeof setUp>) {
  const changes: { state: string; code?: string; text?: string; retryInMs?: number; fresh?: boolean }[] = [];
  t.client.on('state', ({ state, reason, retryInMs, fresh }) =>
    changes.push({
      state,
      ...(reason ? { code: reason.code, text: reason.text } : {}),
      ...(retryInMs === undefined ? {} : { retryInMs }),
      ...(fresh === undefined ? {} : { fresh }),
    }),
  );
  return changes;
}

describe('a server that accepts connections and answers nothing', () => {
  it('is tried again and again, and the recording goes on when it answers', async () => {
    const t = setUp({}, { fetch: never });
    await t.client.start();
    await speak(t, 0, 1);
    t.network.dead = true;
    t.server.drop();
    await speak(t, 1, 16);
    assert.ok(t.network.attempts.length >= 2, `${t.network.attempts.length} attempts`);
    t.network.dead = false;
    await speak(t, 16, 31);
    assert.equal(t.client.state, 'live');
    const result = await t.client.stop();
    assert.equal(result.droppedSeconds, 0);
    assert.deepEqual(t.server.heard('session-1'), rampBytes(31));
  });

  it('does not keep stop() waiting for ever', async () => {
    const t = setUp({}, { fetch: never, reconnect: { maxAttempts: 3 } });
    await t.client.start();
    await speak(t, 0, 1);
    t.network.dead = true;
    t.server.drop();
    const stopped = outcomeOf(t.client.stop());
    await t.clock.advance(60_000);
    assert.equal(stopped.code, 'UNREACHABLE');
    assert.equal(t.client.state, 'closed');
    assert.equal(t.clock.pending, 0);
  });

  it('does not keep connect() waiting for ever', async () => {
    const t = setUp({}, { fetch: never, reconnect: { maxAttempts: 2 } });
    t.network.dead = true;
    const connected = outcomeOf(t.client.connect());
    await t.clock.advance(60_000);
    assert.equal(connected.code, 'UNREACHABLE');
    assert.equal(t.network.attempts.length, 3);
    assert.equal(t.clock.pending, 0);
  });
});

describe('a server that answers pings and nothing else', () => {
  for (const request of ['start', 'stop', 'configure'] as const) {
    it(`does not keep ${request}() waiting for ever`, async () => {
      const t = setUp({}, { answerTimeoutMs: 5_000, answerLimitMs: 30_000 });
      if (request !== 'start') await t.client.start();
      t.server.ignored.add(`${request === 'configure' ? 'configure' : `${request}_recording`}`);
      const outcome = outcomeOf(t.client[request]({}));
      await t.clock.advance(40_000);
      assert.equal(outcome.code, 'TIMEOUT');
      t.client.close();
      assert.equal(t.clock.pending, 0);
    });
  }

  it('is asked again over a new connection, and that is enough if it was a hiccup', async () => {
    const t = setUp({}, { answerTimeoutMs: 5_000 });
    await t.client.start();
    await speak(t, 0, 1);
    t.server.ignored.add('stop_recording');
    const stopped = t.client.stop();
    await t.clock.advance(4_000);
    t.server.ignored.clear();
    await t.clock.advance(3_000);
    assert.equal((await stopped).transcript, 'one two');
    assert.deepEqual(t.server.heard('session-1'), rampBytes(1));
  });
});

describe('reasons', () => {
  const answering = (status: number, body: object, headers: Record<string, string> = {}) => ({
    fetch: (async () => new Response(JSON.stringify(body), { status, headers })) as typeof fetch,
  });

  it('asks the address itself by plain HTTP, with the same query', async () => {
    const asked: string[] = [];
    const t = setUp(
      {},
      {
        params: { token: 'secret' },
        clientId: 'anna',
        reconnect: { maxAttempts: 1 },
        fetch: async (input) => {
          asked.push(String(input));
          return new Response('{}', { status: 502 });
        },
      },
    );
    t.network.refuse = true;
    t.client.connect().catch(() => {});
    await t.clock.advance(1_000);
    const url = new URL(asked[0] ?? '');
    assert.equal(url.protocol + url.host + url.pathname, 'http:server.test/ws/transcribe');
    assert.equal(url.searchParams.get('token'), 'secret');
    assert.equal(url.searchParams.get('client_id'), 'anna');
    assert.match(t.network.attempts[0] ?? '', /resumable=1/);
  });

  it('says UNAUTHORIZED once for a wrong token, and does not try again', async () => {
    const body = { code: 'UNAUTHORIZED', error: 'A valid access token is required.', retryable: false };
    const t = setUp({}, answering(401, body));
    const changes = changesOf(t);
    t.network.refuse = true;
    await assert.rejects(t.client.start(), { code: 'UNAUTHORIZED', retryable: false });
    await t.clock.advance(120_000);
    assert.equal(t.network.attempts.length, 1);
    assert.deepEqual(
      changes.map((c) => [c.state, c.code]),
      [
        ['connecting', undefined],
        ['refused', 'UNAUTHORIZED'],
        ['closed', 'UNAUTHORIZED'],
      ],
    );
  });

  it('tells which origin is not allowed', async () => {
    const detail = 'origin https://elsewhere.test is not allowed';
    const t = setUp({}, answering(401, { code: 'UNAUTHORIZED', error: 'No.', retryable: false, detail }));
    t.network.refuse = true;
    await assert.rejects(t.client.connect(), /origin https:\/\/elsewhere\.test is not allowed/);
  });

  it('waits as long as a proxy asks for, and calls it unreachable', async () => {
    const t = setUp({}, answering(503, {}, { 'retry-after': '4' }));
    const changes = changesOf(t);
    t.network.refuse = true;
    t.client.connect().catch(() => {});
    await settle();
    assert.equal(changes[1]?.code, 'UNREACHABLE');
    assert.equal(changes[1]?.state, 'reconnecting');
    assert.ok((changes[1]?.retryInMs ?? 0) >= 4_000);
    t.client.close();
  });

  it('takes an error that came long before a cut for no reason to give up', async () => {
    const t = setUp();
    await t.client.start();
    t.server.broadcast({
      type: 'error', error: 'No.', code: 'INVALID_MESSAGE', retryable: false, timestamp: '',
    }); // biome-ignore format: a plain message
    await settle();
    t.server.drop(1006);
    await t.clock.advance(1_000);
    assert.equal(t.client.state, 'live');
    t.client.close();
  });

  it('shows a client_id that is in use as a refusal, with its reason, and tries again', async () => {
    const t = setUp();
    const changes = changesOf(t);
    const { connect } = t.server;
    t.server.connect = (peer) => {
      peer.send('{"type":"error","error":"In use.","code":"CLIENT_ID_IN_USE","retryable":true}');
      peer.close(4409, 'CLIENT_ID_IN_USE');
    };
    const connected = t.client.connect();
    await settle();
    assert.deepEqual([changes[1]?.state, changes[1]?.code], ['refused', 'CLIENT_ID_IN_USE']);
    t.server.connect = connect;
    await t.clock.advance(1_000);
    await connected;
    assert.equal(t.client.state, 'live');
  });
});

describe('a server without room for the recording', () => {
  const noRoom = {
    code: 'AT_CAPACITY',
    error: 'The server is at its rated capacity.',
    retryable: true,
  };

  it('is asked again with growing waits, and the audio of the meantime is not lost', async () => {
    const t = setUp();
    const changes = changesOf(t);
    t.server.noStart = noRoom;
    const started = outcomeOf(t.client.start());
    await speak(t, 0, 3);
    assert.equal(started.code, null);
    assert.equal(t.client.state, 'refused');
    const waits = changes.flatMap((c) => (c.state === 'refused' ? [c.retryInMs] : []));
    assert.deepEqual(waits, [125, 250, 500, 1_000, 2_000]);
    assert.equal(t.server.audio.length, 0);
    t.server.noStart = null;
    await speak(t, 3, 6);
    assert.equal(started.code, 'resolved');
    assert.equal(t.client.state, 'live');
    await t.client.stop();
    assert.deepEqual(t.server.heard('session-1'), rampBytes(6));
  });

  it('is given up in the end, with the reason', async () => {
    const t = setUp({}, { reconnect: { maxAttempts: 3 } });
    t.server.noStart = noRoom;
    const started = outcomeOf(t.client.start());
    await t.clock.advance(10_000);
    assert.equal(started.code, 'AT_CAPACITY');
    assert.equal(t.client.recording, false);
    assert.equal(t.client.state, 'live', 'the connection itself is as good as before');
  });
});

describe('a server that ends the recording by itself', () => {
  it('on the same connection: a new recording goes on from there, and the library says so', async () => {
    const t = setUp();
    const changes = changesOf(t);
    await t.client.start({ language: 'en' });
    await speak(t, 0, 1.5);
    t.server.endRecordings();
    await speak(t, 1.5, 4);
    assert.equal(t.client.recording, true);
    assert.equal(t.client.state, 'live');
    const result = await t.client.stop();
    assert.deepEqual(
      changes.slice(2).map(({ state, code, fresh }) => [state, code ?? fresh]),
      [
        ['reconnecting', 'RECORDING_ENDED'],
        ['resumed', true],
        ['live', undefined],
      ],
    );
    assert.deepEqual(t.server.heard('session-1'), rampBytes(4), 'each sample was heard once');
    assert.deepEqual(
      result.segments.map((s) => [s.segment_id, s.text, s.words[0]?.start]),
      [
        [1, 'one two', 0.2],
        [2, 'one two', 1.7], // The script of the fake server begins again with the new recording.
        [3, 'three', 3.5],
      ],
    );
    assert.equal(result.droppedSeconds, 0);
    const starts = t.server.received.filter((m) => m.type === 'start_recording');
    assert.equal((starts[1]?.config as { language?: string }).language, 'en');
  });

  it('and restarts: the recording goes on in a new session, word for word', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1.5);
    t.server.endRecordings();
    await settle();
    t.network.refuse = true;
    t.server.drop(1001, 'DRAINING');
    t.server.expire();
    await speak(t, 1.5, 6);
    assert.notEqual(t.client.state, 'live', 'no state but what is true');
    t.network.refuse = false;
    await speak(t, 6, 12);
    const result = await t.client.stop();
    assert.deepEqual(t.server.heard('session-2'), rampBytes(10.5, 1.5 * RATE));
    assert.equal(result.droppedSeconds, 0);
    assert.equal(result.segments[0]?.text, 'one two');
    assert.equal(result.segments[1]?.words[0]?.start, 1.7);
  });

  for (const [what, seconds] of [
    ['a second', 1],
    ['a single chunk', 0.1],
  ] as const) {
    it(`before our stop had reached it: ${what} that it has not heard is recorded after all`, async () => {
      const t = setUp();
      await t.client.start();
      await speak(t, 0, 1);
      t.client.send(ramp(seconds, RATE));
      t.server.endRecordings(); // Before the microtasks that deliver the rest.
      const stopped = t.client.stop();
      await t.clock.advance(1_000);
      await stopped;
      assert.deepEqual(t.server.heard('session-1'), rampBytes(1 + seconds));
    });
  }

  it('every time is not asked again without pause', async () => {
    const t = setUp();
    const { text } = t.server;
    t.server.text = function ending(peer, raw) {
      text.call(t.server, peer, raw);
      if (raw.includes('start_recording')) t.server.endRecordings();
    };
    await t.client.start();
    await t.clock.advance(60_000);
    const starts = t.server.received.filter((m) => m.type === 'start_recording').length;
    assert.ok(starts <= 20, `${starts} starts`);
    t.client.close();
    assert.equal(t.clock.pending, 0);
  });
});

describe('a rolling deploy', () => {
  it('is followed at once: close 1001 with a token moves the session without a wait', async () => {
    const t = setUp();
    const changes = changesOf(t);
    await t.client.start();
    await speak(t, 0, 6);
    t.server.drop(1001, 'DRAINING');
    await speak(t, 6, 7);
    assert.equal(changes.find((c) => c.state === 'reconnecting')?.retryInMs, 0);
    const result = await t.client.stop();
    assert.deepEqual(t.server.heard('session-1'), rampBytes(7));
    assert.equal(result.transcript, 'one two three four five');
  });

  it('of a server that only ever says goodbye is not followed in a tight loop', async () => {
    const t = setUp();
    await t.client.start();
    for (let n = 0; n < 100; n += 1) {
      t.server.drop(1001, 'DRAINING');
      await t.clock.advance(50);
    }
    assert.ok(t.network.attempts.length < 15, `${t.network.attempts.length} attempts in 5 s`);
    t.client.close();
  });

  it('asks for nothing twice: a control message that had arrived is not sent again', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    const configured = t.client.configure({ silence_duration: 0.3 });
    t.client.finalize();
    await settle();
    t.server.drop();
    await t.clock.advance(1_000);
    await configured;
    await speak(t, 1, 2);
    await t.client.stop();
    const kinds = t.server.received
      .map((m) => m.type)
      .filter((type) => type !== 'ping' && type !== 'keepalive');
    assert.deepEqual(kinds, ['start_recording', 'configure', 'finalize', 'stop_recording']);
  });

  it('uses each token once: the next resumption goes by the one that came with the last', async () => {
    const t = setUp();
    await t.client.start();
    for (let n = 0; n < 3; n += 1) {
      await speak(t, n, n + 1);
      t.server.drop();
      await t.clock.advance(20_000);
    }
    const tokens = t.network.attempts.slice(1).map((url) => new URL(url).searchParams.get('resume'));
    assert.deepEqual(tokens, ['token-session-1', 'token-session-1.1', 'token-session-1.2']);
    await t.client.stop();
    assert.deepEqual(t.server.heard('session-1'), rampBytes(3));
  });
});

describe('an outage', () => {
  it('shorter than the audio log loses nothing, even with a backlog before it', async () => {
    const t = setUp({}, { maxQueueSeconds: 10 });
    await t.client.start();
    t.network.dead = true;
    t.server.drop();
    await speak(t, 0, 9.5);
    t.network.dead = false;
    await t.clock.advance(20_000);
    const result = await t.client.stop();
    assert.equal(result.droppedSeconds, 0);
    assert.deepEqual(result.lost, []);
    assert.deepEqual(t.server.heard('session-1'), rampBytes(9.5));
  });

  it('is not given up while the log has room, however quickly attempts fail', async () => {
    const t = setUp({}, { random: () => 0.01 });
    await t.client.start();
    t.network.refuse = true;
    t.server.drop();
    await speak(t, 0, 20);
    assert.notEqual(t.client.state, 'closed');
    t.client.close();
  });

  it('after outage, with a few seconds of network in between, is not given up while the recording gets on', async () => {
    const t = setUp({}, { reconnect: { maxAttempts: 5 } });
    await t.client.start();
    for (let at = 0; at < 60; at += 3) {
      await speak(t, at, at + 3);
      t.server.drop();
    }
    await t.clock.advance(5_000);
    await t.client.stop();
    assert.deepEqual(t.server.heard('session-1'), rampBytes(60));
  });

  it('after every greeting, with nothing got on, is given up', async () => {
    const t = setUp({}, { reconnect: { maxAttempts: 5 } });
    await t.client.start();
    const { connect } = t.server;
    t.server.connect = function crashing(peer, url) {
      connect.call(t.server, peer, url);
      t.server.drop(1011, 'INTERNAL');
    };
    t.server.drop();
    const stopped = outcomeOf(t.client.stop());
    await t.clock.advance(60_000);
    assert.equal(stopped.code, 'INTERNAL');
    assert.equal(t.client.state, 'closed');
  });

  it('longer than the audio log says exactly what was lost', async () => {
    const t = setUp({}, { maxQueueSeconds: 2 });
    const drops: { from: number; to: number; totalSeconds: number }[] = [];
    t.client.on('dropped', ({ from, to, totalSeconds }) => drops.push({ from, to, totalSeconds }));
    await t.client.start();
    await speak(t, 0, 1);
    t.network.dead = true;
    t.server.drop();
    await settle();
    await speak(t, 1, 5);
    t.network.dead = false;
    await t.clock.advance(20_000);
    await speak(t, 5, 6);
    const result = await t.client.stop();
    const lost = result.lost.map(({ from, to, why }) => [from.toFixed(1), to.toFixed(1), why]);
    assert.deepEqual(lost, [['3.0', '5.0', 'queue']]);
    assert.equal(result.droppedSeconds.toFixed(1), '2.0');
    assert.equal(drops.length, 20);
    assert.equal(drops.at(-1)?.totalSeconds.toFixed(1), '2.0');
  });

  it('that the session does not survive says which unfinished words are gone for good', async () => {
    // One segment of 8 s without a pause; the log may keep 3 s of what was heard.
    const words = Array.from({ length: 40 }, (_, i) => ({
      word: `w${i}`,
      start: i * 0.2,
      end: i * 0.2 + 0.2,
    }));
    const t = setUp({ words }, { maxQueueSeconds: 3 });
    await t.client.start();
    await speak(t, 0, 8);
    t.server.drop();
    t.server.expire();
    await speak(t, 8, 10);
    const result = await t.client.stop();
    assert.equal(result.lost.length, 1);
    const [loss] = result.lost;
    assert.deepEqual([loss?.from, loss?.why], [0, 'expired']);
    const again = t.server.heard('session-2').length / 32_000;
    assert.equal(((loss?.to ?? 0) + again).toFixed(3), '10.000', 'what is not lost was recorded again');
  });

  it('in a long silence loses nothing and records little again', async () => {
    const t = setUp({ words: [] }, { maxQueueSeconds: 10 });
    await t.client.start();
    await speak(t, 0, 60);
    t.server.drop();
    t.server.expire();
    await speak(t, 60, 61);
    const result = await t.client.stop();
    assert.deepEqual(result.lost, []);
    assert.ok(t.server.heard('session-2').length / 32_000 < 6);
  });
});

describe('positions', () => {
  it('are 16 kHz samples, whatever the rate of the recording', async () => {
    for (const rate of [8_000, 11_025, 44_100, 48_000]) {
      const t = setUp();
      await t.client.start({ sample_rate: rate });
      const audio = Int16Array.from({ length: 3 * rate }, (_, i) => (i % 60_000) - 30_000);
      for (let n = 0; n < 15; n += 1) {
        t.client.send(audio.subarray((n * rate) / 10, ((n + 1) * rate) / 10));
        await t.clock.advance(100);
      }
      t.server.drop();
      for (let n = 15; n < 30; n += 1) {
        t.client.send(audio.subarray((n * rate) / 10, ((n + 1) * rate) / 10));
        await t.clock.advance(100);
      }
      await t.client.stop();
      assert.deepEqual(t.server.heard('session-1'), Buffer.from(audio.buffer), `${rate} Hz`);
      t.client.close();
    }
  });
});

describe('an application that stops handing audio over', () => {
  it('has its last words finalized after 3 s, as the server would do for others', async () => {
    const t = setUp({ silenceSeconds: 10 });
    const finals: string[] = [];
    t.client.on('transcription', ({ text, reason }) => finals.push(`${reason}: ${text}`));
    await t.client.start();
    await speak(t, 0, 1);
    await t.clock.advance(2_800);
    assert.deepEqual(finals, []);
    await t.clock.advance(300);
    assert.deepEqual(finals, ['finalize: one two']);
    await t.clock.advance(30_000);
    assert.equal(t.server.received.filter((m) => m.type === 'finalize').length, 1);
    t.client.close();
  });
});
