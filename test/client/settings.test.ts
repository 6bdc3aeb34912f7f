/** What the client library does with changed settings when a server forgets the session that they were made in. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Configuring } from '#static/client/configuring.js';
import { RATE, ramp, setUp, speak } from '../helpers/client-rig.js';
import { FakeClock, settle } from '../helpers/fake-clock.js';

type Rig = ReturnType<typeof setUp>;

/** What the servers received from now on, in order: messages with their settings, and lengths of audio in seconds. */
function journal(t: Rig) {
  const told: unknown[] = [];
  const { text, binary } = t.server;
  let seconds = 0;
  const flush = () => {
    if (seconds > 0) told.push(Number(seconds.toFixed(3)));
    seconds = 0;
  };
  t.server.text = function noting(peer, raw) {
    const { type, config, ...beside } = JSON.parse(raw);
    if (type !== 'ping' && type !== 'keepalive') {
      flush();
      const { silence_duration: silence } = { ...config, ...beside };
      told.push(silence === undefined ? type : `${type} ${silence}`);
    }
    text.call(t.server, peer, raw);
  };
  t.server.binary = function measuring(peer, bytes) {
    seconds += bytes.length / 2 / RATE;
    binary.call(t.server, peer, bytes);
  };
  return () => {
    flush();
    return told.splice(0);
  };
}

/** The connection is lost, and the session with it. */
async function forget(t: Rig): Promise<void> {
  t.server.drop();
  t.server.expire();
  await t.clock.advance(1_000);
}

/** The server refuses settings, as it does for a value out of range. */
function refusing(t: Rig, silence: number): void {
  const { text } = t.server;
  t.server.text = function refuse(peer, raw) {
    const message = JSON.parse(raw);
    if ((message.config ?? message).silence_duration !== silence) return text.call(t.server, peer, raw);
    const error = 'A field of the message has the wrong type or value.';
    return t.server.broadcast({
      type: 'error', error, code: 'INVALID_MESSAGE', retryable: false, timestamp: '',
    }); // biome-ignore format: a plain message
  };
}

describe('settings made outside a recording', () => {
  it('are told to a new session at once', async () => {
    const t = setUp();
    await t.client.configure({ silence_duration: 0.3 });
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3']);
    await t.client.start();
    assert.deepEqual(told(), ['start_recording']);
  });

  it('hold for the recording that a new session begins again, and for the next one', async () => {
    const t = setUp();
    await t.client.configure({ silence_duration: 0.3 });
    await t.client.start();
    await speak(t, 0, 1);
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3', 'start_recording', 1]);
    await t.client.stop();
    await forget(t);
    assert.deepEqual(told(), ['stop_recording', 'configure 0.3']);
  });

  it('do not replace those of the recording itself', async () => {
    const t = setUp();
    await t.client.configure({ silence_duration: 0.3 });
    await t.client.start({ silence_duration: 0.7 });
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3', 'start_recording 0.7']);
  });

  it('are told once for a session, however often it was lost before it answered', async () => {
    const t = setUp();
    await t.client.configure({ silence_duration: 0.3 });
    t.server.ignored.add('configure');
    for (let n = 0; n < 3; n += 1) await forget(t);
    t.server.ignored.clear();
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3']);
    const { silence_duration: silence } = await t.client.configure({ silence_duration: 0.4 });
    assert.equal(silence, 0.4);
  });

  it('are told again after the client had given up', async () => {
    const t = setUp({}, { reconnect: { maxAttempts: 1 } });
    await t.client.configure({ silence_duration: 0.3 });
    t.network.refuse = true;
    t.server.drop();
    await t.clock.advance(10_000);
    assert.equal(t.client.state, 'closed');
    t.network.refuse = false;
    const told = journal(t);
    await t.client.start();
    assert.deepEqual(told(), ['configure 0.3', 'start_recording']);
  });

  it('that were refused are not told again', async () => {
    const t = setUp();
    refusing(t, 99);
    await t.client.configure({ silence_duration: 0.3 });
    await assert.rejects(t.client.configure({ silence_duration: 99 }), { code: 'INVALID_MESSAGE' });
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3']);
  });
});

