import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AudioLog } from '#static/client/audio-log.js';
import { Backoff } from '#static/client/backoff.js';
import { floatToPcm16, pcm16ToFloat, peakRms, toWireBytes } from '#static/client/encode.js';
import { closeReason, retryAfterMs, webSocketUrl } from '#static/client/endpoint.js';
import { LatencyWindow, percentile } from '#static/client/latency.js';
import { Timeline } from '#static/client/timeline.js';

describe('Backoff', () => {
  it('grows exponentially to its limit, jitters over the whole range and starts over after a success', () => {
    const backoff = new Backoff({ baseMs: 100, maxMs: 500, maxAttempts: 4, minOutageMs: 0, random: () => 1 });
    assert.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [100, 200, 400, 500]);
    assert.equal(backoff.exhausted(0), true);
    backoff.reset();
    assert.equal(backoff.exhausted(0), false);
    assert.equal(backoff.next(2_000), 2_100);
  });
});

describe('encode', () => {
  it('brings every 16-bit value back unchanged', () => {
    const all = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);
    assert.deepEqual(floatToPcm16(pcm16ToFloat(all)), all);
  });

  it('clips instead of wrapping around', () => {
    assert.deepEqual([...floatToPcm16(Float32Array.of(1, -1, 2, -2))], [32_767, -32_768, 32_767, -32_768]);
  });

  it('copies what it is given', () => {
    const samples = Int16Array.of(1, 2);
    const bytes = toWireBytes(samples, 'pcm16');
    samples[0] = 9;
    assert.deepEqual([...bytes], [1, 0, 2, 0]);
  });

  it('refuses to guess an encoding', () => {
    assert.throws(() => toWireBytes(Int16Array.of(1), 'mulaw'), /encoded bytes/);
    assert.deepEqual([...toWireBytes(Uint8Array.of(7), 'mulaw')], [7]);
  });

  it('measures the loudest 20 ms', () => {
    const samples = new Int16Array(1_600);
    samples.fill(16_384, 320, 640);
    assert.equal(peakRms(new Uint8Array(samples.buffer), 'pcm16', 320), 0.5);
    assert.equal(peakRms(Uint8Array.of(0), 'mulaw', 320), 1);
  });
});

describe('Timeline', () => {
  it('maps starts after a gap and ends before it', () => {
    const timeline = new Timeline();
    timeline.mark(100, 100); // No gap: nothing to note.
    timeline.mark(200, 700);
    assert.equal(timeline.toApp(150), 150);
    assert.equal(timeline.toApp(200, 'end'), 200);
    assert.equal(timeline.toApp(200, 'start'), 700);
    assert.equal(timeline.toApp(250, 'end'), 750);
  });

  it('never runs backwards, whatever the gaps', () => {
    const gaps = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { maxLength: 40 });
    fc.assert(
      fc.property(gaps, (steps) => {
        const timeline = new Timeline();
        let [sent, app] = [0, 0];
        for (const [kept, lost] of steps) {
          sent += kept;
          app += kept + lost;
          timeline.mark(sent, app);
        }
        for (let at = 1; at <= sent; at += 1) assert.ok(timeline.toApp(at) > timeline.toApp(at - 1));
        assert.equal(timeline.toApp(sent), app);
      }),
      { seed: 1 },
    );
  });
});

