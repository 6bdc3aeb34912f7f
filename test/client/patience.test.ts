/** The client library on a server that lives and is late: it is not called dead, and what it owes is waited for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RNNTClientError } from 'rnnt-server/client';
import type { ServerMessage } from '../../src/protocol/types.js';
import { outcomeOf, ramp, setUp, speak } from '../helpers/client-rig.js';
import { settle } from '../helpers/fake-clock.js';

type Rig = ReturnType<typeof setUp>;

const ACK: ServerMessage = { type: 'ack', received_samples: 16_000 };
const METRICS: ServerMessage = {
  type: 'metrics',
  level_dbfs: -40,
  lag: 20,
  step_ms_p50: 1,
  step_ms_p95: 1,
  dropped_partials: 0,
  audio_received: 1,
  timestamp: '',
};
const PARTIAL: ServerMessage = {
  type: 'partial',
  segment_id: 1,
  text: 'one',
  is_final: false,
  words: [],
  stable_chars: 0,
  audio_end: 1,
  processing_time_ms: 1,
  timestamp: '',
};

/** A recording of one second on a server that from now on only says what the test lets it say. */
async function overloaded(options: Parameters<typeof setUp>[1] = {}): Promise<Rig> {
  const t = setUp({}, options);
  await t.client.start();
  await speak(t, 0, 1);
  t.network.hold();
  return t;
}

/** The server says a message every so often. */
async function hear(t: Rig, message: ServerMessage, seconds: number, every = 1) {
  for (let at = 0; at < seconds; at += every) {
    await t.clock.advance(every * 1_000);
    t.server.broadcast(message);
  }
  await settle();
}

describe('an overloaded server that acknowledges', () => {
  for (const request of ['configure', 'stop'] as const) {
    it(`is waited for by ${request}(), whose answer stands behind much audio`, async () => {
      const t = await overloaded();
      const outcome = outcomeOf(t.client[request]({ silence_duration: 0.3 }));
      await hear(t, ACK, 120);
      assert.equal(outcome.code, null);
      t.network.release();
      await settle();
      assert.equal(outcome.code, 'resolved');
      assert.equal(t.network.attempts.length, 1);
      assert.equal(t.states.includes('reconnecting'), false);
    });
  }

  it('is waited for by a configure() outside a recording', async () => {
    const t = setUp();
    await t.client.connect();
    t.network.hold();
    const outcome = outcomeOf(t.client.configure({ silence_duration: 0.3 }));
    await hear(t, ACK, 60);
    assert.equal(outcome.code, null);
    t.network.release();
    await settle();
    assert.equal(outcome.code, 'resolved');
    assert.equal(t.network.attempts.length, 1);
  });

  it('is waited for by start(), while an earlier recording is still flushed', async () => {
    const t = setUp();
    await t.client.connect();
    t.network.hold();
    const outcome = outcomeOf(t.client.start());
    await hear(t, METRICS, 60, 5);
    t.network.release();
    await settle();
    assert.equal(outcome.code, 'resolved');
    assert.equal(t.network.attempts.length, 1);
  });
});

describe('signs of life', () => {
  for (const message of [ACK, PARTIAL, METRICS]) {
    it(`of the connection: ${message.type}, although the pong is late`, async () => {
      const t = await overloaded();
      await hear(t, message, 60, 4);
      assert.equal(t.network.attempts.length, 1);
      t.network.release();
      await t.clock.advance(20_000);
      assert.equal(t.network.attempts.length, 1);
    });
  }

  it('end: a connection that then falls silent is given up after two ticks of the heartbeat', async () => {
    const t = await overloaded();
    await hear(t, ACK, 30);
    await t.clock.advance(9_000);
    assert.equal(t.network.attempts.length, 1);
    await t.clock.advance(7_000);
    assert.equal(t.states.includes('reconnecting'), true);
  });

  it('of a request: a pong whose ping was sent before it', async () => {
    const t = setUp();
    t.network.hold();
    await t.client.connect(); // its ping is not handled yet
    const outcome = outcomeOf(t.client.start());
    await t.clock.advance(9_000);
    t.network.release(1);
    await t.clock.advance(9_000);
    assert.equal(t.network.attempts.length, 1);
    t.network.release();
    await settle();
    assert.equal(outcome.code, 'resolved');
  });

  it('of a server that greets late: the connection was opened', async () => {
    const t = setUp();
    const { connect } = t.server;
    let greet = () => {};
    t.server.connect = (peer, url) => {
      greet = () => connect.call(t.server, peer, url);
    };
    const connected = t.client.connect();
    await t.clock.advance(8_000);
    const socket = t.network.sockets[0];
    socket?.onopen?.({});
    await t.clock.advance(8_000);
    greet();
    await connected;
    assert.equal(t.network.attempts.length, 1);
  });
});

