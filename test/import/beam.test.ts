/** Beam search in the graph, against what sherpa-onnx's modified_beam_search gives for the same files and recordings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { digits, expected, hear, openStep, recording, SHERPA_WAITS } from '../helpers/foreign.js';

const opened = openStep(compose(digits(), { search: 'beam' }));
const WANTED = expected('zip2-beam4');

for (const { f, tokens, frames, logp } of WANTED) {
  test(`${f}: four hypotheses say the tokens that sherpa-onnx says, in the same frames`, async () => {
    // sherpa-onnx decides at the recording's end: what was said, and what the best hypothesis holds then.
    const heard = await hear(await opened, [recording(f)], { waits: SHERPA_WAITS });
    const all = [...(heard.said[0] ?? []), ...(heard.previews[0]?.at(-1) ?? [])];
    // Without the last chunk of silence: in digits-5.wav hypotheses with and without one more token there are 3e-6 apart.
    const end = 8 * (heard.states.length - 1);
    const said = all.filter((it) => it.frame < end);
    assert.ok(said.length > 0 && frames.every((it) => it < end));
    assert.deepEqual(said.map((it) => it.token), tokens); // biome-ignore format: short
    assert.deepEqual(said.map((it) => it.frame), frames); // biome-ignore format: short
    const worst = Math.max(...said.map((it, i) => Math.abs(it.logp - (logp[i] ?? Number.NaN))));
    assert.ok(worst < 1e-3, `log-probabilities differ by ${worst}`);
  });
}

for (const size of [2, 16, 64]) {
  test(`beam: a stream is the same to the bit alone and in a batch of ${size}`, async () => {
    const session = await opened;
    const width = session.step.stateFloats;
    const cut = (i: number) => recording(WANTED[i % 8]?.f ?? '').subarray(0, 24_000);
    const alone = await hear(session, [cut(0)]);
    for (const place of [0, size - 1]) {
      const audios = Array.from({ length: size }, (_, i) => cut(i === place ? 0 : 1 + (i % 7)));
      const among = await hear(session, audios);
      assert.deepEqual(among.said[place], alone.said[0]);
      alone.states.forEach((state, k) => {
        assert.deepEqual(among.states[k]?.slice(place * width, (place + 1) * width), state, `step ${k}`);
      });
    }
  });
}

test('a second after the last token everything is said and the preview is empty', async () => {
  const { said, previews } = await hear(await opened, [recording('digits-0.wav')], { padSamples: 32_000 });
  assert.deepEqual(said[0]?.map((it) => it.token), WANTED[0]?.tokens); // biome-ignore format: short
  assert.deepEqual(previews[0]?.at(-1), []);
  assert.ok(previews[0]?.some((it) => it.length > 0));
});

test('what is said was shown before, and is never taken back', async () => {
  const { previews } = await hear(await opened, [recording('digits-4.wav')]);
  const shown = new Set(previews[0]?.flat().map((it) => `${it.token} ${it.frame}`));
  assert.ok(shown.size >= (WANTED[4]?.tokens.length ?? 0));
});
