/** The client library in recordings of more than 37 and 75 hours: positions that 31 and 32 bits do not hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AudioLog } from '#static/client/audio-log.js';
import { Marks } from '#static/client/marks.js';
import { Timeline } from '#static/client/timeline.js';

const CHUNK = 1_600;

for (const bound of [2 ** 31, 2 ** 32]) {
  test(`audio is kept, cut and sent again exactly around sample ${bound}`, () => {
    const log = new AudioLog({ bytesPerFrame: 2, maxKeptFrames: 160_000, maxBacklogFrames: 160_000 });
    log.resumable = true;
    const heard = bound - CHUNK / 2;
    // Days of audio, of which only the length is asked for.
    log.appendAudio({ length: 2 * heard } as unknown as Uint8Array<ArrayBuffer>);
    log.next();
    log.acknowledge(heard);
    log.keepFrom(heard);
    for (let i = 0; i < 3; i++) log.appendAudio(new Uint8Array(2 * CHUNK).fill(i));
    while (log.next() !== undefined);
    assert.deepEqual([log.end, log.acknowledged, log.keptFrames], [heard + 3 * CHUNK, heard, heard]);
    assert.equal(log.rewind(bound + 100), null);
    const again = log.next();
    assert.deepEqual([again?.start, again?.end], [bound + 100, heard + CHUNK]);
    assert.equal(again?.bytes?.length, 2 * (heard + CHUNK - bound - 100));
  });

  test(`times are told of audio around sample ${bound}`, () => {
    const marks = new Marks(50);
    for (let i = 0; i < 100; i++) marks.add(bound + (i - 80) * CHUNK, 100 * i);
    assert.deepEqual([marks.chunkMs(bound - 5), marks.chunkMs(bound + 5)], [8_000, 8_100]);
    const timeline = new Timeline();
    timeline.mark(bound - 7, bound + 70);
    assert.deepEqual([timeline.toApp(bound - 8), timeline.toApp(bound + 1)], [bound - 8, bound + 78]);
  });
}
