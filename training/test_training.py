"""Tests of the training code; needs no data and no pretrained weights. Under two minutes on two CPU cores.

    python -m unittest -v test_training test_ivector
"""
import itertools
import json
import math
import os
import struct
import tempfile
import types
import unittest
from collections import defaultdict
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

import acoustic
import hotwords
import language
import lexicon
import losses
import search
import sweep
import words
from acoustic import OUTPUTS
from common import CHUNK_SAMPLES, CHUNK_SLOTS, SAMPLE_RATE, SLOT_MS
from export import write_graph, write_manifest
from frontend import cepstra
from ivector import IVECTOR, Extractor
from kaldi import batch_norm
from lexicon import IN_WORD, LABELS, Lexicon, PHONES, SILENCE, in_places
from model import LOOKAHEAD_CHUNKS, Model, read_weights
from search import STEP
from streaming import Recogniser
from test_ivector import made_up_parts

TONES = 8
FLUSH_SAMPLES = 14400                # as the manifest says


def tone_words(seed, words=3):
    """A clip in which label k is a 0.25 s chord of its own, with gaps, never twice in a row -> (wave, labels)."""
    rng = np.random.default_rng(seed)
    t, parts, tokens = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE, [np.zeros(1600)], []
    for _ in range(words):
        token = int(rng.choice([k for k in range(1, TONES + 1) if k not in tokens[-1:]]))
        parts += [.2 * (np.sin(2 * np.pi * 220 * token * t) + np.sin(2 * np.pi * 390 * token * t)), np.zeros(rng.integers(1600, 3200))]
        tokens.append(token)
    return np.concatenate(parts).astype(np.float32), tokens


def lexicon_of(said):
    """{word: [tuples of labels]} as words.build takes it."""
    return types.SimpleNamespace(said=said)


def automaton_of(rng, vocabulary):
    """A random back-off trigram: arcs {state: [(word, next, cost)]}, back {state: (shorter, cost)}, start. Some words have a state of
    their own, some pairs too; costs are whole STEPs, so that tables hold them exactly."""
    cost = lambda low, high: float(rng.integers(low, high)) * STEP
    followed, pairs = vocabulary[:6], [(vocabulary[i], vocabulary[j]) for i, j in ((0, 1), (1, 0), (2, 7), (3, 3))]
    after = lambda word: word if word in followed else "any"
    arcs, back = {"any": [(word, after(word), cost(20, 60)) for word in vocabulary]}, {}
    for state in ("start", *followed):
        chosen = [word for word in vocabulary if rng.random() < .4 or (state, word) in pairs]
        arcs[state] = [(word, (state, word) if (state, word) in pairs else after(word), cost(3, 40)) for word in chosen]
        back[state] = ("any", cost(3, 20))
    for pair in pairs:
        arcs[pair] = [(word, after(word), cost(1, 30)) for word in vocabulary if rng.random() < .3]
        back[pair] = (after(pair[1]), cost(3, 20))
    return arcs, back, "start"


def back_off(automaton, state, word):
    """-> cost of the word after the state, the state that follows."""
    arcs, back, _ = automaton
    paid = 0.
    while True:
        for other, follows, cost in arcs.get(state, ()):
            if other == word:
                return paid + cost, follows
        state, cost = back[state]
        paid += cost


# Places of Plain's hypotheses are labels since the last word's end, none between words.
NOWHERE, PAUSED = (), (SILENCE,)


class Plain:
    """The search of one stream with dictionaries, nothing pruned, in double precision: what search.py does for a batch in tables."""

    def __init__(self, said, automaton, weights, onset, hold, phrases=None):
        self.automaton, self.weights, self.onset, self.hold = automaton, weights, onset, hold
        self.trie, self.gain = phrases or {}, 0
        unigram = {word: cost for word, _, cost in automaton[0]["any"]}
        self.ahead, self.children, self.ends = {NOWHERE: 0., PAUSED: 0.}, defaultdict(set), defaultdict(list)
        for word, labels in ((word, labels) for word, ways in said.items() for labels in ways):
            for i in range(1, 1 + len(labels)):
                self.ahead[labels[:i]] = min(self.ahead.get(labels[:i], math.inf), unigram[word])
                self.children[labels[:i - 1]].add(labels[i - 1])
            self.ends[labels].append(word)
        # a hypothesis: place, history, node of the hotwords' trie, what is owed there, score, label before, label, since when, where its word began, unsaid words
        self.beam, self.said, self.most = [(NOWHERE, automaton[2], 0, 0., 0., SILENCE, SILENCE, 0, 0, ())], [], 0

    def follow(self, node, owed, word):
        """-> nats that the word changes, node that follows, what is owed there. trie {(node, word): (target, gain, debt)}."""
        onward, afresh = self.trie.get((node, word)), self.trie.get((0, word))
        if onward and (not afresh or onward[1] >= afresh[1] - owed):
            return onward[1], onward[0], onward[2]
        return (afresh[1] - owed, afresh[0], afresh[2]) if afresh else (-owed, 0, 0.)

    def ended(self, now):
        """The beam, its hypotheses at a word's last label replaced by those that have ended it."""
        for place, history, node, owed, score, before, last, since, begun, queue in self.beam:
            if place not in self.ends:
                yield place, history, node, owed, score, before, last, since, begun, queue
            elif len(queue) < search.QUEUE:
                for word in self.ends[place]:
                    cost, follows = back_off(self.automaton, history, word)
                    gain, target, debt = self.follow(node, owed, word)
                    yield (NOWHERE, follows, target, debt, score + self.weights.trigram * (self.ahead[place] - cost) + gain, before, last, since, begun,
                           queue + ((word, begun, since),))

    def options(self, now, heard, likely):
        for place, history, node, owed, score, before, last, since, begun, queue in self.ended(now):
            yield place, history, node, owed, score + heard[self.hold[before][last]], before, last, since, begun, queue
            at = NOWHERE if place == PAUSED else place
            if place == NOWHERE and SILENCE in likely:
                yield PAUSED, history, node, owed, score + heard[self.onset[last][SILENCE]], last, SILENCE, now, begun, queue
            for label in self.children[at]:
                if 1 + (label - 1) // len(IN_WORD) in likely:
                    longer = (*at, label)
                    gained = (0 if at else self.weights.word) + self.weights.trigram * (self.ahead[at] - self.ahead[longer])
                    yield longer, history, node, owed, score + gained + heard[self.onset[last][label]], last, label, now, begun if at else now, queue

    def advance(self, now, heard, likely):
        kept = {}
        for option in self.options(now, heard, likely):
            key, score = option[:3], option[4]
            if key not in kept or score > kept[key][4]:
                kept[key] = option
        # a pause forgets the history
        self.beam = [(place, self.automaton[2] if place == PAUSED and now - rest[-3] == search.PAUSE else history, *rest)
                     for place, history, *rest in kept.values()]
        self.most = max(self.most, len(self.beam))

    def say(self, now):
        scores = np.array([option[4] for option in self.beam])
        place, *_, since, _, queue = self.beam[int(scores.argmax())]
        if not queue:
            return
        agrees = np.array([bool(option[-1]) and option[-1][0][0] == queue[0][0] for option in self.beam])
        sure = np.logaddexp.reduce(scores[agrees]) - np.logaddexp.reduce(scores) > math.log(search.SURE)
        word, begun, ended = queue[0]
        settled = place == PAUSED and now - since >= search.SETTLED
        if now - ended >= (search.SURE_DELAY if sure else search.DELAY) or settled or len(queue) >= search.QUEUE - 1:
            self.said.append((word, now, begun, ended))
            self.beam = [(*option[:-1], option[-1][1:]) for option, same in zip(self.beam, agrees) if same]

    def run(self, heard, likely):
        """heard (slots, outputs), likely (slots, some phones from 1 and silence, 0) -> [(word, slot of saying it, of its first label, of its last)]."""
        for now, row in enumerate(heard.double().tolist()):
            self.advance(now, row, set(likely[now].tolist()))
            if now % CHUNK_SLOTS == CHUNK_SLOTS - 1:
                self.say(now)
        return self.said


