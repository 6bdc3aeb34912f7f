"""The i-vector against Kaldi's algorithm written out plainly, on made-up constants and made-up speech: no model, no corpus."""
import struct
import tempfile
import unittest

import numpy as np
import onnxruntime
import torch

import ivector
from frontend import Frontend, MEL_BINS, cepstra
from ivector import COUNT, FRAMES, GAUSSIANS, GLOBAL_FRAMES, IVECTOR, MAX_COUNT, MEAN_FRAMES, SIDE, STATE, Extractor, Parts

LOG_FLOOR = np.log(Frontend().floor.double().numpy())


def kaldi_ivectors(parts, mel, weight=None):
    """OnlineIvectorFeature in float64, exactly solved: mel (n, 40) above the floor -> (n, 30), the i-vector with frames 0...t counted
    (Kaldi has it SIDE frames later). The i-vector is less the prior's offset."""
    cepstrum = (mel.astype(np.float64) + LOG_FLOOR) @ cepstra().T
    frames = len(cepstrum)
    sums, normal = np.cumsum(cepstrum, 0), np.empty_like(cepstrum)
    for t in range(frames):
        total, count = sums[t] - (sums[t - MEAN_FRAMES] if t >= MEAN_FRAMES else 0), min(t + 1, MEAN_FRAMES)
        fill = min(MEAN_FRAMES - count, GLOBAL_FRAMES)
        normal[t] = cepstrum[t] - (total + fill * parts.mean) / (count + fill)
    splice = lambda x: np.concatenate([x[np.clip(np.arange(frames) + i, 0, frames - 1)] for i in range(-SIDE, SIDE + 1)], 1)
    raw, seen = (splice(x) @ parts.lda[:, :-1].T + parts.lda[:, -1] for x in (cepstrum, normal))
    likelihood = parts.constants + seen @ parts.means.T - .5 * seen ** 2 @ parts.inverse.T
    weighed = parts.precision @ parts.loadings
    quadratic, linear, count, found = np.zeros((IVECTOR, IVECTOR)), np.zeros(IVECTOR), 0., []
    offset = np.eye(IVECTOR)[0] * parts.offset
    for t in range(frames):
        best = np.argsort(-likelihood[t])[:ivector.BEST]
        share = np.exp(likelihood[t, best] - likelihood[t].max())
        share *= share > ivector.MIN_SHARE
        share *= share >= ivector.MIN_SHARE * share.sum()
        share *= COUNT * (1 if weight is None else weight[t]) / share.sum()
        for g, portion in zip(best, share):
            linear += portion * raw[t] @ weighed[g]
            quadratic += portion * parts.loadings[g].T @ weighed[g]
        count += share.sum()
        prior = max(count, MAX_COUNT) / MAX_COUNT
        found.append(np.linalg.solve(quadratic + prior * np.eye(IVECTOR), linear + prior * offset) - offset)
    return np.array(found)


def made_up_parts(seed=0):
    """Constants of Kaldi's shapes and roughly its sizes; the Gaussians' means lie where the loadings put them."""
    random = np.random.default_rng(seed)
    inverse = random.uniform(.5, 2, (GAUSSIANS, MEL_BINS))
    means = random.normal(0, .7, (GAUSSIANS, MEL_BINS))
    loadings = random.normal(0, .2, (GAUSSIANS, MEL_BINS, IVECTOR))
    loadings[..., 0] = means / 20
    roots = random.normal(0, .05, (GAUSSIANS, MEL_BINS, MEL_BINS))
    precision = .3 * np.eye(MEL_BINS) + roots @ roots.transpose(0, 2, 1)
    lda = np.concatenate([random.normal(0, .012, (MEL_BINS, 7 * MEL_BINS)), random.normal(0, 1, (MEL_BINS, 1))], 1)
    constants = .5 * (np.log(inverse) - inverse * means ** 2).sum(1)
    return Parts(lda, constants, means * inverse, inverse, loadings, precision, 20., cepstra() @ (LOG_FLOOR + 8))