describe('AudioLog', () => {
  const newLog = (maxKeptFrames: number) =>
    new AudioLog({ bytesPerFrame: 1, maxKeptFrames, maxBacklogFrames: 1_000 });

  /** Takes everything that waits. */
  function drain(log: AudioLog): number[] {
    const sent: number[] = [];
    for (let entry = log.next(); entry; entry = log.next()) sent.push(...(entry.bytes ?? [-1]));
    return sent;
  }

  it('sends each byte exactly once more from the server’s position on, whatever the position', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(lengths, fc.nat(1_000), fc.nat(1_000), (chunks, ackAt, resumeAt) => {
        const log = newLog(10);
        log.resumable = true;
        let next = 0;
        for (const length of chunks) {
          log.appendAudio(Uint8Array.from({ length }, () => next++ % 256));
        }
        const all = drain(log);
        const acked = ackAt % (next + 1);
        const resumed = acked + (resumeAt % (next - acked + 1));
        log.acknowledge(acked);
        log.rewind(resumed);
        assert.deepEqual(drain(log), all.slice(resumed));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('keeps acknowledged audio until a final covers it, but not without bound', () => {
    const log = newLog(3);
    for (let i = 0; i < 10; i += 1) log.appendAudio(Uint8Array.of(i));
    log.resumable = true;
    drain(log);
    log.acknowledge(6);
    log.rebase();
    assert.deepEqual(drain(log), [3, 4, 5, 6, 7, 8, 9]);
    log.keepFrom(9);
    log.acknowledge(7);
    log.rebase();
    assert.deepEqual(drain(log), [9]);
  });

  it('keeps what a final covers until it is acknowledged: another server may have written down less', () => {
    const log = newLog(100);
    for (let i = 0; i < 10; i += 1) log.appendAudio(Uint8Array.of(i));
    log.resumable = true;
    drain(log);
    log.keepFrom(8);
    assert.equal(log.keptFrames, 0, 'before the first acknowledgement');
    log.acknowledge(3);
    assert.equal(log.keptFrames, 3);
    log.rewind(9); // So much the server has: that is no acknowledgement.
    log.keepFrom(9);
    assert.equal(log.keptFrames, 3, 'after a resumption');
    assert.equal(log.rewind(3), null);
    assert.deepEqual(drain(log), [3, 4, 5, 6, 7, 8, 9]);
    log.acknowledge(10);
    assert.equal(log.keptFrames, 9);
  });

  it('sends control messages at their place, also again after a rewind', () => {
    const log = newLog(100);
    log.appendAudio(Uint8Array.of(1, 2));
    log.appendMessage({ type: 'finalize' });
    log.appendAudio(Uint8Array.of(3));
    assert.deepEqual(drain(log), [1, 2, -1, 3]);
    log.rewind(2);
    assert.deepEqual(drain(log), [-1, 3]);
    log.rewind(3);
    assert.deepEqual(drain(log), []);
  });

  it('sends no control message again that the server says it has, and every other', () => {
    const log = newLog(100);
    log.appendAudio(Uint8Array.of(1, 2));
    log.appendMessage({ type: 'finalize' });
    log.appendMessage({ type: 'configure' });
    log.appendAudio(Uint8Array.of(3));
    assert.deepEqual(drain(log), [1, 2, -1, -1, 3]);
    log.rewind(2, 1);
    assert.deepEqual(drain(log), [-1, 3]);
    log.rewind(2, 2);
    assert.deepEqual(drain(log), [3]);
    log.rewind(0, 0);
    assert.deepEqual(drain(log), [1, 2, -1, -1, 3]);
    log.rebase(); // A new recording counts from its own start.
    log.keepFrom(2);
    log.rebase();
    assert.deepEqual(drain(log), [-1, -1, 3]);
    log.rewind(0, 1);
    assert.deepEqual(drain(log), [-1, 3]);
  });

  it('leaves out a message that the server has also where the audio before it is sent again', () => {
    const log = newLog(100);
    log.appendAudio(Uint8Array.of(1, 2, 3));
    log.appendMessage({ type: 'finalize' });
    log.appendAudio(Uint8Array.of(4));
    log.appendMessage({ type: 'finalize' });
    drain(log);
    log.rewind(2, 1); // The server's position is rounded down, to one that its own rate has too.
    assert.deepEqual(drain(log), [3, 4, -1]);
  });

  it('keeps what no final covers for a server that never acknowledges, up to its bound', () => {
    const log = newLog(3);
    for (let i = 0; i < 10; i += 1) log.appendAudio(Uint8Array.of(i));
    drain(log);
    assert.equal(log.unacknowledgedFrames, 0);
    assert.deepEqual(log.rebase(), { from: 0, to: 7 });
    assert.deepEqual(drain(log), [7, 8, 9]);
    log.keepFrom(9);
    assert.equal(log.rebase(), null);
    assert.deepEqual(drain(log), [9]);
  });

  it('says what is missing when the server goes back behind the oldest audio, and counts on after it', () => {
    const log = newLog(100);
    for (let i = 0; i < 10; i += 1) log.appendAudio(Uint8Array.of(i));
    drain(log);
    log.keepFrom(6);
    log.acknowledge(6);
    assert.deepEqual(log.rewind(4), { from: 4, to: 6 });
    assert.deepEqual(drain(log), [6, 7, 8, 9]);
    log.acknowledge(5); // The server's sample 5 is the log's 7.
    assert.equal(log.rewind(5), null);
    assert.deepEqual(drain(log), [7, 8, 9]);
  });
});

describe('endpoint', () => {
  it('makes a WebSocket address of what people write', () => {
    assert.equal(webSocketUrl('http://h:8000', {}), 'ws://h:8000/ws/transcribe');
    assert.equal(
      webSocketUrl('wss://h/asr?x=1#y', { resume: 't', client_id: undefined }),
      'wss://h/asr?x=1&resume=t',
    );
    assert.equal(webSocketUrl('https://h/speech/?x=1', {}), 'wss://h/speech/ws/transcribe?x=1');
    assert.throws(() => webSocketUrl(undefined, {}), /url/);
  });

  it('finds by default the server that the library came from, else the root of the page', (t) => {
    Object.assign(globalThis, { location: { href: 'https://h:1/speech/static/index.html' } });
    t.after(() => Reflect.deleteProperty(globalThis, 'location'));
    const addressFrom = (module: string) => webSocketUrl(undefined, {}, module);
    const ofPage = 'wss://h:1/ws/transcribe';
    assert.equal(addressFrom('https://h:1/static/client/endpoint.js'), ofPage);
    assert.equal(
      addressFrom('https://h:1/speech/static/client/endpoint.js'),
      'wss://h:1/speech/ws/transcribe',
    );
    assert.equal(addressFrom('https://h:1/a/b/static/client/endpoint.js?v=1'), 'wss://h:1/a/b/ws/transcribe');
    for (const elsewhere of [
      'https://h:1/assets/bundle-1a2b.js',
      'https://h:1/node_modules/rnnt-server/static/client/endpoint.js',
      'https://h:1/@fs/home/me/rnnt-server/static/client/endpoint.js',
      'https://cdn.example/rnnt-server/static/client/endpoint.js',
      'file:///app/node_modules/rnnt-server/static/client/endpoint.js',
    ])
      assert.equal(addressFrom(elsewhere), ofPage, elsewhere);
    assert.equal(webSocketUrl('/other/ws/transcribe', {}), 'wss://h:1/other/ws/transcribe');
  });

  it('reads Retry-After in seconds and as a date', () => {
    assert.equal(retryAfterMs('3'), 3_000);
    assert.equal(retryAfterMs(null), undefined);
    assert.equal(retryAfterMs('nonsense'), undefined);
    assert.equal(retryAfterMs(new Date(0).toUTCString()), 0);
  });

  it('waits at most five minutes, whatever a server asks for', () => {
    assert.equal(retryAfterMs('1e9'), 300_000);
    assert.equal(retryAfterMs('-1'), 0);
  });

  it('knows which close codes are final', () => {
    assert.equal(closeReason(1008, '').retryable, false);
    assert.equal(closeReason(1001, '').retryable, true);
    assert.equal(closeReason(1001, 'DRAINING').text, 'The server is shutting down.');
    assert.deepEqual(closeReason(1006, 'why'), { code: 'CONNECTION_LOST', text: 'why', retryable: true });
  });
});

describe('LatencyWindow', () => {
  it('gives percentiles that were measured, of the newest samples', () => {
    const window = new LatencyWindow(4);
    for (const ms of [100, 1, 2, 3, 4]) window.add(ms);
    assert.deepEqual(window.summary(), { count: 5, p50: 2, p95: 4, p99: 4, last: 4 });
    assert.equal(percentile([], 0.5), null);
  });
});