def one_output_each():
    """onset, hold (LABELS, LABELS): a label has an output of its own where it begins and one while it lasts, whatever is before."""
    label = np.arange(LABELS, dtype=np.int16)[None].repeat(LABELS, 0)
    return 2 * label, 2 * label + 1


def spelled(ways):
    """{word: [tuples of numbers of phones]} -> {word: [labels]}."""
    return {word: [in_places(phones) for phones in said] for word, said in ways.items()}


def searching(said, automaton, **weighed):
    """A model that searches with these words -> it, the words by number."""
    tables, vocabulary = words.build(lexicon_of(said), *automaton)
    tables.update(words.outputs(*one_output_each()))
    model = Model().eval()
    model.words = search.Words(tables, search.Weights(**{"trigram": 1., "word": 0., **weighed}))
    return model, vocabulary


def equally_likely(vocabulary, remembered=True):
    """An automaton in which every word costs the same everywhere, and is a history of its own where they are remembered."""
    every = [(word, word if remembered else "any", 2.) for word in vocabulary]
    return {"start": every[:1], "any": every}, {state: ("any", 0.) for state in ("start", *(vocabulary if remembered else ()))}, "start"


@torch.no_grad()
def listen(model, heard, *edges):
    """heard {slot: {label: value where it begins, or -label: while it lasts}}, silence elsewhere: one hypothetical ear for a batch of streams with hotwords of
    their own -> for each step what Model.search says: words (B,) and their times, the preview."""
    slots = 4 * search.SETTLED
    outputs = torch.zeros(slots, OUTPUTS)
    outputs[:, :2] = 12                 # silence begins or lasts
    for slot, loud in heard.items():
        outputs[slot] = 0
        for label, value in loud.items():
            outputs[slot, 2 * abs(label) + (label < 0)] = value
    outputs = outputs.expand(max(1, len(edges)), -1, -1)
    small, last = model.empty_state(len(outputs))
    beam, out = small[:, -search.BEAM:], []
    for step, part in enumerate(outputs.split(CHUNK_SLOTS, 1)):
        found, logps, times, preview, _, beam, last = model.search(part, beam, last, torch.full((len(outputs), 1), float(step)), torch.stack(edges) if edges else None)
        out.append((found[:, -1].tolist(), times[:, -1].tolist(), preview.tolist()))
    return out


def toy_chain(rng, phones=2, outputs=12):
    """Random outputs for each pair of labels, some without any, and a random bigram -> onset, hold, chances."""
    size = 1 + len(IN_WORD) * phones
    onset, hold = rng.integers(0, outputs, (2, size, size))
    possible = rng.random((size, size)) < .8
    possible[:, SILENCE] = possible[SILENCE] = True
    texts = [[1, 2, 4], [5, 7, 6, 8], [1, 7, 2]]
    return onset, hold, losses.chances(texts, possible)


def every_way(onset, hold, chances, outputs):
    """Outputs (T, O) of one clip -> each way through it: its labels without silence, its score; written the slow way."""
    def go(t, before, label, said, score):
        if t == len(outputs):
            if label == SILENCE or losses.place_of(label) in lexicon.WORD_ENDS:
                yield said, score + (0 if label == SILENCE else math.log(1 - losses.SILENCE_ODDS))
            return
        yield from go(t + 1, before, label, said, score + outputs[t, hold[before, label]])
        for following in np.nonzero(chances[label])[0].tolist():
            longer = said + (following,) * (following != SILENCE)
            yield from go(t + 1, label, following, longer, score + outputs[t, onset[label, following]] + math.log(chances[label, following]))

    return list(go(0, SILENCE, SILENCE, (), torch.zeros((), dtype=torch.float64)))


