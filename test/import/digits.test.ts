/** The digits recogniser, composed, against what sherpa-onnx gives for the same files and recordings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { writeModel } from '../../src/import/onnx.js';
import { digits, expected, hear, openStep, recording } from '../helpers/foreign.js';

const made = () => compose(digits(), { search: 'greedy' });
const step = openStep(made());

for (const { f, tokens, frames, logp } of expected('zip2-greedy')) {
  test(`${f} gives the tokens, frames and log-probabilities that sherpa-onnx gives`, async () => {
    const [said = []] = (await hear(await step, [recording(f)])).said;
    assert.deepEqual(
      said.map((it) => it.token),
      tokens,
    );
    assert.deepEqual(
      said.map((it) => it.frame),
      frames,
    );
    said.forEach((it, i) => {
      assert.ok(Math.abs(it.logp - (logp[i] ?? 0)) < 1e-3, `token ${i}: ${it.logp}, sherpa-onnx ${logp[i]}`);
    });
  });
}

test('a graph composed twice is the same, byte by byte', () => {
  assert.ok(Buffer.from(writeModel(made().model)).equals(writeModel(made().model)));
});

test('the step sees 457.5 ms and advances by 320 ms, eight frames', () => {
  const { chunkSamples, windowSamples, framesPerChunk, symbolsPerFrame, blank } = made();
  assert.deepEqual(
    [chunkSamples, windowSamples, framesPerChunk, symbolsPerFrame, blank],
    [5_120, 7_320, 8, 1, 0],
  );
});

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

for (const size of [2, 16, 64]) {
  test(`a stream's state and log-probabilities are the same to the bit alone and in a batch of ${size}`, async () => {
    const session = await step;
    const width = session.step.stateFloats;
    const names = expected('zip2-greedy').map((it) => it.f);
    const audio = recording(names[0] ?? '').subarray(0, 24_000);
    const alone = await hear(session, [audio]);
    for (const place of [0, size - 1]) {
      const audios = Array.from({ length: size }, (_, i) =>
        recording(names[(i + 1) % names.length] ?? '').subarray(0, 24_000),
      );
      audios[place] = audio;
      const among = await hear(session, audios);
      assert.deepEqual(among.said[place], alone.said[0]);
      alone.states.forEach((state, k) => {
        const row = among.states[k]?.subarray(place * width, (place + 1) * width) ?? new Float32Array();
        assert.ok(sameBits(state, row), `step ${k}, place ${place}`);
      });
    }
  });
}
