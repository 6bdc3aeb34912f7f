/** NeMo's digits recogniser, composed, against what sherpa-onnx gives for the same files and recordings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { writeModel } from '../../src/import/onnx.js';
import { expected, hear, nemoDigits, openStep, recording, SHERPA_WAITS } from '../helpers/foreign.js';

const CHUNKS = [80, 560] as const;
const greedy = { search: 'greedy' } as const;

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

for (const chunkMs of CHUNKS) {
  const step = openStep(compose(nemoDigits(chunkMs), greedy));
  const wanted = expected(`nemo-${chunkMs}`);

  for (const { f, tokens, frames, logp } of wanted) {
    test(`chunks of ${chunkMs} ms: ${f} gives the tokens, frames and log-probabilities of sherpa-onnx`, async () => {
      const [said = []] = (await hear(await step, [recording(f)], { waits: SHERPA_WAITS })).said;
      assert.deepEqual(said.map((it) => it.token), tokens); // biome-ignore format: short
      assert.deepEqual(said.map((it) => it.frame), frames); // biome-ignore format: short
      const worst = Math.max(...said.map((it, i) => Math.abs(it.logp - (logp[i] ?? Number.NaN))));
      assert.ok(worst < 1e-3, `log-probabilities differ by ${worst}`);
    });
  }

  test(`chunks of ${chunkMs} ms: several symbols are said in one frame`, () => {
    assert.ok(wanted.some(({ frames }) => new Set(frames).size < frames.length));
  });

  for (const size of [2, 16, 64]) {
    test(`chunks of ${chunkMs} ms: a stream is the same to the bit alone and in a batch of ${size}`, async () => {
      const session = await step;
      const width = session.step.stateFloats;
      const cut = (i: number) => recording(`digits-${i % 8}.wav`).subarray(0, 24_000);
      const padSamples = 0;
      const alone = await hear(session, [cut(0)], { padSamples });
      assert.ok((alone.said[0]?.length ?? 0) > 0);
      for (const place of [0, size - 1]) {
        const audios = Array.from({ length: size }, (_, i) => cut(i === place ? 0 : 1 + (i % 7)));
        const among = await hear(session, audios, { padSamples });
        assert.deepEqual(among.said[place], alone.said[0]);
        alone.states.forEach((state, k) => {
          const row = among.states[k]?.subarray(place * width, (place + 1) * width) ?? new Float32Array();
          assert.ok(sameBits(state, row), `step ${k}, place ${place}`);
        });
      }
    });
  }
}

test('a stream alone among silent ones is the same to the bit: the decoder runs for it only', async () => {
  const session = await openStep(compose(nemoDigits(80), greedy));
  const width = session.step.stateFloats;
  const audio = recording('digits-2.wav').subarray(0, 16_000);
  const alone = await hear(session, [audio]);
  const among = await hear(session, [new Float32Array(16_000), audio, new Float32Array(16_000)]);
  assert.ok((alone.said[0]?.length ?? 0) > 0);
  assert.deepEqual(among.said, [[], alone.said[0], []]);
  alone.states.forEach((state, k) => {
    assert.ok(
      sameBits(state, among.states[k]?.subarray(width, 2 * width) ?? new Float32Array()),
      `step ${k}`,
    );
  });
});

test('the step advances by its chunk and sees 97.5 ms more, with ten symbols a frame and the blank behind the others', () => {
  const shapes = CHUNKS.map((chunkMs) => {
    const { kind, chunkSamples, windowSamples, framesPerChunk, symbolsPerFrame, blank, vocabulary } = compose(
      nemoDigits(chunkMs),
      greedy,
    );
    return [kind, chunkSamples, windowSamples, framesPerChunk, symbolsPerFrame, blank, vocabulary];
  });
  assert.deepEqual(shapes, [
    ['nemo-fastconformer', 1_280, 2_840, 1, 10, 15, 16],
    ['nemo-fastconformer', 8_960, 10_520, 7, 10, 15, 16],
  ]);
});

test('a graph composed twice is the same, byte by byte', () => {
  const made = () => writeModel(compose(nemoDigits(80), greedy).model);
  assert.ok(Buffer.from(made()).equals(made()));
});

test('a beam is refused: NeMo’s transducers are searched greedily', () => {
  assert.throws(() => compose(nemoDigits(80), { search: 'beam' }), {
    code: 'MODEL_UNSUPPORTED',
    message: /--search greedy/,
  });
});