class Losses(unittest.TestCase):
    def test_mmi_is_the_share_of_the_texts_alignments_among_all_ways_and_so_is_its_gradient(self):
        rng = np.random.default_rng(0)
        onset, hold, chances = toy_chain(rng)
        mmi, texts, slots = losses.MMI(onset, hold, chances, 12), [(1, 2, 4), (8,), (5, 2)], torch.tensor([4, 5, 3])
        outputs = torch.from_numpy(rng.normal(0, 3, (3, 5, 12))).requires_grad_()
        labels = torch.tensor([text + (0,) * (3 - len(text)) for text in texts])
        found = mmi(outputs, slots, labels, torch.tensor([len(text) for text in texts]))
        for b, text in enumerate(texts):
            ways = every_way(onset, hold, chances, outputs[b, :slots[b]])
            mine = [score for said, score in ways if said == text]
            self.assertGreater(len(mine), 0)
            expected = torch.logsumexp(torch.stack([score for _, score in ways]), 0) - torch.logsumexp(torch.stack(mine), 0)
            self.assertAlmostEqual(float(found[b].detach()), float(expected.detach()), 5)
            gradient, = torch.autograd.grad(found[b], outputs, retain_graph=True)
            wanted, = torch.autograd.grad(expected, outputs)
            torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=1e-5)
            self.assertEqual(float(gradient[b, slots[b]:].abs().sum()), 0)

    def test_mmi_stays_exact_over_long_clips_and_loud_outputs(self):
        rng = np.random.default_rng(1)
        onset, hold, chances = toy_chain(rng, phones=3, outputs=20)
        outputs = torch.from_numpy(rng.normal(0, 8, (2, 400, 20)))
        labels, lengths, slots = torch.tensor([[1, 2, 4, 5, 7, 6], [8, 12, 0, 0, 0, 0]]), torch.tensor([6, 2]), torch.tensor([400, 390])
        exact = outputs.clone().requires_grad_()
        expected = losses.MMI(onset, hold, chances, 20)(exact, slots, labels, lengths)
        single = outputs.float().requires_grad_()
        found = losses.MMI(onset, hold, chances, 20)(single, slots, labels, lengths)
        torch.testing.assert_close(found, expected.float(), atol=.05, rtol=1e-5)
        found.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(single.grad, exact.grad.float(), atol=5e-3, rtol=0)
        moved = (outputs + 100 * torch.randn(2, 400, 1)).requires_grad_()            # as loud as each other: nothing changes
        torch.testing.assert_close(losses.MMI(onset, hold, chances, 20)(moved, slots, labels, lengths), expected.detach(), atol=1e-6, rtol=1e-6)

    def test_a_text_that_does_not_fit_or_has_no_outputs_teaches_nothing(self):
        rng = np.random.default_rng(2)
        onset, hold, chances = toy_chain(rng)
        chances[1, 2] = 0
        outputs = torch.randn(3, 4, 12, requires_grad=True)
        found = losses.MMI(onset, hold, chances, 12)(outputs, torch.tensor([4, 4, 2]), torch.tensor([[1, 2, 0], [4, 0, 0], [4, 4, 4]]), torch.tensor([2, 1, 3]))
        found.sum().backward()
        self.assertEqual([bool(value > 0) for value in found], [False, True, False])
        self.assertEqual([bool(grad.abs().sum() > 0) for grad in outputs.grad], [False, True, False])

    def test_a_label_is_as_likely_after_another_as_in_the_texts(self):
        begin, end, _, alone = range(1, 5)
        possible = np.ones((9, 9), bool)
        possible[begin, 6] = False
        found = losses.chances([[begin, end, alone], [begin, end, begin, end], [alone]], possible)
        self.assertTrue(np.allclose(found.sum(1), 1))
        more = losses.SMOOTHING
        self.assertAlmostEqual(found[end, alone], .5 * (1 + more) / (2 + 4 * more))            # of two begins and two that stand alone
        self.assertAlmostEqual(found[end, SILENCE], .5)
        self.assertAlmostEqual(found[SILENCE, begin], (3 + more) / (5 + 4 * more))
        self.assertAlmostEqual(found[begin, end], (3 + more) / (3 + 3 * more))
        self.assertEqual([found[pair] for pair in ((begin, 6), (begin, begin), (begin, SILENCE), (end, 3), (SILENCE, SILENCE), (SILENCE, end))], [0] * 6)

    def test_it_says_when_each_label_of_the_text_sounds(self):
        onset, hold = np.zeros((2, 9, 9), np.int64)
        onset[:], hold[:] = 2 * np.arange(9), 2 * np.arange(9) + 1
        chances = losses.chances([], np.ones((9, 9), bool))
        outputs = torch.full((1, 8, 18), -9.)
        outputs[0, torch.arange(8), torch.tensor([1, 2, 3, 4, 0, 1, 8, 1])] = 0         # silence, 1, 1, 2, silence, silence, 4, then 4 rather goes on
        _, _, states = losses.MMI(onset, hold, chances, 18).text_alone(outputs, torch.tensor([7]), torch.tensor([[1, 2, 4]]), torch.tensor([3]))
        best = [divmod(int(state), 4) for state in states[0, :7].flatten(1).argmax(1)]
        self.assertEqual(best, [(2, 0), (1, 0), (1, 0), (0, 1), (2, 2), (2, 2), (1, 2)])


