"""Tests of the training code; needs no data and no pretrained weights. Under two minutes on two CPU cores.

    python -m unittest -v test_training
"""
import itertools
import json
import os
import struct
import tempfile
import unittest

import numpy as np
import torch
import torch.nn.functional as F

import acoustic
import losses
from common import BLANK, CHUNK_SAMPLES, FRAMES_PER_CHUNK, SAMPLE_RATE
from export import write_graph, write_manifest
from graph_text import draw, read
from init import one_ear
from kaldi import batch_norm
from language import SCALE, build, choose, count
from model import BEAM, DELAY, JOINT, LOOKAHEAD_CHUNKS, Language, Model
from streaming import Recogniser

PIECES = 9


def tone_words(seed, words=4):
    """A clip in which token k is a 0.25 s chord of its own, with gaps, never twice in a row -> (wave, tokens)."""
    rng = np.random.default_rng(seed)
    t, parts, tokens = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE, [np.zeros(1600)], []
    for _ in range(words):
        token = int(rng.choice([k for k in range(1, PIECES) if k not in tokens[-1:]]))
        parts += [.2 * (np.sin(2 * np.pi * 220 * token * t) + np.sin(2 * np.pi * 390 * token * t)), np.zeros(rng.integers(1600, 3200))]
        tokens.append(token)
    return np.concatenate(parts).astype(np.float32), tokens


def lattice_loss(logp, targets, frames):
    """-log P over the whole lattice, written the slow way. logp (T, U + 1, V)."""
    alpha = {}
    for t in range(frames):
        for u in range(len(targets) + 1):
            ways = [torch.zeros(())] if t == u == 0 else []
            if t:
                ways.append(alpha[t - 1, u] + logp[t - 1, u, BLANK])
            if u:
                ways.append(alpha[t, u - 1] + logp[t, u - 1, targets[u - 1]])
            alpha[t, u] = torch.logsumexp(torch.stack(ways), 0)
    return -(alpha[frames - 1, len(targets)] + logp[frames - 1, len(targets), BLANK])


@torch.no_grad()
def search_slowly(model, projected):
    """Model.search by dictionary, for one utterance (T, JOINT + pieces) -> tokens said."""
    hypotheses, out = {((BLANK, BLANK), BLANK, 0): (0., ())}, []          # (text, held token, n-gram state) -> score, unsaid tokens
    for frame in projected:
        options = []
        for (text, held, state), (score, unsaid) in hypotheses.items():
            heard = model.join(frame, model.predict(torch.tensor(text[-1]), torch.tensor(text[-2]))).log_softmax(-1)
            for token in range(model.pieces):
                said = token not in (BLANK, held)
                bonus = float(model.language.scores[state, token] * model.language.scale + model.language.bonus[token]) if said else 0.
                key = (text + (token,) if said else text, token, int(model.language.following[state, token]) if said else state)
                options.append((score + float(heard[token]) + bonus, key, unsaid + (token if said else BLANK,)))
        merged = {}
        for score, key, unsaid in sorted(options, key=lambda option: -option[0])[:2 * BEAM]:
            if key in merged:
                merged[key] = (float(np.logaddexp(merged[key][0], score)), merged[key][1])
            else:
                merged[key] = (score, unsaid)
        best = sorted(merged.items(), key=lambda item: -item[1][0])[:BEAM]
        agreed = best[0][1][1][0] if len(best[0][1][1]) > DELAY else None
        hypotheses = {key: (score, unsaid[1:] if agreed is not None else unsaid) for key, (score, unsaid) in best if agreed is None or unsaid[0] == agreed}
        if agreed:
            out.append(agreed)
    return out