def made_up_speech(seed, frames):
    """(frames, 40) float32: log-mel that moves like syllables, over a spectrum of its own."""
    random = np.random.default_rng(seed)
    syllables = np.repeat(random.normal(0, 1.5, (frames // 6 + 1, MEL_BINS)), 6, 0)[:frames]
    return np.maximum(8 + random.normal(0, 1, MEL_BINS) + syllables + random.normal(0, .3, (frames, MEL_BINS)), 0).astype(np.float32)


def relative(found, wanted):
    return np.linalg.norm(found - wanted, axis=-1) / np.linalg.norm(wanted, axis=-1)


class IvectorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.parts = made_up_parts()
        cls.exact = Extractor(cls.parts, every=1, iterations=12, gate=None)
        cls.served = Extractor(cls.parts, gate=None)

    def test_answers_as_kaldi_does(self):
        mel = made_up_speech(1, 9 * 40)
        weight = (np.arange(len(mel)) >= 90).astype(np.float32)         # until then the mean differs, by design
        wanted = kaldi_ivectors(self.parts, mel, weight)[FRAMES - SIDE - 1::FRAMES]
        found = self.exact(torch.from_numpy(mel)[None], torch.from_numpy(weight)[None])[0].numpy()
        self.assertLess(relative(found[12:], wanted[12:]).max(), .08)

    def test_follows_the_exact_solution_with_few_gradients(self):
        mel = torch.from_numpy(np.stack([made_up_speech(seed, 9 * 40) for seed in range(3)]))
        exact = Extractor(self.parts, iterations=20, gate=None)(mel).numpy()
        self.assertLess(relative(self.served(mel).numpy(), exact)[:, 10:].max(), .02)

    def test_steps_to_what_forward_says_whoever_else_is_in_the_batch(self):
        mel = torch.from_numpy(np.stack([made_up_speech(seed, 9 * 12) for seed in range(4)]))
        weight = torch.rand(4, 9 * 12, generator=torch.Generator().manual_seed(0))
        together, state = self.served(mel, weight), torch.zeros(1, STATE)
        for i in range(12):
            alone, state = self.served.step(mel[2:3, 9 * i:9 * i + 9], state, weight[2:3, 9 * i:9 * i + 9])
            torch.testing.assert_close(alone[0], together[2, i], atol=1e-4, rtol=0)

    def test_is_zero_before_anything_counts(self):
        mel = torch.from_numpy(made_up_speech(1, 18))[None]
        self.assertEqual(self.served(mel, torch.zeros(1, 18)).abs().max(), 0)
        self.assertGreater(self.served(mel).abs().max(), 0)

    def test_a_frame_counts_by_its_own_weight_once_its_splice_is_full(self):
        mel = made_up_speech(3, 9 * 6)
        weight = np.zeros(len(mel), np.float32)
        weight[6:9] = 1                                                 # the first chunk's last three count with the second
        found = self.exact(torch.from_numpy(mel)[None], torch.from_numpy(weight)[None])[0]
        self.assertEqual(found[0].abs().max(), 0)
        self.assertGreater(found[1].abs().max(), 0)
        state = self.exact.step(torch.from_numpy(mel)[None, :9], torch.zeros(1, STATE), torch.from_numpy(weight)[None, :9])[1]
        self.assertEqual(state[0, -IVECTOR - 1], 0)
        state = self.exact.step(torch.from_numpy(mel)[None, 9:18], state, torch.from_numpy(weight)[None, 9:18])[1]
        self.assertAlmostEqual(float(state[0, -IVECTOR - 1]), 3 * COUNT, 5)

    def test_the_gate_leaves_pauses_out_and_lets_speech_pass(self):
        gated = Extractor(self.parts, gate=ivector.GATE)
        mel = made_up_speech(4, 9 * 30)
        mel[9 * 10:9 * 20] = .5
        weight = np.where((np.arange(len(mel)) // 90) % 2, ivector.SILENT, 1).astype(np.float32)
        mel = torch.from_numpy(mel)[None]
        torch.testing.assert_close(gated(mel), self.served(mel, torch.from_numpy(weight)[None]), atol=2e-3, rtol=0)

    def test_old_statistics_fade_so_that_the_state_stays_bounded(self):
        state = torch.zeros(1, STATE)
        mel = torch.from_numpy(made_up_speech(5, 9))[None]
        for _ in range(600):
            found, state = self.served.step(mel, state)
        self.assertLessEqual(float(state[0, -IVECTOR - 1]), ivector.REMEMBER)
        self.assertTrue(found.isfinite().all())

    def test_reads_kaldis_arrays(self):
        packed = b"DP \4" + struct.pack("<i3d", 2, 1, 2, 3)
        np.testing.assert_array_equal(ivector.read_array(packed, 0)[0], [[1, 2], [2, 3]])
        matrix = b"xFM \4" + struct.pack("<i", 1) + b"\4" + struct.pack("<i2f", 2, 5, 6)
        values, end = ivector.read_array(matrix, 1)
        np.testing.assert_array_equal(values, [[5, 6]])
        self.assertEqual(end, len(matrix))
        with self.assertRaisesRegex(ValueError, "no Kaldi array"):
            ivector.read_array(b"CM \4" + bytes(20), 0)

    def test_exports_to_onnx_and_answers_the_same(self):
        class Step(torch.nn.Module):
            def __init__(self, extractor):
                super().__init__()
                self.extractor = extractor

            def forward(self, mel, state):
                return self.extractor.step(mel, state)

        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/ivector.onnx"
            batch = {0: "batch"}
            torch.onnx.export(Step(Extractor(self.parts, gate=ivector.GATE)), (torch.zeros(2, 9, MEL_BINS), torch.zeros(2, STATE)), path,
                              dynamo=False, opset_version=18, input_names=["mel", "state"], output_names=["ivector", "next"],
                              dynamic_axes={name: batch for name in ("mel", "state", "ivector", "next")})
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        mel = np.stack([made_up_speech(seed, 9 * 8) for seed in range(3)])
        state = np.zeros((3, STATE), np.float32)
        wanted = Extractor(self.parts, gate=ivector.GATE)(torch.from_numpy(mel)).numpy()
        for i in range(8):
            found, state = session.run(None, {"mel": mel[:, 9 * i:9 * i + 9], "state": state})
            np.testing.assert_allclose(found, wanted[:, i], atol=1e-3)


if __name__ == "__main__":
    unittest.main()