class Streaming(unittest.TestCase):
    def test_steps_give_what_the_whole_utterance_gives(self):
        torch.manual_seed(0)
        model, chunks = searching(SAID, equally_likely(list(SAID)))[0], 40
        with torch.no_grad():
            model.ear.extractor.fold(made_up_parts())
            for layer in model.ear.layers:
                layer.wide.bias.normal_(std=.3)
            model.ear.speech.weight.normal_(std=.1)
            wave = torch.randn(2, CHUNK_SAMPLES * chunks) * .1 * torch.rand(2, chunks, 1).repeat_interleave(CHUNK_SAMPLES, 1)[..., 0]
            encoded = model.encode(wave)
            state, speech, outputs, late = model.empty_state(2), [], [], LOOKAHEAD_CHUNKS * CHUNK_SLOTS
            for part in wave.split(CHUNK_SAMPLES, 1):
                with mock.patch.object(model, "search", side_effect=lambda found, beam, last, age, hotwords: (*[None] * 5, beam, last)) as spy:
                    *_, vad, small, last = model.step(part, *state)
                state = small, last
                speech.append(vad)
                outputs.append(spy.call_args[0][0])
            self.assertGreater(float(encoded.std()), .01)
            self.assertGreater(float(model.ear.extractor(model.ear.frontend(F.pad(wave, (acoustic.TAIL, 0))))[:, -1].abs().max()), .1, "a speaker is heard")
            torch.testing.assert_close(torch.cat(outputs, 1)[:, late:], encoded[:, :-late], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(torch.cat(speech, 1)[:, late:], model.speech(model.hear(wave))[:, :-late], atol=1e-4, rtol=1e-4)


# Shared beginnings, homophones, a word inside another, one said in two ways, a phone twice running, words of one phone.
SAID = spelled({"a": [(1,)], "ab": [(1, 2)], "abba": [(1, 2, 2, 1)], "abbey": [(1, 2, 2)], "be": [(2,)], "bee": [(2,)], "cab": [(3, 1, 2), (3, 2)],
                "cabs": [(3, 1, 2, 4)], "sea": [(4, 3)], "see": [(4, 3)], "said": [(4, 3, 5)], "dad": [(5, 1, 5)]})


def unsure(rng, slots, outputs):
    """(slots, outputs), the first two those of silence, as an unsure ear gives them, with a pause and an end."""
    heard = torch.from_numpy(rng.normal(0, 2, (slots, outputs)))
    heard[:, :2] += torch.from_numpy(rng.choice([0., 6.], (slots, 1), p=[.85, .15]))
    heard[slots // 3:slots // 3 + search.PAUSE + 6, :2] += 20
    heard[-search.DELAY - CHUNK_SLOTS * search.QUEUE:, :2] += 20
    return heard.float()


class Searching(unittest.TestCase):
    def test_the_batched_search_says_what_the_plain_one_says_and_when(self):
        for boosted in (False, True):
            with self.subTest(hotwords=boosted):
                self.compare(boosted)

    def compare(self, boosted):
        rng = np.random.default_rng(0)
        automaton, slots, streams, most = automaton_of(rng, list(SAID)), 260, 3, 40
        onset, hold = rng.integers(2, most, (2, LABELS, LABELS), np.int16)
        onset[:, SILENCE], hold[:, SILENCE] = 0, 1
        heard = torch.stack([unsure(rng, slots, most) for _ in range(streams)])
        likely = 1 + torch.from_numpy(rng.random((streams, slots, 6))).topk(4).indices              # of the words' phones most, and silence
        likely[..., 0] = SILENCE
        tables, vocabulary = words.build(lexicon_of(SAID), *automaton)
        tables.update(words.outputs(onset, hold))
        phrases = [[[("sea", "cab")]], [[("be",)], [("a", "a", "see")]], []] if boosted else [[]] * streams
        number = {word: i for i, word in enumerate(vocabulary)}
        edges = [hotwords.edges([[number[word] for word in phrase] for group in groups for phrase in group], 2., 6) if groups else np.zeros((6, 5), np.int32)
                 for groups in phrases]
        nats = search.PIECES / 1000
        tries = [{(origin, vocabulary[word]): (target, gain * nats, debt * nats) for origin, word, target, gain, debt in table.tolist() if word} for table in edges]
        hot = 1 + max((target for trie in tries for target, *_ in trie.values()), default=0)
        keys = {node + search.OF_HISTORY * history + search.OF_HOTWORD * place for node in range(len(tables["kind"])) for history in range(len(tables["shorter"]))
                for place in range(hot)}
        weighed = search.Weights(trigram=.7, word=.2)
        plain = [Plain(SAID, automaton, weighed, onset.tolist(), hold.tolist(), trie) for trie in tries]
        expected = [one.run(*stream) for one, *stream in zip(plain, heard, likely)]
        said = [[] for _ in range(streams)]
        with mock.patch.multiple(search, BEAM=600, LIKELY=4, ENDS=400, WIDTH=1e9, BUCKETS=2 ** 15), torch.no_grad():
            self.assertEqual(len({key % search.BUCKETS for key in keys}), len(tables["kind"]) * len(tables["shorter"]) * hot, "no two candidates meet by chance")
            self.assertLess(max(one.most for one in plain), search.BEAM)
            table, base, wanted = search.Words(tables, weighed), torch.arange(streams)[:, None] * search.BEAM, torch.from_numpy(np.stack(edges))
            beam = search.unpack(*self.nothing(streams))
            for now in range(slots):
                beam = search.advance(table, heard[:, now], likely[:, now], torch.full((streams, 1), now), base, beam, search.Hotwords(wanted) if boosted else None)
                if now % CHUNK_SLOTS == CHUNK_SLOTS - 1:
                    beam, word, _, times, _, _ = search.say(torch.full((streams, 1), now), beam)
                    beam = search.unpack(*search.pack(beam))
                    for b in range(streams):
                        if word[b] >= 0:
                            ended = now - int(times[b, 0])
                            said[b].append((vocabulary[word[b]], now, ended - int(times[b, 1]), ended))
        self.assertGreater(min(len(stream) for stream in said), 12)
        self.assertGreater(len({word for stream in said for word, *_ in stream}), 6)
        self.assertEqual(said, expected)

    @staticmethod
    def nothing(streams):
        """The state before the first slot, as Model.search makes it of zeros."""
        scores = torch.full((streams, search.BEAM), search.NEVER)
        scores[:, 0] = 0
        return scores, torch.zeros(streams, search.BEAM * search.INT_STATE, dtype=torch.int32)

    def test_a_hotword_is_heard_where_it_fits_and_only_in_the_stream_that_asked_for_it(self):
        names = [f"w{i}" for i in range(1, 7)]
        said = spelled({name: [(i,)] for i, name in enumerate(names, 1)})
        sound = lambda i: said[names[i - 1]][0][0]
        lists = [np.zeros((6, 5), np.int32), *(hotwords.edges(phrases, 2.5 / search.PIECES, 6) for phrases in ([[3, 4]], [[3, 6]], [[3], [3, 6]]))]
        self.assertEqual([int((table[:, 1] > 0).sum()) for table in lists], [0, 2, 2, 2])
        for remembered in (True, False):           # a phrase half said must not push out what ends in the same history
            with self.subTest(remembered=remembered):
                model, vocabulary = searching(said, equally_likely(names, remembered))
                self.assertEqual(vocabulary[1:], names)
                heard = {8: {sound(2): 12., sound(3): 10.}, 16: {sound(5): 12., sound(4): 10.}}            # 2 rather than 3, 5 rather than 4
                steps = listen(model, heard, *map(torch.from_numpy, lists))
                found = [[step[b] for step, _, _ in steps if step[b] >= 0] for b in range(4)]
                self.assertEqual(found, [[2, 5], [3, 4], [2, 5], [3, 5]])

    def test_a_word_shows_in_the_preview_before_it_is_said_and_both_tell_its_time(self):
        said = spelled({"ab": [(1, 2)]})
        (first, last), = said["ab"]
        model, _ = searching(said, equally_likely(["ab"]))
        steps = listen(model, {9: {first: 12.}, **{slot: {-first: 12.} for slot in (10, 11, 12)}, 13: {last: 12.}})            # it ends in slot 14
        self.assertEqual([found for found, _, _ in steps[:3]], [[-1]] * 3)
        self.assertTrue(all(row[0] == -1 for row in steps[2][2][0]))
        self.assertEqual(steps[4][0], [-1])
        self.assertEqual(steps[4][2][0][0], [1, 1, 4])                                    # in slot 14 its last label is a slot old, its first 4 older
        self.assertEqual([row[0] for row in steps[4][2][0][1:]], [-1] * (search.QUEUE - 1))
        self.assertEqual(steps[5][0], [1])                                                # sure: no need to wait
        self.assertEqual(steps[5][1], [[4, 4]])
        self.assertTrue(all(row[0] == -1 for row in steps[5][2][0]))
        self.assertEqual([found for found, _, _ in steps[6:]], [[-1]] * (len(steps) - 6))

    def test_what_is_unsure_waits_until_quiet_settles_it(self):
        said = spelled({"be": [(2,)], "bee": [(2,)]})
        model, _ = searching(said, equally_likely(["be", "bee"]))
        steps = listen(model, {9: {said["be"][0][0]: 12.}})                               # silence begins in slot 10
        step = next(i for i, (found, _, _) in enumerate(steps) if found[0] >= 0)
        self.assertEqual(step, -(-(10 + search.SETTLED + 1) // CHUNK_SLOTS) - 1)
        self.assertEqual(sum(found[0] >= 0 for found, _, _ in steps), 1)
        self.assertTrue(all(steps[i][2][0][0][0] in (1, 2) for i in range(11 // CHUNK_SLOTS + 1, step)))


class Tables(unittest.TestCase):
    def test_a_phone_is_as_likely_as_the_likeliest_output_it_may_begin_with(self):
        rng = np.random.default_rng(0)
        onset = rng.integers(0, 40, (LABELS, LABELS), np.int16)
        onset[:, SILENCE], onset[:, -len(IN_WORD):] = 0, 0                                # the last phone is in no word
        begins = words.outputs(onset, onset)["begins"]
        self.assertEqual((len(begins), set(begins[0].tolist()), set(begins[-1].tolist())), (1 + len(PHONES), {0}, {0}))
        for phone in range(len(PHONES) - 1):
            labels = [in_places([phone])[0], *in_places([phone] * 3)]
            self.assertEqual(set(begins[1 + phone].tolist()), set(onset[:, labels].flatten().tolist()) - {0})

    def test_the_trigram_costs_what_backing_off_costs(self):
        rng = np.random.default_rng(1)
        vocabulary = list(SAID)
        arcs, back, start = automaton_of(rng, vocabulary + ["unspelled"])
        rough = lambda cost: cost + float(rng.uniform(-.5, .5)) * STEP                    # no whole STEPs any more
        arcs = {state: [(word, follows, rough(cost)) for word, follows, cost in out] for state, out in arcs.items()}
        back = {state: (shorter, rough(cost)) for state, (shorter, cost) in back.items()}
        tables, found = words.build(lexicon_of({**SAID, "unheard": [in_places((1, 1))]}), arcs, back, start)
        tables.update(words.outputs(*one_output_each()))
        self.assertEqual(sorted(found[1:]), sorted(vocabulary))
        self.assertEqual(found[1:], sorted(found[1:], key=dict((word, cost) for word, _, cost in arcs["any"]).get))
        walks, length = 256, 60
        history, states, seen = torch.zeros(walks, 1, dtype=torch.long), [start] * walks, set()
        with mock.patch.object(search, "ENDS", 1):
            table = search.Words(tables, search.Weights())
            for _ in range(length):
                chosen = rng.integers(1, len(found), walks)
                nats, history = table.trigram(history, torch.from_numpy(chosen)[:, None])
                for b, number in enumerate(chosen):
                    seen.add((states[b], found[number]))
                    cost, states[b] = back_off((arcs, back, start), states[b], found[number])
                    self.assertAlmostEqual(float(nats[b]), -cost, delta=1.5 * STEP + 1e-5)            # at most three numbers, each rounded
        self.assertEqual(len(seen), len(vocabulary) * (1 + len(back)))

    def test_every_word_is_at_the_end_of_its_labels_and_the_cheapest_below_is_anticipated(self):
        rng = np.random.default_rng(2)
        automaton = automaton_of(rng, list(SAID))
        tables, vocabulary = words.build(lexicon_of(SAID), *automaton)
        first, kind, ends, word, ahead = (tables[name].tolist() for name in ("first", "kind", "ends", "word", "ahead"))
        rank = tables["rank"].reshape(-1, LABELS).tolist()
        self.assertEqual((first[0], first[-1], len(kind), len(ends)), (1, len(kind), len(first) - 1, len(first)))
        unigram, below = {name: cost for name, _, cost in automaton[0]["any"]}, defaultdict(list)
        child = lambda node, label: first[node] - 1 + rank[kind[node]][label]
        for name, ways in SAID.items():
            for labels in ways:
                node = search.ROOT
                for label in labels:
                    if node != search.ROOT:
                        self.assertEqual(sorted(filter(None, rank[kind[node]])), list(range(1, 1 + first[node + 1] - first[node])))
                    node = child(node, label)
                    below[node].append(unigram[name])
                self.assertIn(name, [vocabulary[number] for number in word[ends[node]:ends[node + 1]]])
                self.assertEqual((kind[node], first[node + 1]), (0, first[node]), "words end at leaves")
        self.assertEqual(sorted(below), list(range(2, len(kind))))
        self.assertEqual(len(word) - 1, sum(len(ways) for ways in SAID.values()))
        self.assertEqual(ahead, [0, 0] + [round(min(below[node]) / STEP) for node in range(2, len(kind))])
        # silence between words is the root's first child and leads to its others
        self.assertEqual(child(search.ROOT, SILENCE), search.QUIET)
        self.assertEqual(rank[kind[search.QUIET]][SILENCE], 0)
        beginnings = {labels[0] for ways in SAID.values() for labels in ways}
        for label in beginnings:
            self.assertEqual(child(search.QUIET, label), child(search.ROOT, label))
        self.assertEqual([label for label in range(1, LABELS) if rank[kind[search.QUIET]][label]], sorted(beginnings))
        tables.update(words.outputs(*one_output_each()))
        self.assertEqual(search.Words(tables, search.Weights()).roots, 2 + len(beginnings))

    def test_the_hash_table_finds_every_entry(self):
        rng = np.random.default_rng(3)
        entries = sorted({(int(history), int(word)) for history, word in rng.integers(1, 3000, (4000, 2))})
        buckets = int(len(entries) / .93 / words.PLACES) | 1
        places, marks = words.cuckoo(entries, buckets)
        self.assertEqual(len(set(places.tolist())), len(entries))
        empty, room = torch.zeros(3000, dtype=torch.int32), buckets * words.PLACES
        tables = dict(marks=torch.from_numpy(marks.astype(np.int32)), first=torch.tensor([1, 1, 1]), **words.outputs(*one_output_each()), shorter=empty, backoff=empty, unigram=empty + 255,
                      unigram_next=empty, scores=torch.zeros(room, dtype=torch.uint8), nexts=torch.full((room,), -1, dtype=torch.int32))
        tables["nexts"][places] = torch.arange(len(entries), dtype=torch.int32)
        with mock.patch.object(search, "ENDS", len(entries)):
            history, word = torch.tensor(entries).T[:, None]
            nats, following = search.Words(tables, search.Weights()).trigram(history, word)
        missed = [i for i in range(len(entries)) if following[0, i] != i]
        self.assertEqual(missed, [])
        self.assertEqual(float(nats.abs().max()), 0)


PRINTED = """1 0 <eps> <eps> .5
1 2 a a 1
0 2 a a 1.5
0 0 b b 1
0 0 c c 2
2 0 <eps> <eps> .25
2 3 b b .75
3 0 <eps> <eps> .1
3 2 a a .5
0 2
2 1.5
3 1
"""


class Languages(unittest.TestCase):
    def setUp(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(PRINTED)
            file.flush()
            self.printed = language.Printed(file.name)

    def test_a_printed_trigram_backs_off(self):
        cost = lambda history, word: -math.log(self.printed.probability(history, word))
        self.assertEqual(set(self.printed.states), {(), (language.START,), ("a",), ("a", "b")})
        for history, word, expected in [((), "a", 1.5), ((language.START,), "a", 1), ((language.START,), "c", 2.5), (("a",), "b", .75), (("a", "b"), "a", .5),
                                        (("a", "b"), "c", 2.1), (("c", "b"), "a", 1.5), (("c", "a"), "b", .75), (("a",), language.END, 1.5)]:
            self.assertAlmostEqual(cost(history, word), expected, msg=(history, word))

    def test_counts_fall_back_on_what_is_rarer(self):
        counted = language.Counted([["a", "b"], ["a", "what", "c"]], {"a", "b", "c"}, lambda word: .25)
        once = lambda history, word: counted.probability(history, word)
        self.assertAlmostEqual(once((), "a"), (2 + 4 * .25) / (6 + 4))                  # of a, b, c and the end, which came twice
        self.assertAlmostEqual(once(("a",), "b"), (1 + once((), "b")) / 2)
        self.assertAlmostEqual(once((language.START, "a"), "b"), (1 + once(("a",), "b")) / 2)
        self.assertEqual(once(("b", "c"), "a"), once(("c",), "a"))
        self.assertNotIn(("a", "what"), counted.counts)

    def test_a_mixture_says_what_its_parts_say_where_it_lists_and_leaves_the_rest_to_shorter_histories(self):
        counted = language.Counted([["c", "a"], ["b", "b"]] * 8, set("abc"), lambda word: self.printed.probability((), word))
        arcs, back, start = language.mixture([self.printed, counted], [.5, .5])
        self.assertEqual(start, (language.START,))
        listed = {history: {word: cost for word, _, cost in out} for history, out in arcs.items()}
        self.assertIn("a", listed[("c",)])
        for history, out in listed.items():
            for word, cost in out.items():
                self.assertAlmostEqual(math.exp(-cost), .5 * self.printed.probability(history, word) + .5 * counted.probability(history, word))
            followed = {word: back_off((arcs, back, start), history, word) for word in "abc"}
            total = sum(math.exp(-cost) for cost, _ in followed.values()) + .5 * self.printed.probability(history, language.END) + .5 * counted.probability(history, language.END)
            self.assertTrue(.8 < total < 1.05, (history, total))
        self.assertEqual({follows for out in arcs.values() for _, follows, _ in out} | {start}, set(listed) | set(back))

    def test_a_book_is_cut_at_stops_and_quotes(self):
        found = list(language.sentences('"Well," said John-- the dog\'s barked; \'tis late.\nIn 1999 it was not.\n\nGood night', {"well", "the", "'tis", "dog's"}))
        self.assertEqual(found, [["said", "john", "the", "dog's", "barked"], ["'tis", "late"], ["good", "night"]])


class Lexicons(unittest.TestCase):
    def test_texts_are_spelled_with_the_first_way_a_word_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "lexicon.txt")
            with open(path, "w") as file:
                file.write("a\tAH\na\tEY\nbee\tB IY\n")
            found = Lexicon(path)
        label = lambda phone, place: 1 + len(IN_WORD) * lexicon.NUMBER[phone] + IN_WORD.index(place)
        self.assertEqual(found.said["a"], [(label("AH", "singleton"),), (label("EY", "singleton"),)])
        self.assertEqual(found.encode("bee a"), [label("B", "begin"), label("IY", "end"), label("AH", "singleton")])
        self.assertEqual(in_places([0, 1, 2, 3]), (1, 7, 11, 14))
        self.assertIsNone(found.encode("bee sea"))
        self.assertEqual(LABELS, 157)

    def test_pronunciations_are_read_off_a_decoding_graph(self):
        kinds = ("begin", "end", "internal", "singleton")
        vosk = lambda phone, kind: lexicon.SILENCES + 1 + 4 * lexicon.NUMBER[phone] + kinds.index(kind)
        phones = [1, vosk("AH", "singleton"), vosk("B", "begin"), vosk("IY", "end"), vosk("AE", "internal"), vosk("D", "end"), vosk("EY", "singleton")]
        places = {phone: kind for phone, kind in zip(phones[1:], ("singleton", "begin", "end", "internal", "end", "singleton"))}
        onward, stays, apart = (lambda i: 2 * i + 2), (lambda i: 2 * i + 1), 2 * len(phones) + 1
        graph = defaultdict(list, {
            0: [(0, onward(0), 0),                                            # silence
                (1, onward(1), 1), (7, onward(6), 0), (2, onward(2), 0)],       # a; a as EY, its number to follow; B
            1: [(1, stays(1), 0)],
            2: [(2, stays(2), 0), (3, onward(3), 2), (4, onward(4), 0)],        # bee; B AE
            4: [(5, onward(5), 0)],
            5: [(6, apart, 0), (5, stays(5), 0)],
            6: [(0, onward(0), 3)],                                            # bad: its number is on the arc after its last phone, and after one that tells apart
            7: [(8, apart, 1)]})
        found = lexicon.pronunciations(graph, phones, places, {1: "a", 2: "bee", 3: "bad"})
        self.assertEqual(dict(found), {"a": {("AH",), ("EY",)}, "bee": {("B", "IY")}, "bad": {("B", "AE", "D")}})

    def test_outputs_of_pairs_are_read_off_a_decoding_graph(self):
        vosk = lambda label: lexicon.SILENCES + label
        alone, (begin, end) = in_places([lexicon.NUMBER["AH"]])[0], in_places([lexicon.NUMBER["B"], lexicon.NUMBER["IY"]])
        states = [(lexicon.BETWEEN_WORDS, 0, 42), (vosk(alone), 5, 6), (vosk(begin), 7, 8), (vosk(end), 9, 10), (vosk(alone), 11, 12), (vosk(alone), 13, 14), (2, 50, 51)]
        onward, stays, apart = (lambda i: 2 * i + 2), (lambda i: 2 * i + 1), 2 * len(states) + 1
        graph = defaultdict(list, {
            0: [(0, onward(0), 0), (1, onward(1), 1), (2, onward(2), 0), (0, onward(6), 0)],         # silence, a, B, noise
            1: [(1, stays(1), 0), (0, onward(0), 0), (1, onward(4), 1)],                            # a after a
            2: [(2, stays(2), 0), (3, onward(3), 2)],
            3: [(3, stays(3), 0), (4, apart, 0)],
            4: [(0, onward(0), 0), (1, onward(5), 1)]})                                             # a after bee
        onset, hold = lexicon.pair_outputs(graph, states)
        expected = {(SILENCE, SILENCE): (0, 42), (SILENCE, alone): (5, 6), (SILENCE, begin): (7, 8), (begin, end): (9, 10), (alone, alone): (11, 12), (end, alone): (13, 14),
                    (alone, SILENCE): (0, 42), (end, SILENCE): (0, 42)}
        self.assertEqual({(a, b): (int(onset[a, b]), int(hold[a, b])) for a, b in zip(*np.nonzero(hold))}, expected)
        self.assertEqual(set(zip(*np.nonzero(onset))), {pair for pair, (entering, _) in expected.items() if entering})


def random_parts(rng):
    """An nnet3 model of Vosk's shapes with random numbers in it."""
    def norm(size):
        return dict(Epsilon=struct.pack("<f", .001), TargetRms=struct.pack("<f", 1.), StatsMean=rng.normal(0, .3, size), StatsVar=rng.uniform(.5, 2, size))

    def affine(outputs, inputs):
        return dict(LinearParams=rng.normal(0, inputs ** -.5, (outputs, inputs)), BiasParams=rng.normal(0, .3, outputs))

    parts = {"delta": norm(120), "tdnn1.affine": affine(640, 120 + IVECTOR), "tdnn1.batchnorm": norm(640)}
    for number, ahead in enumerate(acoustic.AHEAD, 2):
        parts[f"tdnnf{number}.linear"] = affine(96, 640 * (1 + (number != 5)))
        parts[f"tdnnf{number}.affine"] = affine(640, 96 * (1 + ahead))
        parts[f"tdnnf{number}.batchnorm"] = norm(640)
    parts["prefinal-l"], parts["prefinal-chain.affine"] = dict(Params=rng.normal(0, .04, (192, 640))), affine(640, 192)
    parts["prefinal-chain.linear"] = dict(Params=rng.normal(0, .04, (192, 640)))
    parts["prefinal-chain.batchnorm1"], parts["prefinal-chain.batchnorm2"] = norm(640), norm(192)
    parts["output.affine"] = affine(OUTPUTS, 192)
    return parts


def as_kaldi_does(parts, mel, ivectors):
    """The network of random_parts as Kaldi computes it, at every frame: natural log-mel (T, 40), i-vectors (T, 30) -> (T, 2192)."""
    def at(x, offset):
        return x[np.clip(np.arange(len(x)) + offset, 0, len(x) - 1)]

    def norm(x, name):
        scale, offset = batch_norm(parts[name])
        return x * scale + offset

    def affine(x, name):
        return x @ parts[name]["LinearParams"].T + parts[name]["BiasParams"]

    x = mel @ cepstra().T
    x = norm(np.concatenate([x, at(x, 1) - at(x, -1), at(x, -2) + at(x, 2) - 2 * x], 1), "delta")
    x = norm(np.maximum(affine(np.concatenate([x, ivectors], 1), "tdnn1.affine"), 0), "tdnn1.batchnorm")
    for number, ahead in enumerate(acoustic.AHEAD, 2):
        stride = 1 if number < 5 else 3
        heard = x if number == 5 else np.concatenate([at(x, -stride), x], 1)
        waist = heard @ parts[f"tdnnf{number}.linear"]["LinearParams"].T
        waist = np.concatenate([waist, at(waist, stride)], 1) if ahead else waist
        x = .75 * x + norm(np.maximum(affine(waist, f"tdnnf{number}.affine"), 0), f"tdnnf{number}.batchnorm")
    x = norm(np.maximum(affine(x @ parts["prefinal-l"]["Params"].T, "prefinal-chain.affine"), 0), "prefinal-chain.batchnorm1")
    return affine(norm(x @ parts["prefinal-chain.linear"]["Params"].T, "prefinal-chain.batchnorm2"), "output.affine")


KALDI_LATE = 4                       # frames of 33.3 ms by which the network's outputs come later than Kaldi's, which are those of their own frame


class Preparing(unittest.TestCase):
    @torch.no_grad()
    def test_it_hears_156_ms_beyond_a_frame_of_160_that_are_allowed(self):
        model, sounds, mel = acoustic.Acoustic(), 60, torch.zeros(3, 135, 40)
        widen(model)
        sound = torch.arange(sounds, sounds + 3)                             # one frame sounds in each clip, another third of an output's frame
        mel[torch.arange(3), sound] = torch.randn(3, 40, generator=torch.Generator().manual_seed(3))
        heard, _ = model.layered(F.pad(mel, (0, 0, acoustic.CONTEXT, 0)), torch.zeros(3, 15, IVECTOR))
        quiet, _ = model.layered(torch.zeros(3, 135 + acoustic.CONTEXT, 40), torch.zeros(3, 15, IVECTOR))
        first = (heard != quiet).any(-1).int().argmax(1)
        ahead = (sound - 3 * (first - KALDI_LATE)).max() * SLOT_MS / 3
        self.assertAlmostEqual(float(ahead), acoustic.RIGHT_CONTEXT_MS, places=3)
        self.assertEqual(round(acoustic.RIGHT_CONTEXT_MS), 156)
        self.assertLessEqual(acoustic.RIGHT_CONTEXT_MS, acoustic.MAX_RIGHT_CONTEXT_MS)

    def test_the_mean_of_checkpoints_takes_the_running_mean_of_those_that_have_one(self):
        one, other = Model().state_dict(), Model().state_dict()
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("leg.pt", "init.pt")]
            torch.save(dict(model=other, mean=one), paths[0])
            torch.save(dict(model=other), paths[1])
            found = read_weights(paths)
        for name, value in found.items():
            torch.testing.assert_close(value, (one[name] + other[name]) / 2)

    def test_the_folded_network_computes_what_kaldi_computes(self):
        parts, speakers = random_parts(np.random.default_rng(3)), made_up_parts()
        model = acoustic.convert(parts, speakers)
        mel = torch.rand(1, 270, 40, generator=torch.Generator().manual_seed(1)) * 6
        ivectors = torch.randn(1, 30, IVECTOR, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            heard, _ = model.layered(F.pad(mel, (0, 0, acoustic.CONTEXT, 0)), ivectors)
            found = model.outputs(heard)
        each = ivectors[0, ((torch.arange(270) + 2) // 9).clamp(max=29)].double().numpy()            # a frame is heard two later
        expected = as_kaldi_does(parts, (mel[0] + model.frontend.floor.log()).double().numpy(), each)[::3]
        # the ends differ, where Kaldi repeats its first and last frame
        np.testing.assert_allclose(found[0, 30:-10], expected[30 - KALDI_LATE:-10 - KALDI_LATE], atol=1e-3)
        for name, value in Extractor(speakers).state_dict().items():
            torch.testing.assert_close(model.extractor.state_dict()[name], value)


@torch.no_grad()
def widen(ear):
    """PyTorch's own initial weights let little through twelve layers."""
    torch.nn.init.normal_(ear.first.weight, std=.02)
    for layer in ear.layers:
        torch.nn.init.normal_(layer.waist.weight, std=acoustic.STREAM ** -.5)
        torch.nn.init.normal_(layer.wide.weight, std=.5 * layer.wide.in_features ** -.5)
    for layer in ear.outputs:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=layer.in_features ** -.5)


class Overfit(unittest.TestCase):
    @mock.patch.object(search, "LIKELY", len(PHONES))         # what most phones score means nothing here, but hides others
    def test_learns_four_clips_by_heart_and_the_exported_graph_recites_them_in_any_batch(self):
        torch.manual_seed(2)
        torch.set_num_threads(1)
        names = [f"w{i}" for i in range(1, TONES + 1)]
        said = spelled({name: [(i,)] for i, name in enumerate(names)})
        clips = [tone_words(seed) for seed in (1, 4, 11, 7)]            # no two begin or go on alike
        longest = -(-(max(len(wave) for wave, _ in clips) + FLUSH_SAMPLES) // CHUNK_SAMPLES) * CHUNK_SAMPLES
        wave = torch.stack([F.pad(torch.from_numpy(w), (0, longest - len(w))) for w, _ in clips])
        labels, lengths = torch.tensor([[said[names[tone - 1]][0][0] for tone in tones] for _, tones in clips]), torch.full((4,), 3)
        slots = torch.tensor([-(-len(w) // CHUNK_SAMPLES) * CHUNK_SLOTS for w, _ in clips])            # no label so late that its word misses the flush
        quiet = torch.arange(longest // CHUNK_SAMPLES * CHUNK_SLOTS) >= slots[:, None]
        tables, vocabulary = words.build(lexicon_of(said), *equally_likely(names))
        onset, hold = one_output_each()
        tables.update(words.outputs(onset, hold))
        known = np.zeros(LABELS, bool)
        known[[SILENCE, *(ways[0][0] for ways in said.values())]] = True
        orders = itertools.permutations(set(labels.flatten().tolist()), 2)          # nothing is learned from what comes after what
        mmi = losses.MMI(onset, hold, losses.chances([list(pair) for pair in orders], known[:, None] & known), OUTPUTS)
        model, steps = Model(), 120
        widen(model.ear)
        optimiser = torch.optim.AdamW(model.parameters(), 3e-4)
        falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 10) * (.5 + .5 * math.cos(math.pi * step / steps)))
        for step in range(steps):
            outputs = model.encode(wave)
            nats = mmi(outputs, slots, labels, lengths).sum() / labels.numel()
            loss = nats + 1e-3 * outputs.square().sum(-1).mean() - outputs[quiet].log_softmax(-1)[:, hold[SILENCE, SILENCE]].mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
            optimiser.step()
            falling.step()
        self.assertLess(float(nats.detach()), .1)
        model.words = search.Words(tables, search.Weights(trigram=.5, word=0.))
        model.eval()
        with torch.no_grad():
            outputs = model.encode(F.pad(wave, (0, sweep.FLUSH_CHUNKS * CHUNK_SAMPLES)))
        found = sweep.search(model, outputs, torch.full((4,), outputs.shape[1] // CHUNK_SLOTS))
        self.assertEqual([[vocabulary[word] for word in row] for row in found], [[names[tone - 1] for tone in tones] for _, tones in clips])
        with tempfile.TemporaryDirectory() as folder:
            write_graph(model, os.path.join(folder, "model.onnx"))
            with open(os.path.join(folder, "tokens.txt"), "w") as file:
                file.writelines(f"{chr(0x2581) + word if i else word} {i}\n" for i, word in enumerate(vocabulary))
            write_manifest(folder, {})
            manifest = json.load(open(os.path.join(folder, "manifest.json")))
            self.assertEqual([file["path"] for file in manifest["files"]], ["model.onnx", "tokens.txt"])
            self.assertEqual(manifest["flushMs"], 900)
            graph = Recogniser(folder)
            for batch in (1, 3):
                found = graph.transcribe([w for w, _ in clips], batch)
                self.assertEqual([graph.text(result.tokens) for result in found], [" ".join(names[tone - 1] for tone in tones) for _, tones in clips])
                for result in found:
                    self.assertTrue(all(shown <= said for shown, said in zip(result.shown, result.steps)))
                    self.assertEqual([last - first for first, last in result.frames], [0] * 3)             # words of one label


if __name__ == "__main__":
    unittest.main()