class Losses(unittest.TestCase):
    def test_band_loss_equals_the_full_lattice_when_the_band_covers_it(self):
        torch.manual_seed(0)
        model = Model(PIECES)
        torch.nn.init.normal_(model.joiner_out.weight)
        encoded = torch.randn(2, 5, 384, requires_grad=True)
        targets, lengths, frames = torch.tensor([[3, 3, 5], [1, 2, 0]]), torch.tensor([3, 2]), torch.tensor([5, 4])
        first = torch.tensor([[1, 2, 3], [0, 1, 5]])
        loss = losses.transducer_loss(model, encoded, frames, targets, lengths, first, fast_emit=0.)
        history = torch.cat([targets.new_zeros(2, 2), targets], 1)
        predicted = model.predict(history[:, 1:], history[:, :-1])
        logp = model.join(model.project(encoded)[:, :, None], predicted[:, None]).log_softmax(-1)
        slow = torch.stack([lattice_loss(logp[b], targets[b, :lengths[b]].tolist(), int(frames[b])) for b in range(2)])
        torch.testing.assert_close(loss, slow)
        gradient, = torch.autograd.grad(loss.sum(), encoded, retain_graph=True)
        expected, = torch.autograd.grad(slow.sum(), encoded)
        torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-3)

    def test_a_penalty_on_delay_is_what_the_paths_say_and_so_is_its_gradient(self):
        torch.manual_seed(3)
        frames, target, early = 5, [2, 1], .3
        logits = torch.randn(1, 7, 4, requires_grad=True)
        logp = logits.log_softmax(-1)
        found = losses.ctc_loss(logp, torch.tensor([frames]), torch.tensor([target]), torch.tensor([2]), early)
        paths = []
        for path in itertools.product(range(4), repeat=frames):
            if [k for k, _ in itertools.groupby(path) if k != BLANK] == target:
                paths.append(sum(logp[0, t, k] + (early * ((frames - 1) / 2 - t) if k != BLANK else 0) for t, k in enumerate(path)))
        expected = -torch.logsumexp(torch.stack(paths), 0)
        torch.testing.assert_close(found[0], expected)
        mine, = torch.autograd.grad(found.sum(), logits, retain_graph=True)
        theirs, = torch.autograd.grad(expected, logits)
        torch.testing.assert_close(mine, theirs)

    def test_alignment_finds_the_frames_of_a_peaked_posterior(self):
        path = [0, 3, 3, 0, 3, 5, 0, 0]
        logp = torch.full((1, 8, PIECES), -9.)
        logp[0, torch.arange(8), torch.tensor(path)] = 0
        first = losses.ctc_align(logp, torch.tensor([8]), torch.tensor([[3, 3, 5]]), torch.tensor([3]))
        self.assertEqual(first.tolist(), [[1, 4, 5]])