describe('settings changed in a recording', () => {
  it('are told again at their place in the audio: what stands before it has those of before', async () => {
    const t = setUp({ words: [] });
    await t.client.start({ silence_duration: 0.7 });
    await speak(t, 0, 1);
    await t.client.configure({ silence_duration: 0.3 });
    await speak(t, 1, 2);
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['start_recording 0.7', 1, 'configure 0.3', 1]);
  });

  it('before the last final stand in the start', async () => {
    const t = setUp({ words: [{ word: 'late', start: 2, end: 2.4 }] });
    await t.client.start({ silence_duration: 0.7 });
    await speak(t, 0, 1);
    await t.client.configure({ silence_duration: 0.3 });
    await speak(t, 1, 3);
    await t.client.configure({ silence_duration: 0.4 });
    await speak(t, 3, 4);
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['configure 0.3', 'start_recording 0.3', 0.6, 'configure 0.4', 1]);
  });

  it('hold for later recordings, in a new session too', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    await t.client.configure({ silence_duration: 0.3 });
    await t.client.stop();
    const told = journal(t);
    await forget(t);
    await t.client.start();
    assert.deepEqual(told(), ['configure 0.3', 'start_recording']);
  });

  it('that were refused do not stop the recording from going on in a new session', async () => {
    const t = setUp();
    refusing(t, 99);
    await t.client.start({ silence_duration: 0.7 });
    await speak(t, 0, 1);
    await assert.rejects(t.client.configure({ silence_duration: 99 }), { code: 'INVALID_MESSAGE' });
    const told = journal(t);
    await forget(t);
    await speak(t, 1, 2);
    assert.deepEqual(told(), ['start_recording 0.7', 2]);
    assert.equal((await t.client.stop()).droppedSeconds, 0);
  });

  it('get the answer to their own request, though earlier ones are answered again', async () => {
    const t = setUp({ words: [] });
    await t.client.start();
    await speak(t, 0, 1);
    await t.client.configure({ silence_duration: 0.3 });
    t.server.drop();
    t.server.expire();
    await settle();
    const { silence_duration: silence } = await Promise.race([
      t.client.configure({ silence_duration: 0.4 }),
      t.clock.advance(2_000).then(() => ({ silence_duration: null })),
    ]);
    assert.equal(silence, 0.4);
  });
});

describe('finalize', () => {
  it('that was answered is not asked of a new session: the recording goes on behind it', async () => {
    const t = setUp({ words: [{ word: 'one', start: 0.2, end: 0.5 }] });
    await t.client.start();
    await speak(t, 0, 0.9);
    t.client.finalize();
    await speak(t, 0.9, 2);
    const told = journal(t);
    await forget(t);
    await speak(t, 2, 3);
    assert.deepEqual(told(), ['start_recording', 2.1]);
    const { segments } = await t.client.stop();
    assert.deepEqual(
      segments.map(({ text, reason, start }) => [text, reason, start]),
      [
        ['one', 'finalize', 0.2],
        ['one', 'silence', 1.1], // The script of the fake server begins again behind the finalize, at 0.9 s.
      ],
    );
  });

  it('that was not answered is asked again at its place', async () => {
    const t = setUp({ words: [] });
    await t.client.start();
    await speak(t, 0, 1);
    t.client.finalize();
    await speak(t, 1, 2);
    const told = journal(t);
    await forget(t);
    assert.deepEqual(told(), ['start_recording', 1, 'finalize', 1]);
    t.client.close();
  });
});

