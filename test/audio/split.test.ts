import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENCODINGS } from '../../src/audio/format.js';
import { frameBytesOf } from '../../src/audio/pcm.js';
import { ChannelSplitter } from '../../src/audio/split.js';

test('samples of two channels are taken apart, whatever their encoding', () => {
  const pcm = new ChannelSplitter({ sample_rate: 8_000, encoding: 'pcm16', channels: 2 });
  assert.deepEqual(pcm.split(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)), [
    Uint8Array.of(1, 2, 5, 6),
    Uint8Array.of(3, 4, 7, 8),
  ]);
  const mulaw = new ChannelSplitter({ sample_rate: 8_000, encoding: 'mulaw', channels: 2 });
  assert.deepEqual(mulaw.split(Uint8Array.of(1, 2, 3, 4)), [Uint8Array.of(1, 3), Uint8Array.of(2, 4)]);
});

test('how the bytes were cut changes nothing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ENCODINGS),
      fc.array(fc.uint8Array({ maxLength: 21 }), { maxLength: 12 }),
      (encoding, messages) => {
        const format = { sample_rate: 8_000, encoding, channels: 2 } as const;
        const together = (parts: readonly Uint8Array[]) => {
          const splitter = new ChannelSplitter(format);
          const split = parts.map((part) => splitter.split(part));
          return [0, 1].map((channel) => Buffer.concat(split.map((it) => it[channel]!)));
        };
        const whole = Buffer.concat(messages);
        const [left, right] = together(messages);
        assert.deepEqual([left, right], together([whole]));
        assert.equal(
          left!.length,
          (Math.floor(whole.length / frameBytesOf(format)) * frameBytesOf(format)) / 2,
        );
      },
    ),
    { seed: 7 },
  );
});

test('a begun sample-frame is forgotten when the client repeats it', () => {
  const splitter = new ChannelSplitter({ sample_rate: 8_000, encoding: 'pcm16', channels: 2 });
  splitter.split(Uint8Array.of(9, 9, 9));
  splitter.discardPartial();
  assert.deepEqual(splitter.split(Uint8Array.of(1, 2, 3, 4)), [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]);
});
