/** Word latency against scripted messages, where the true value is known. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Marks, WordLatency } from 'rnnt-server/client';
import { setUp, speak } from '../helpers/client-rig.js';

/** Audio of which 100 ms are handed over every 100 ms, from 0 ms on. */
function spoken(seconds: number): Marks {
  const marks = new Marks();
  for (let n = 1; n <= seconds * 10; n += 1) marks.add(n / 10, n * 100);
  return marks;
}

type Words = [word: string, end: number][];
const message = (type: 'partial' | 'transcription', words: Words, segment = 1) => ({
  type,
  segment_id: segment,
  words: words.map(([word, end]) => ({ word, end })),
});

/** Latencies of the finals among messages that were shown at given times, rounded to ms. */
function latencies(shown: [ms: number, message: ReturnType<typeof message>][]): number[] {
  const marks = spoken(10);
  const latency = new WordLatency((seconds) => marks.momentMs(seconds, 0.001));
  return shown.flatMap(([ms, said]) => latency.measure(latency.show(said, { ms })).map(Math.round));
}

describe('word latency', () => {
  it('runs from the word’s final end, not from the provisional end at the edge of the chunk', () => {
    const measured = latencies([
      [506, message('partial', [['hello', 0.5]])],
      [1_400, message('transcription', [['hello', 0.36]])],
    ]);
    assert.deepEqual(measured, [146]);
  });

  it('runs to the first message that shows the word and does not take it back', () => {
    const measured = latencies([
      [300, message('partial', [['well', 0.3]])],
      [400, message('partial', [['yellow', 0.4]])],
      [500, message('partial', [['well', 0.5]])],
      [600, message('partial', [['well', 0.5], ['met', 0.6]])],
      [2_000, message('transcription', [['well', 0.25], ['met', 0.55]])],
    ]); // biome-ignore format: one message a line
    assert.deepEqual(measured, [250, 50]);
  });

  it('does not take a word for new because another was put in before it', () => {
    const measured = latencies([
      [500, message('partial', [['the', 0.2], ['cat', 0.5]])],
      [600, message('partial', [['the', 0.2], ['old', 0.3], ['cat', 0.5], ['sat', 0.6]])],
      [2_000, message('transcription', [['the', 0.2], ['old', 0.3], ['cat', 0.45], ['sat', 0.6]])],
    ]); // biome-ignore format: one message a line
    assert.deepEqual(measured, [300, 300, 50, 0]);
  });

  it('knows a word again with a capital letter and a comma', () => {
    const measured = latencies([
      [500, message('partial', [['hello', 0.5]])],
      [900, message('transcription', [['Hello,', 0.4]])],
    ]);
    assert.deepEqual(measured, [100]);
  });

  it('counts a word that only the final shows, and keeps segments apart', () => {
    const measured = latencies([
      [500, message('partial', [['one', 0.5]])],
      [900, message('transcription', [['won', 0.5]])],
      [1_000, message('partial', [['one', 1.0]], 2)],
      [2_000, message('transcription', [['one', 0.95]], 2)],
    ]);
    assert.deepEqual(measured, [400, 50]);
  });

  it('leaves out words whose audio is forgotten', () => {
    const marks = new Marks(3);
    for (let n = 1; n <= 10; n += 1) marks.add(n / 10, n * 100);
    assert.equal(marks.momentMs(0.5, 0.001), undefined);
    assert.equal(marks.momentMs(0.95, 0.001), 950);
    assert.equal(marks.momentMs(1.05, 0.001), undefined);
  });

  it('never takes audio that came faster than real time for older than the audio before it', () => {
    const marks = new Marks();
    marks.add(0.1, 1_000);
    marks.add(0.2, 1_010);
    assert.equal(marks.momentMs(0.11, 0.001), 1_000);
    assert.equal(marks.chunkMs(0.11), 1_010);
  });

  it('measures from when audio was sent again, after it was', () => {
    const marks = new Marks();
    for (let n = 1; n <= 5; n += 1) marks.add(n, n * 10);
    marks.add(3, 100);
    assert.equal(marks.chunkMs(2), 20);
    assert.equal(marks.chunkMs(3), 100);
    assert.equal(marks.chunkMs(4), undefined);
  });
});

describe('the client’s word latency', () => {
  /** In the chunk that ends at 0.4 s; its partial comes at once. */
  const words = [{ word: 'hello', start: 0.1, end: 0.36 }];

  it('is 40 ms for a word that ends 40 ms before the chunk that shows it', async () => {
    const t = setUp({ words });
    const measured: number[] = [];
    t.client.on('latency', ({ wordMs }) => wordMs !== undefined && measured.push(Math.round(wordMs)));
    await t.client.start();
    await speak(t, 0, 0.5);
    assert.deepEqual(measured, [], 'a partial’s words have no final end yet');
    await speak(t, 0.5, 1);
    assert.deepEqual(measured, [40]);
    assert.equal(t.client.stats.wordMs.count, 1);
  });

  it('runs to the painting where the application says when that was', async () => {
    const paints: (() => void)[] = [];
    const t = setUp({ words }, { painted: (done) => paints.push(done) });
    await t.client.start();
    await speak(t, 0, 0.4);
    await t.clock.advance(16);
    for (const done of paints.splice(0)) done();
    await speak(t, 0.4, 1);
    assert.equal(t.client.stats.wordMs.count, 0, 'the final is not painted yet');
    for (const done of paints.splice(0)) done();
    const { count, last } = t.client.stats.wordMs;
    assert.deepEqual([count, Math.round(last ?? 0)], [1, 40 + 116]);
  });

  it('is known at other rates too, and after a session that was forgotten', async () => {
    const t = setUp({ words });
    await t.client.start({ sample_rate: 48_000 });
    for (let n = 0; n < 10; n += 1) {
      t.client.send(new Int16Array(4_800));
      await t.clock.advance(100);
    }
    assert.equal(Math.round(t.client.stats.wordMs.last ?? 0), 40);
    t.server.drop();
    t.server.expire();
    await t.clock.advance(1_000);
    const before = t.client.stats.wordMs.count;
    for (let n = 0; n < 10; n += 1) {
      t.client.send(new Int16Array(4_800));
      await t.clock.advance(100);
    }
    assert.equal(t.client.stats.wordMs.count, before + 1);
    t.client.close();
  });
});
