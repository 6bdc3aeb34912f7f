/** What the recorder makes of a device's rate. The microphone itself is in test/browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleave, reduce, reducedRate } from '#static/audio-recorder.js';

interface Processor {
  process(inputs: Float32Array[][]): boolean;
  port: { posted: (Float32Array | null)[]; onmessage: (event: { data: string }) => void };
}
type ProcessorClass = new (options: object) => Processor;

let registered: ProcessorClass | null = null;

/** The worklet's class, registered in a scope as bare as the audio thread's. */
async function worklet(): Promise<ProcessorClass> {
  if (registered) return registered; // a module runs once
  Object.assign(globalThis, {
    AudioWorkletProcessor: class {
      port = {
        posted: [] as (Float32Array | null)[],
        onmessage: () => {},
        postMessage(message: Float32Array | null) {
          this.posted.push(message);
        },
      };
    },
    registerProcessor: (_name: string, processor: ProcessorClass) => {
      registered = processor;
    },
  });
  const path = '#static/pcm-worklet.js'; // Not a literal in the call: it has no types.
  await import(path);
  assert.ok(registered);
  return registered;
}

test('every rate that devices have is divided until the server takes it', () => {
  const rates = [16_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 352_800, 384_000];
  assert.deepEqual(
    rates.map((rate) => reducedRate(rate).sampleRate),
    [16_000, 44_100, 48_000, 44_100, 48_000, 44_100, 48_000, 44_100, 48_000],
  );
  assert.equal(reducedRate(192_000).step, 4);
});

test('a reduced sample is the mean of those it stands for', () => {
  assert.deepEqual([...reduce(Float32Array.of(0, 1, 1, 0.5, 3), 2)], [0.5, 0.75]);
  assert.deepEqual([...reduce(Float32Array.of(1, 2, 3, 6), 4)], [3]);
});

test('the audio thread mixes down, divides by four and posts blocks of 100 ms', async () => {
  const PcmTap = await worklet();
  const tap = new PcmTap({ processorOptions: { blockFrames: 64, step: 4 } });
  const ramp = (offset: number) => Float32Array.from({ length: 128 }, (_, i) => i + offset);
  for (let n = 0; n < 2; n += 1) assert.equal(tap.process([[ramp(0), ramp(2)]]), true);
  const [block] = tap.port.posted;
  assert.equal(block?.length, 64);
  assert.deepEqual([...(block ?? [])].slice(0, 3), [2.5, 6.5, 10.5]);
  tap.process([[ramp(0), ramp(2)]]);
  tap.port.onmessage({ data: 'end' });
  assert.equal(tap.port.posted[1]?.length, 32, 'what is left of the last block');
  assert.equal(tap.port.posted[2], null);
  assert.equal(tap.process([[ramp(0)]]), false);
});

test('the audio thread keeps two channels apart where it is told to, sample by sample', async () => {
  const PcmTap = await worklet();
  const tap = new PcmTap({ processorOptions: { blockFrames: 4, step: 2, channels: 2 } });
  const left = Float32Array.of(1, 3, 5, 7, 9, 11, 13, 15);
  assert.equal(tap.process([[left, left.map((sample) => -sample)]]), true);
  assert.deepEqual([...(tap.port.posted[0] ?? [])], [2, -2, 6, -6, 10, -10, 14, -14]);
  tap.process([[left]]);
  assert.deepEqual([...(tap.port.posted[1] ?? [])].slice(0, 4), [2, 2, 6, 6], 'one channel is both');
});

test('two channels are interleaved, one is left alone', () => {
  const left = Float32Array.of(1, 2);
  assert.deepEqual([...interleave([left, Float32Array.of(3, 4)])], [1, 3, 2, 4]);
  assert.equal(interleave([left]), left);
});