describe('configure() over a lost connection', () => {
  it('is asked again in the resumed session where it had not arrived', async () => {
    const t = setUp();
    await t.client.connect();
    const told = journal(t);
    const configured = t.client.configure({ silence_duration: 0.3 });
    await Promise.resolve();
    t.server.drop(); // before it is delivered
    await t.clock.advance(1_000);
    assert.equal((await configured).silence_duration, 0.3);
    assert.deepEqual(told().slice(-1), ['configure 0.3']);
  });

  it('is not asked again where its answer is replayed', async () => {
    const t = setUp();
    await t.client.connect();
    const told = journal(t);
    const configured = t.client.configure({ silence_duration: 0.3 });
    const { text } = t.server;
    t.server.text = function cutting(peer, raw) {
      text.call(t.server, peer, raw);
      const session = [...t.server.sessions.values()][0];
      if (!raw.includes('configure') || !session) return;
      t.server.disconnected(peer); // its answer is on the way, and does not arrive
      t.network.sockets[0]?.onclose?.({ code: 1006, reason: '' });
    };
    await t.clock.advance(1_000);
    assert.equal((await configured).silence_duration, 0.3);
    assert.deepEqual(told(), ['configure 0.3']);
    assert.equal(t.network.attempts.length, 2);
  });

  function bare() {
    const sent: unknown[] = [];
    const options = { clock: new FakeClock(), answerLimitMs: 1_000 };
    const configuring = new Configuring(options, (it) => sent.push(it));
    configuring.greeted();
    return { sent, configuring };
  }
  const message = { type: 'configure', silence_duration: 0.3 };

  it('comes before a start that was asked for after it, also on the first connection', async () => {
    const t = setUp();
    const told = journal(t);
    const configured = t.client.configure({ silence_duration: 0.3 });
    await t.client.start();
    assert.deepEqual(told(), ['configure 0.3', 'start_recording']);
    assert.equal((await configured).silence_duration, 0.3);
  });

  it('comes before a start that was asked for while there was no connection', async () => {
    const t = setUp();
    await t.client.connect();
    const told = journal(t);
    const configured = t.client.configure({ silence_duration: 0.3 });
    t.server.drop(); // before it is delivered
    const started = t.client.start();
    await t.clock.advance(1_000);
    await Promise.all([configured, started]);
    assert.deepEqual(told().slice(-2), ['configure 0.3', 'start_recording']);
  });

  it('connects again after close()', async () => {
    const t = setUp();
    await t.client.connect();
    t.client.close();
    assert.equal((await t.client.configure({ silence_duration: 0.3 })).silence_duration, 0.3);
  });

  it('is refused where the server cannot be had', async () => {
    const t = setUp({}, { reconnect: { maxAttempts: 1 } });
    t.network.refuse = true;
    const configured = assert.rejects(t.client.configure({ silence_duration: 0.3 }), {
      code: 'CONNECTION_LOST',
    });
    await t.clock.advance(10_000);
    await configured;
    assert.equal(t.clock.pending, 0);
    t.network.refuse = false;
    assert.equal((await t.client.configure({ silence_duration: 0.4 })).silence_duration, 0.4);
  });

  it('waits with a new one, too, until the replayed answers are here', async () => {
    const { sent, configuring } = bare();
    const first = configuring.ask(message, true);
    configuring.down();
    const second = configuring.ask({ type: 'configure', words: false }, true);
    configuring.answered({ silence_duration: 0.3 }, false); // replayed
    assert.deepEqual(sent, [message]);
    configuring.replayed();
    assert.deepEqual(sent, [message, { type: 'configure', words: false }]);
    configuring.answered({ words: false }, false);
    assert.deepEqual(await Promise.all([first, second]), [{ silence_duration: 0.3 }, { words: false }]);
  });

  it('is asked before the recording begins anew where the log has forgotten it', async () => {
    const { sent, configuring } = bare();
    const answer = configuring.ask(message, false);
    configuring.down();
    configuring.restarted([]);
    configuring.greeted();
    assert.deepEqual(sent, [message]);
    configuring.answered({ silence_duration: 0.3 }, true);
    assert.deepEqual(await answer, { silence_duration: 0.3 });
  });

  it('is not refused by an error that ends the connection', async () => {
    const t = setUp();
    await t.client.start();
    await speak(t, 0, 1);
    t.server.ignored.add('configure');
    const configured = t.client.configure({ silence_duration: 0.3 });
    await settle();
    t.server.broadcast({
      type: 'error', error: 'It failed.', code: 'INTERNAL', retryable: true, timestamp: '',
    }); // biome-ignore format: a plain message
    await settle();
    t.server.ignored.clear();
    t.server.drop(1011, 'INTERNAL');
    await t.clock.advance(1_000);
    assert.equal((await configured).silence_duration, 0.3);
    assert.equal(t.client.state, 'live');
  });

  it('is not refused by an error about the audio', async () => {
    const t = setUp();
    await t.client.start();
    t.client.send(ramp(1));
    await settle();
    t.network.hold();
    const configured = t.client.configure({ silence_duration: 0.3 });
    t.server.broadcast({
      type: 'error', error: 'It is damaged.', code: 'CORRUPT_AUDIO', retryable: false, timestamp: '',
    }); // biome-ignore format: a plain message
    await settle();
    t.network.release();
    assert.equal((await configured).silence_duration, 0.3);
  });
});