class Streaming(unittest.TestCase):
    def test_steps_give_what_the_whole_utterance_gives(self):
        torch.manual_seed(0)
        model, chunks = Model(40).eval(), 40
        with torch.no_grad():
            for block in model.blocks:
                block.bias.normal_()
            model.join_ear.weight.normal_(std=.05)
            wave = torch.randn(2, CHUNK_SAMPLES * chunks) * .1
            encoded = model.encode(wave)
            state, speech = model.empty_state(2), []
            for part in wave.split(CHUNK_SAMPLES, 1):
                _, _, vad, *state = model.step(part, *state)
                speech.append(vad)
            torch.testing.assert_close(torch.cat(speech, 1)[:, 2:], torch.sigmoid(model.vad(encoded))[:, :-2, 0], atol=1e-5, rtol=1e-4)

    def test_the_batched_search_finds_what_the_plain_one_finds(self):
        torch.manual_seed(0)
        model, rng, steps = Model(40).eval(), np.random.default_rng(0), 60
        scores, following = build([rng.integers(1, 40, 12).tolist() for _ in range(30)], 40, 200)
        model.language = Language(40, torch.from_numpy(scores), torch.from_numpy(following), weight=.3, bonus=2.)
        with torch.no_grad():
            model.joiner_out.weight.normal_(std=.2)
            projected = torch.randn(2, steps * FRAMES_PER_CHUNK, JOINT + 40) * 2
            projected[..., JOINT] += 4                                                     # mostly blank, as speech is
            _, _, last = model.empty_state(2)
            beam, tokens = torch.zeros(2, BEAM * (1 + DELAY)), [[], []]
            for step, part in enumerate(projected.split(FRAMES_PER_CHUNK, 1)):
                found, _, beam, last = model.search(part, beam, last, torch.full((2, 1), float(step + LOOKAHEAD_CHUNKS)) if step else torch.full((2, 1), 0.))
                for b in range(2):
                    tokens[b] += [int(t) for t in found[b] if t >= 0]
            whole = [search_slowly(model, frames[FRAMES_PER_CHUNK:]) for frames in projected]
        self.assertGreater(len(tokens[0]), 20)
        self.assertEqual(tokens, whole)

    def test_a_hotword_is_heard_where_it_fits_and_only_in_the_stream_that_asked_for_it(self):
        model, edges = Model(10).eval(), torch.zeros(4, 6, 5, dtype=torch.int32)
        edges[1, 0] = torch.tensor([0, 3, 1, 2500, 2500])                                 # the phrase 3 4
        edges[1, 1] = torch.tensor([1, 4, 0, 2500, 0])
        edges[2, 0] = torch.tensor([0, 3, 1, 2500, 2500])                                 # the phrase 3 6, which is not said
        edges[2, 1] = torch.tensor([1, 6, 0, 2500, 0])
        edges[3, 0] = torch.tensor([0, 3, 1, 2500, 0])                                    # the phrases 3 and 3 6
        edges[3, 1] = torch.tensor([1, 6, 0, 2500, 0])
        frames = torch.zeros(14, 10)
        frames[:, BLANK] = 6
        frames[2, [BLANK, 2, 3]] = torch.tensor([0., 8, 6])                               # 2 rather than 3
        frames[4, [BLANK, 4, 5]] = torch.tensor([0., 6, 8])                               # 5 rather than 4
        projected = torch.cat([torch.zeros(14, JOINT), frames], -1).expand(4, -1, -1)
        beam, tokens = torch.zeros(4, BEAM * (1 + DELAY)), [[], [], [], []]
        last = model.empty_state(4)[2]
        with torch.no_grad():
            for step, part in enumerate(projected.split(FRAMES_PER_CHUNK, 1)):
                found, _, beam, last = model.search(part, beam, last, torch.full((4, 1), float(step)), edges)
                for b in range(4):
                    tokens[b] += [int(t) for t in found[b] if t >= 0]
        self.assertEqual(tokens, [[2, 5], [3, 4], [2, 5], [3, 5]])

    def test_the_n_gram_prefers_what_it_has_read_and_knows_its_next_state(self):
        scores, following = build([[1, 2, 3], [1, 2, 4], [1, 2, 3]], 6, 100)
        after = following[following[0, 1], 2]
        self.assertEqual(scores[after].argsort()[-3:][::-1].tolist()[1:], [3, 4])          # first stands BLANK, which costs nothing
        self.assertLess(scores[after, 5], scores[after, 4])
        total = np.exp(scores[after, 1:] * SCALE).sum()
        self.assertAlmostEqual(float(total), 1, delta=.1)

    def test_more_text_counts_what_it_is_told_to(self):
        follow = count([[1, 3]], follow=count([[1, 2]] * 4, .25))
        self.assertEqual(dict(follow[1][1,]), {2: 1., 3: 1})

    def test_a_small_n_gram_keeps_the_contexts_that_say_something_and_can_reach_them(self):
        rng = np.random.default_rng(6)
        noise = [[int(t) for t in rng.integers(1, PIECES, 12)] for _ in range(200)]
        telling = [[1, 2, 3, 4]] * 20                       # after 1 2 3 always 4: rare beside the noise, and worth a state
        follow = count(noise + telling)
        kept = choose(follow, PIECES, 60)
        self.assertEqual(len(kept), 60)
        self.assertIn((1, 2, 3), kept)
        for context in kept:
            self.assertTrue(not context or {context[1:], context[:-1]} <= set(kept), context)
        scores, following = build(noise + telling, PIECES, 60)
        state = 0
        for token in (5, 1, 2, 3):
            state = following[state, token]
        self.assertEqual(int(scores[state, 1:].argmax()) + 1, 4)
        totals = np.exp(scores[:, 1:] * SCALE).sum(1)
        self.assertTrue(np.all(np.abs(totals - 1) < .05), totals)