describe('patience ends', () => {
  it('for configure() after answerLimitMs; the recording goes on, and a late answer is taken for no other', async () => {
    const t = await overloaded({ answerLimitMs: 60_000 });
    const first = outcomeOf(t.client.configure({ silence_duration: 0.3 }));
    await hear(t, ACK, 59);
    assert.equal(first.code, null);
    await hear(t, ACK, 1);
    assert.equal(first.code, 'TIMEOUT');
    const second = t.client.configure({ silence_duration: 0.5 });
    t.network.release();
    assert.equal((await second).silence_duration, 0.5);
    await speak(t, 1, 3);
    assert.equal((await t.client.stop()).transcript, 'one two three four');
    assert.equal(t.network.attempts.length, 1);
  });

  it('for stop() after answerLimitMs on each of three connections, with what was recognised', async () => {
    const t = await overloaded({ answerLimitMs: 60_000 });
    const stopped = t.client.stop();
    const outcome = outcomeOf(stopped);
    await hear(t, ACK, 175);
    assert.equal(outcome.code, null);
    await hear(t, ACK, 30);
    await assert.rejects(stopped, ({ code, result }: RNNTClientError) => {
      assert.deepEqual([code, result?.duration], ['TIMEOUT', 1]);
      return true;
    });
    assert.equal(t.network.attempts.length, 3);
    assert.equal(t.clock.pending, 0);
  });

  it('for a silent server after answerTimeoutMs', async () => {
    const t = setUp({}, { answerTimeoutMs: 6_000 });
    await t.client.connect();
    await t.clock.advance(1_000);
    t.network.hold();
    t.client.configure({ silence_duration: 0.3 }).catch(() => {});
    await t.clock.advance(5_900);
    assert.equal(t.states.includes('reconnecting'), false);
    await t.clock.advance(200);
    assert.equal(t.states.includes('reconnecting'), true);
    t.client.close();
    await settle();
    assert.equal(t.clock.pending, 0);
  });
});

describe('after a sleep of the computer', () => {
  it('what the server has answered meanwhile is handled first', async () => {
    const t = await overloaded();
    await t.clock.advance(5_000); // a ping is on its way
    t.clock.stall(60_000);
    await t.clock.advance(0);
    t.network.release();
    await t.clock.advance(20_000);
    assert.equal(t.network.attempts.length, 1);
    t.network.hold();
    const outcome = outcomeOf(t.client.stop());
    t.clock.stall(60_000);
    await t.clock.advance(0);
    t.network.release();
    await settle();
    assert.equal(outcome.code, 'resolved');
    assert.equal(t.network.attempts.length, 1);
  });
});

describe('finalize after a silence of the application', () => {
  const asked = (t: Rig) => t.server.received.filter(({ type }) => type === 'finalize').length;

  it('is not asked for while the application waits for room', async () => {
    const t = await overloaded({ maxBacklogSeconds: 4 });
    const sent = t.client.sendAll(ramp(6));
    await hear(t, ACK, 30);
    t.network.release();
    await sent;
    await t.clock.advance(2_000);
    assert.equal(asked(t), 0);
    await t.clock.advance(2_000);
    assert.equal(asked(t), 1);
    t.client.close();
  });

  it('is not asked for while the network takes nothing', async () => {
    const t = setUp();
    await t.client.start();
    const socket = t.network.sockets[0];
    assert.ok(socket);
    socket.bufferedAmount = 1_000_000;
    t.client.send(ramp(1));
    await t.clock.advance(30_000);
    socket.bufferedAmount = 0;
    await t.clock.advance(1_500);
    assert.equal(asked(t), 0);
    await t.clock.advance(3_000);
    assert.equal(asked(t), 1);
    t.client.close();
  });

  it('is not asked for while there is no connection', async () => {
    const t = setUp();
    await t.client.start();
    t.network.refuse = true;
    t.server.drop();
    t.client.send(ramp(1));
    await t.clock.advance(10_000);
    t.network.refuse = false;
    t.client.retryNow();
    await t.clock.advance(1_500);
    assert.equal(t.client.state, 'live');
    assert.equal(asked(t), 0);
    t.client.close();
  });

  it('is not asked for when the program was busy, and audio was handed over meanwhile', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    t.clock.stall(10_000);
    await t.clock.advance(0);
    await speak(t, 1, 3);
    assert.equal(asked(t), 0);
    t.client.close();
  });

  it('comes later or never where the application says so', async () => {
    const later = setUp({}, { quietFinalizeMs: 12_000 });
    const never = setUp({}, { quietFinalizeMs: null });
    for (const t of [later, never]) {
      await t.client.start();
      await speak(t, 0, 1);
      await t.clock.advance(11_800);
      assert.equal(asked(t), 0);
      await t.clock.advance(300);
      assert.equal(asked(t), t === later ? 1 : 0);
      await t.clock.advance(60_000);
      assert.equal(asked(t), t === later ? 1 : 0);
      t.client.close();
    }
  });
});