def random_parts(rng):
    """An nnet3 model of Vosk's shapes with random numbers in it."""
    def norm(size):
        return dict(Epsilon=struct.pack("<f", .001), TargetRms=struct.pack("<f", 1.), StatsMean=rng.normal(0, .3, size), StatsVar=rng.uniform(.5, 2, size))

    def affine(outputs, inputs):
        return dict(LinearParams=rng.normal(0, inputs ** -.5, (outputs, inputs)), BiasParams=rng.normal(0, .3, outputs))

    parts = {"delta": norm(120), "tdnn1.affine": affine(640, 150), "tdnn1.batchnorm": norm(640)}
    for number, ahead in enumerate(acoustic.VOSK_AHEAD, 2):
        parts[f"tdnnf{number}.linear"] = affine(96, 640 * (1 + (number != 5)))
        parts[f"tdnnf{number}.affine"] = affine(640, 96 * (1 + ahead))
        parts[f"tdnnf{number}.batchnorm"] = norm(640)
    parts["prefinal-l"], parts["prefinal-chain.affine"] = dict(Params=rng.normal(0, .04, (192, 640))), affine(640, 192)
    parts["prefinal-chain.linear"] = dict(Params=rng.normal(0, .04, (192, 640)))
    parts["prefinal-chain.batchnorm1"], parts["prefinal-chain.batchnorm2"] = norm(640), norm(192)
    return parts


def as_kaldi_does(parts, mel):
    """The network of random_parts as Kaldi computes it, at every frame: natural log-mel (T, 40) -> (T, 192)."""
    def at(x, offset):
        return x[np.clip(np.arange(len(x)) + offset, 0, len(x) - 1)]

    def norm(x, name):
        scale, offset = batch_norm(parts[name])
        return x * scale + offset

    def affine(x, name):
        return x @ parts[name]["LinearParams"].T + parts[name]["BiasParams"]

    x = mel @ acoustic.cepstra().T
    x = norm(np.concatenate([x, at(x, 1) - at(x, -1), at(x, -2) + at(x, 2) - 2 * x], 1), "delta")
    x = norm(np.maximum(affine(np.concatenate([x, np.zeros((len(x), 30))], 1), "tdnn1.affine"), 0), "tdnn1.batchnorm")
    for number, ahead in enumerate(acoustic.VOSK_AHEAD, 2):
        stride = 1 if number < 5 else 3
        heard = x if number == 5 else np.concatenate([at(x, -stride), x], 1)
        waist = heard @ parts[f"tdnnf{number}.linear"]["LinearParams"].T
        waist = np.concatenate([waist, at(waist, stride)], 1) if ahead else waist
        x = .75 * x + norm(np.maximum(affine(waist, f"tdnnf{number}.affine"), 0), f"tdnnf{number}.batchnorm")
    x = norm(np.maximum(affine(x @ parts["prefinal-l"]["Params"].T, "prefinal-chain.affine"), 0), "prefinal-chain.batchnorm1")
    return norm(x @ parts["prefinal-chain.linear"]["Params"].T, "prefinal-chain.batchnorm2")


class Preparing(unittest.TestCase):
    def test_the_folded_network_computes_what_kaldi_computes(self):
        parts = random_parts(np.random.default_rng(3))
        model = acoustic.convert(parts, acoustic.VOSK_AHEAD)
        mel = torch.rand(1, 270, 40, generator=torch.Generator().manual_seed(1)) * 6
        with torch.no_grad():
            found, _ = model.layered(F.pad(mel, (0, 0, acoustic.CONTEXT, 0)), [mel.new_zeros(1, size) for size in model.state_sizes()])
        expected = as_kaldi_does(parts, (mel[0] + model.frontend.floor.log()).double().numpy())[::3]
        late = 4                                              # frames; the ends differ, where Kaldi repeats its first and last frame
        np.testing.assert_allclose(found[0, 30:-10], expected[30 - late:-10 - late], atol=1e-3)

    def test_an_earlier_models_upper_blocks_are_taken_over_and_the_lowest_says_nothing_yet(self):
        rng, mine = np.random.default_rng(0), Model(40).state_dict()
        earlier = {"frontend.conv1.bias": torch.zeros(384), "merge.bias": torch.zeros(384)}
        for name, value in mine.items():
            if not name.startswith(("ear.", "join_ear.", "blocks.")):
                earlier[name] = torch.from_numpy(rng.normal(size=value.shape)).float()
        for name, value in mine.items():
            if name.startswith("blocks.0."):
                for number in range(4):
                    earlier[f"blocks.{number}{name[8:]}"] = torch.from_numpy(rng.normal(size=value.shape)).float()
        ear = acoustic.convert(random_parts(rng))
        model = Model(40)
        model.load_state_dict(one_ear(earlier, ear.state_dict()))
        x = torch.randn(1, 8, 384)
        with torch.no_grad():
            torch.testing.assert_close(model.blocks[0](x), x)
        torch.testing.assert_close(model.blocks[2].up.weight, earlier["blocks.3.up.weight"])
        torch.testing.assert_close(model.ctc.weight, earlier["ctc.weight"])
        torch.testing.assert_close(model.ear.first.weight, ear.first.weight)
        torch.testing.assert_close(model.blocks[0].bias[:, 2:], earlier["blocks.1.bias"][:, :-2])
        with self.assertRaises(SystemExit):
            one_ear({name: value for name, value in earlier.items() if not name.startswith("blocks.3.")}, ear.state_dict())

    def test_sentences_are_drawn_as_the_n_gram_weighs_them(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "gr.txt")
            with open(path, "w") as file:                     # after the start: a 3/4, else back off to b; then the end
                file.write(f"1 2 a a {-np.log(.75)}\n1 0 <eps> <eps> 0\n0 2 b b 0\n2 0\n")
            graph, start = read(path)
        rng = np.random.default_rng(0)
        drawn = [draw(graph, start, rng) for _ in range(400)]
        self.assertEqual({tuple(sentence) for sentence in drawn}, {("a",), ("b",)})
        self.assertAlmostEqual(drawn.count(["a"]) / 400, .75, delta=.06)


class Overfit(unittest.TestCase):
    def test_learns_four_clips_by_heart_and_the_exported_graph_recites_them_in_any_batch(self):
        torch.manual_seed(2)
        torch.set_num_threads(2)
        clips = [tone_words(seed) for seed in range(4)]
        longest = -(-(max(len(wave) for wave, _ in clips) + 6400) // CHUNK_SAMPLES) * CHUNK_SAMPLES
        wave = torch.stack([F.pad(torch.from_numpy(w), (0, longest - len(w))) for w, _ in clips])
        targets, lengths = torch.tensor([tokens for _, tokens in clips]), torch.full((4,), 4)
        frames = torch.tensor([(len(w) + 6400) // CHUNK_SAMPLES * 2 - DELAY for w, _ in clips])     # no token said later than the flush
        model = Model(PIECES)
        optimiser = torch.optim.AdamW(model.parameters(), 7e-4)
        for step in range(190):
            encoded = model.encode(wave)
            logp = model.ctc(encoded).log_softmax(-1)
            loss = F.ctc_loss(logp.transpose(0, 1), targets, frames, lengths, BLANK, "sum") / targets.numel()
            if step >= 50:
                first = losses.ctc_align(logp.detach(), frames, targets, lengths)
                loss = loss + losses.transducer_loss(model, encoded, frames, targets, lengths, first).sum() / targets.numel()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
            optimiser.step()
        self.assertLess(float(loss.detach()), .3)
        with tempfile.TemporaryDirectory() as folder:
            write_graph(model.eval(), os.path.join(folder, "model.onnx"))
            with open(os.path.join(folder, "tokens.txt"), "w") as file:
                file.writelines(f"\u2581w{i} {i}\n" for i in range(PIECES))
            write_manifest(folder, {})
            self.assertTrue(json.load(open(os.path.join(folder, "manifest.json")))["files"])
            graph = Recogniser(folder)
            for batch in (1, 3):
                found = [result.tokens for result in graph.transcribe([w for w, _ in clips], batch)]
                self.assertEqual(found, [tokens for _, tokens in clips])


if __name__ == "__main__":
    unittest.main()
