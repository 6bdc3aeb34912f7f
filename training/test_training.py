"""Tests of the training code; needs no data and no pretrained weights. Under two minutes on two CPU cores.

    python -m unittest -v test_training
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
import init
import language
import lexicon
import losses
import search
import sweep
import words
from common import BLANK, CHUNK_SAMPLES, FRAMES_PER_CHUNK, SAMPLE_RATE, SLOTS
from export import write_graph, write_manifest
from kaldi import batch_norm
from lexicon import LABELS, Lexicon
from model import JOINT, LOOKAHEAD_CHUNKS, Model, greedy
from search import STEP
from streaming import Recogniser

CHUNK_SLOTS = FRAMES_PER_CHUNK * SLOTS
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


def lexicon_of(said):
    """{word: [tuples of phones]} as words.build takes it."""
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


class Plain:
    """The search of one stream with dictionaries, nothing pruned, in double precision: what search.py does for a batch in tables."""

    def __init__(self, said, automaton, weights):
        self.automaton, self.weights = automaton, weights
        unigram = {word: cost for word, _, cost in automaton[0]["any"]}
        self.ahead, self.children, self.ends = {(): 0.}, defaultdict(set), defaultdict(list)
        for word, phones in ((word, phones) for word, ways in said.items() for phones in ways):
            for i in range(1, 1 + len(phones)):
                self.ahead[phones[:i]] = min(self.ahead.get(phones[:i], math.inf), unigram[word])
                self.children[phones[:i - 1]].add(phones[i - 1])
            self.ends[phones].append(word)
        # a hypothesis: place, history, score ended by a blank, by a label, last label, since when, where its word began, unsaid words
        self.beam, self.said, self.most = [((), automaton[2], 0., -math.inf, BLANK, 0, 0, ())], [], 0

    def options(self, now, heard, likely):
        for place, history, by_blank, by_label, last, since, begun, queue in self.beam:
            best, blank, held = max(by_blank, by_label), heard[last][BLANK], heard[last][last]
            waits = self.weights.waiting if place and now - since > search.PATIENCE else 0.
            if self.children[place]:
                yield place, history, best + blank - waits, by_label + held, last, since, begun, queue
            for phone in self.children[place] & likely:
                longer = (*place, phone)
                score = (by_blank if phone == last else best) + self.weights.trigram * (self.ahead[place] - self.ahead[longer]) + heard[last][phone] + self.weights.phone
                score += 0 if place else self.weights.word
                yield longer, history, -math.inf, score, phone, now, begun if place else now, queue
            for word in self.ends[place] if since == now - 1 and len(queue) < search.QUEUE else ():
                cost, follows = back_off(self.automaton, history, word)
                score = by_label + self.weights.trigram * (self.ahead[place] - cost)
                yield (), follows, score + blank, score + held, last, since, begun, queue + ((word, begun, since),)

    def advance(self, now, heard, likely):
        kept = {}
        for option in self.options(now, heard, likely):
            key, score = option[:2], max(option[2:4])
            if score > -math.inf and (key not in kept or score > max(kept[key][2:4])):
                kept[key] = option
        # a pause at the root forgets the history
        self.beam = [(place, self.automaton[2] if not place and now - option[3] == search.PAUSE else history, *option)
                     for place, history, *option in kept.values()]
        self.most = max(self.most, len(self.beam))

    def say(self, now):
        scores = np.array([max(option[2:4]) for option in self.beam])
        place, *_, since, _, queue = self.beam[int(scores.argmax())]
        if not queue:
            return
        agrees = np.array([bool(option[-1]) and option[-1][0][0] == queue[0][0] for option in self.beam])
        sure = np.logaddexp.reduce(scores[agrees]) - np.logaddexp.reduce(scores) > math.log(search.SURE)
        word, begun, ended = queue[0]
        if now - ended >= (search.SURE_DELAY if sure else search.DELAY) or not place and now - since >= search.SETTLED or len(queue) >= search.QUEUE - 1:
            self.said.append((word, now, begun, ended))
            self.beam = [(*option[:-1], option[-1][1:]) for option, same in zip(self.beam, agrees) if same]

    def run(self, heard, likely):
        """heard (slots, labels, labels), likely (slots, some of them) -> [(word, slot of saying it, of its first label, of its last)]."""
        for now, rows in enumerate(heard.double().tolist()):
            self.advance(now, rows, set(likely[now].tolist()))
            if now % CHUNK_SLOTS == CHUNK_SLOTS - 1:
                self.say(now)
        return self.said


def weights(trigram=1., word=0., phone=0., usual=0., joiner=1., blank=0.):
    return search.Weights(trigram, word, phone, usual, joiner, blank, waiting=1.)


def searching(said, automaton, **weighed):
    """A model that searches with these words -> it, the words by number."""
    tables, vocabulary = words.build(lexicon_of(said), *automaton)
    model = Model().eval()
    model.words = search.Words(tables, weights(**weighed))
    return model, vocabulary


def equally_likely(vocabulary, remembered=True):
    """An automaton in which every word costs the same everywhere, and is a history of its own where they are remembered."""
    every = [(word, word if remembered else "any", 2.) for word in vocabulary]
    return {"start": every[:1], "any": every}, {state: ("any", 0.) for state in ("start", *(vocabulary if remembered else ()))}, "start"


@torch.no_grad()
def listen(model, heard, *edges):
    """heard {slot: {label: logit}}, one hypothetical ear for a batch of streams with hotwords of their own -> for each step what Model.search says:
    words (B,) and their times, the preview."""
    slots = 4 * search.SETTLED
    logits = torch.zeros(slots, LABELS)
    logits[:, BLANK] = 12
    for slot, loud in heard.items():
        logits[slot, BLANK] = 0
        for label, value in loud.items():
            logits[slot, label] = value
    projected = torch.cat([torch.zeros(slots, JOINT), logits], 1).expand(max(1, len(edges)), -1, -1)
    small, _, last = model.empty_state(len(projected))
    beam, out = small[:, -2 * search.BEAM:], []
    for step, part in enumerate(projected.split(CHUNK_SLOTS, 1)):
        found, logps, times, preview, _, beam, last = model.search(part, beam, last, torch.full((len(projected), 1), float(step)), torch.stack(edges) if edges else None)
        out.append((found[:, -1].tolist(), times[:, -1].tolist(), preview.tolist()))
    return out


class Losses(unittest.TestCase):
    def test_band_loss_equals_the_full_lattice_when_the_band_covers_it(self):
        torch.manual_seed(0)
        model = Model()
        torch.nn.init.normal_(model.joiner_out.weight)
        encoded = torch.randn(2, 3, 384, requires_grad=True)
        targets, lengths, slots = torch.tensor([[3, 3, 5], [1, 2, 0]]), torch.tensor([3, 2]), torch.tensor([3 * SLOTS, 2 * SLOTS])
        first = torch.tensor([[1, 2, 3], [0, 1, 3 * SLOTS]])
        loss = losses.transducer_loss(model, encoded, slots, targets, lengths, first, fast_emit=0.)
        predicted = model.predict(torch.cat([targets.new_full((2, 1), BLANK), targets], 1))
        logp = model.join(model.project(encoded)[:, :, None], predicted[:, None]).log_softmax(-1)
        slow = torch.stack([lattice_loss(logp[b], targets[b, :lengths[b]].tolist(), int(slots[b])) for b in range(2)])
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

    def test_alignment_finds_the_slots_of_a_peaked_posterior(self):
        path = [0, 3, 3, 0, 3, 5, 0, 0]
        logp = torch.full((1, 8, LABELS), -9.)
        logp[0, torch.arange(8), torch.tensor(path)] = 0
        first = losses.ctc_align(logp, torch.tensor([8]), torch.tensor([[3, 3, 5]]), torch.tensor([3]))
        self.assertEqual(first.tolist(), [[1, 4, 5]])


    def test_greedy_keeps_the_best_label_of_a_slot_and_a_held_one_once(self):
        model, path = Model(), torch.tensor([[0, 3, 3, 0, 3, 5, 5, 7]])
        projected = torch.cat([torch.zeros(1, 8, JOINT), 9. * F.one_hot(path, LABELS)], -1)
        with mock.patch.object(model, "project", return_value=projected):
            self.assertEqual(greedy(model, torch.zeros(1, 4, 384), torch.tensor([7])), [[3, 3, 5]])


class Streaming(unittest.TestCase):
    def test_steps_give_what_the_whole_utterance_gives(self):
        torch.manual_seed(0)
        model, chunks = Model().eval(), 40
        with torch.no_grad():
            for block in model.blocks:
                block.bias.normal_()
            model.join_ear.weight.normal_(std=.05)
            wave = torch.randn(2, CHUNK_SAMPLES * chunks) * .1
            encoded = model.encode(wave)
            state, speech, projected, late = model.empty_state(2), [], [], LOOKAHEAD_CHUNKS * CHUNK_SLOTS
            for part in wave.split(CHUNK_SAMPLES, 1):
                with mock.patch.object(model, "search", side_effect=lambda found, beam, last, age, hotwords: (*[None] * 5, beam, last)) as spy:
                    *_, vad, small, caches, last = model.step(part, *state)
                state = small, caches, last
                speech.append(vad)
                projected.append(spy.call_args[0][0])
            expected = torch.sigmoid(model.vad(encoded))[..., 0].repeat_interleave(SLOTS, 1)
            torch.testing.assert_close(torch.cat(speech, 1)[:, late:], expected[:, :-late], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(torch.cat(projected, 1)[:, late:], model.project(encoded)[:, :-late], atol=1e-4, rtol=1e-4)


# Shared beginnings, homophones, a word inside another, one said in two ways, a phone twice running.
SAID = {"a": [(1,)], "ab": [(1, 2)], "abba": [(1, 2, 2, 1)], "abbey": [(1, 2, 2)], "be": [(2,)], "bee": [(2,)], "cab": [(3, 1, 2), (3, 2)], "cabs": [(3, 1, 2, 4)],
        "sea": [(4, 3)], "see": [(4, 3)], "said": [(4, 3, 5)], "dad": [(5, 1, 5)]}


def mostly_blank(rng, slots, labels=6):
    """(slots, labels, labels) log-probabilities of each label after each, as an unsure ear gives them."""
    logits = torch.from_numpy(rng.normal(0, 2, (slots, 1, labels)) + rng.normal(0, .3, (slots, labels, labels)))
    logits[..., BLANK] += 1 + torch.from_numpy(rng.choice([0., 8.], (slots, 1), p=[.8, .2]))
    logits[slots // 3:slots // 3 + search.PAUSE + 6, :, BLANK] += 12                    # a pause
    logits[-search.DELAY - CHUNK_SLOTS * search.QUEUE:, :, BLANK] += 12
    return logits.log_softmax(-1).float()


class Searching(unittest.TestCase):
    def test_the_batched_search_says_what_the_plain_one_says_and_when(self):
        rng = np.random.default_rng(0)
        automaton, slots, streams = automaton_of(rng, list(SAID)), 260, 3
        heard = torch.stack([mostly_blank(rng, slots) for _ in range(streams)])
        likely = 1 + heard[..., 1:].amax(2).topk(3).indices
        tables, vocabulary = words.build(lexicon_of(SAID), *automaton)
        self.assertEqual(len({(node + search.OF_HISTORY * history) % search.BUCKETS for node in range(len(tables["first"]) - 1) for history in range(len(tables["shorter"]))}),
                         (len(tables["first"]) - 1) * len(tables["shorter"]), "no two candidates meet by chance")
        weighed = weights(trigram=.7, word=.2, phone=.1)
        plain = [Plain(SAID, automaton, weighed) for _ in range(streams)]
        expected = [one.run(*stream) for one, *stream in zip(plain, heard, likely)]
        said = [[] for _ in range(streams)]
        with mock.patch.multiple(search, BEAM=300, LIKELY=3, ENDS=200, WIDTH=1e9), torch.no_grad():
            self.assertLess(max(one.most for one in plain), search.BEAM)
            table, base = search.Words(tables, weighed), torch.arange(streams)[:, None] * search.BEAM
            beam = search.unpack(*self.nothing(streams))
            for now in range(slots):
                beam = search.advance(table, heard[:, now], likely[:, now], torch.full((streams, 1), now), base, beam)
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
        scores = torch.full((streams, 2 * search.BEAM), search.NEVER)
        scores[:, 0] = 0
        return scores, torch.zeros(streams, search.BEAM * search.INT_STATE, dtype=torch.int32)

    def test_a_hotword_is_heard_where_it_fits_and_only_in_the_stream_that_asked_for_it(self):
        names = [f"w{i}" for i in range(1, 7)]
        lists = [np.zeros((6, 5), np.int32), *(hotwords.edges(phrases, 2.5 / search.PIECES, 6) for phrases in ([[3, 4]], [[3, 6]], [[3], [3, 6]]))]
        self.assertEqual([int((table[:, 1] > 0).sum()) for table in lists], [0, 2, 2, 2])
        for remembered in (True, False):           # a phrase half said must not push out what ends in the same history
            with self.subTest(remembered=remembered):
                model, vocabulary = searching({name: [(i,)] for i, name in enumerate(names, 1)}, equally_likely(names, remembered))
                self.assertEqual(vocabulary[1:], names)
                steps = listen(model, {8: {2: 12., 3: 10.}, 16: {5: 12., 4: 10.}}, *map(torch.from_numpy, lists))       # 2 rather than 3, 5 rather than 4
                said = [[found[b] for found, _, _ in steps if found[b] >= 0] for b in range(4)]
                self.assertEqual(said, [[2, 5], [3, 4], [2, 5], [3, 5]])

    def test_a_word_shows_in_the_preview_before_it_is_said_and_both_tell_its_time(self):
        model, _ = searching({"ab": [(1, 2)]}, equally_likely(["ab"]), word=6.)
        steps = listen(model, {9: {1: 12.}, 13: {2: 12.}})                                # it ends in slot 14
        self.assertEqual([found for found, _, _ in steps[:3]], [[-1]] * 3)
        self.assertTrue(all(row[0] == -1 for row in steps[2][2][0]))
        self.assertEqual(steps[3][0], [-1])
        self.assertEqual(steps[3][2][0][0], [1, 2, 4])                                    # in slot 15 its last label is 2 slots old, its first 4 older
        self.assertEqual([row[0] for row in steps[3][2][0][1:]], [-1] * (search.QUEUE - 1))
        self.assertEqual(steps[4][0], [1])                                                # sure: no need to wait
        self.assertEqual(steps[4][1], [[6, 4]])
        self.assertTrue(all(row[0] == -1 for row in steps[4][2][0]))
        self.assertEqual([found for found, _, _ in steps[5:]], [[-1]] * (len(steps) - 5))

    def test_what_is_unsure_waits_until_quiet_settles_it(self):
        model, _ = searching({"be": [(2,)], "bee": [(2,)]}, equally_likely(["be", "bee"]), word=6.)
        steps = listen(model, {9: {2: 12.}})
        step = next(i for i, (found, _, _) in enumerate(steps) if found[0] >= 0)
        self.assertEqual(step, -(-(9 + search.SETTLED + 1) // CHUNK_SLOTS) - 1)
        self.assertEqual(sum(found[0] >= 0 for found, _, _ in steps), 1)
        self.assertTrue(all(steps[i][2][0][0][0] in (1, 2) for i in range(9 // CHUNK_SLOTS + 1, step)))


class Tables(unittest.TestCase):
    def test_logits_lose_what_is_usual_and_blanks_their_penalty(self):
        model, _ = searching({"ab": [(1, 2)], "b": [(2,)]}, equally_likely(["ab", "b"]))
        torch.manual_seed(0)
        torch.nn.init.normal_(model.joiner_out.weight)
        projected, predicted = torch.randn(1, JOINT + LABELS), model.predict(torch.arange(LABELS))
        logits, follows = projected[:, JOINT:], model.words.follows
        self.assertGreater(float(follows[1, 2]), float(follows[1, 1 + 2]) + 5, "b follows a")
        self.assertGreater(float(follows[2, 1]), float(follows[2, 3]) + 5, "words follow each other")
        with torch.no_grad():
            added = model.join(projected[:, None], predicted) - logits
            for weighed in (weights(joiner=.5), weights(usual=.3), weights(blank=2.5)):
                model.words.weights = weighed
                expected = logits + weighed.joiner * added - weighed.usual * follows
                expected[..., BLANK] -= weighed.blank
                torch.testing.assert_close(model.after_each(projected, predicted), expected.log_softmax(-1))

    def test_the_trigram_costs_what_backing_off_costs(self):
        rng = np.random.default_rng(1)
        vocabulary = list(SAID)
        arcs, back, start = automaton_of(rng, vocabulary + ["unspelled"])
        rough = lambda cost: cost + float(rng.uniform(-.5, .5)) * STEP                    # no whole STEPs any more
        arcs = {state: [(word, follows, rough(cost)) for word, follows, cost in out] for state, out in arcs.items()}
        back = {state: (shorter, rough(cost)) for state, (shorter, cost) in back.items()}
        tables, found = words.build(lexicon_of({**SAID, "unheard": [(1, 1)]}), arcs, back, start)
        self.assertEqual(sorted(found[1:]), sorted(vocabulary))
        self.assertEqual(found[1:], sorted(found[1:], key=dict((word, cost) for word, _, cost in arcs["any"]).get))
        walks, length = 256, 60
        history, states, seen = torch.zeros(walks, 1, dtype=torch.long), [start] * walks, set()
        with mock.patch.object(search, "ENDS", 1):
            table = search.Words(tables, weights())
            for _ in range(length):
                chosen = rng.integers(1, len(found), walks)
                nats, history = table.trigram(history, torch.from_numpy(chosen)[:, None])
                for b, number in enumerate(chosen):
                    seen.add((states[b], found[number]))
                    cost, states[b] = back_off((arcs, back, start), states[b], found[number])
                    self.assertAlmostEqual(float(nats[b]), -cost, delta=1.5 * STEP + 1e-5)            # at most three numbers, each rounded
        self.assertEqual(len(seen), len(vocabulary) * (1 + len(back)))

    def test_every_word_is_at_the_end_of_its_phones_and_the_cheapest_below_is_anticipated(self):
        rng = np.random.default_rng(2)
        automaton = automaton_of(rng, list(SAID))
        tables, vocabulary = words.build(lexicon_of(SAID), *automaton)
        first, kind, ends, word, ahead = (tables[name].tolist() for name in ("first", "kind", "ends", "word", "ahead"))
        rank = tables["rank"].reshape(-1, LABELS).tolist()
        self.assertEqual((first[0], first[-1], len(kind), len(ends)), (1, len(kind), len(first) - 1, len(first)))
        unigram, below = {name: cost for name, _, cost in automaton[0]["any"]}, defaultdict(list)
        for name, ways in SAID.items():
            for phones in ways:
                node = 0
                for phone in phones:
                    self.assertEqual(sorted(filter(None, rank[kind[node]])), list(range(1, 1 + first[node + 1] - first[node])))
                    node = first[node] - 1 + rank[kind[node]][phone]
                    below[node].append(unigram[name])
                self.assertIn(name, [vocabulary[number] for number in word[ends[node]:ends[node + 1]]])
        self.assertEqual(sorted(below), list(range(1, len(kind))))
        self.assertEqual(len(word) - 1, sum(len(ways) for ways in SAID.values()))
        self.assertEqual(ahead, [0] + [round(min(below[node]) / STEP) for node in range(1, len(kind))])
        self.assertEqual(search.Words(tables, weights()).roots, first[1])
        self.assertEqual(set(range(1, first[1])), set(range(first[0], first[1])))

    def test_the_hash_table_finds_every_entry(self):
        rng = np.random.default_rng(3)
        entries = sorted({(int(history), int(word)) for history, word in rng.integers(1, 3000, (4000, 2))})
        buckets = int(len(entries) / .93 / words.PLACES) | 1
        places, marks = words.cuckoo(entries, buckets)
        self.assertEqual(len(set(places.tolist())), len(entries))
        empty, room = torch.zeros(3000, dtype=torch.int32), buckets * words.PLACES
        tables = dict(marks=torch.from_numpy(marks.astype(np.int32)), first=torch.tensor([1, 1]), shorter=empty, backoff=empty, unigram=empty + 255,
                      unigram_next=empty, scores=torch.zeros(room, dtype=torch.uint8), nexts=torch.full((room,), -1, dtype=torch.int32))
        tables["nexts"][places] = torch.arange(len(entries), dtype=torch.int32)
        with mock.patch.object(search, "ENDS", len(entries)):
            history, word = torch.tensor(entries).T[:, None]
            nats, following = search.Words(tables, weights()).trigram(history, word)
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
        number = lexicon.NUMBER
        self.assertEqual(found.said["a"], [(number["AH"],), (number["EY"],)])
        self.assertEqual(found.encode("bee a"), [number["B"], number["IY"], number["AH"]])
        self.assertIsNone(found.encode("bee sea"))
        self.assertEqual(LABELS, 40)

    def test_pronunciations_are_read_off_a_decoding_graph(self):
        kinds = ("begin", "end", "internal", "singleton")
        vosk = lambda phone, kind: lexicon.SILENCES + 1 + 4 * (lexicon.NUMBER[phone] - 1) + kinds.index(kind)
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

    def test_what_fits_of_an_earlier_model_is_taken_over_and_the_joiner_starts_silent(self):
        rng, mine = np.random.default_rng(0), Model().state_dict()
        earlier = {name: torch.from_numpy(rng.normal(size=value.shape)).half() for name, value in mine.items()}
        earlier.update({"ctc.weight": torch.zeros(500, 384), "ctc.bias": torch.zeros(500), "gone.weight": torch.zeros(3)})
        weights, fresh = init.assemble(earlier)
        self.assertEqual(fresh, [name for name in mine if name.startswith(("ctc.", "joiner_out."))])
        for name in mine:
            if name not in fresh:
                torch.testing.assert_close(weights[name], earlier[name].float(), msg=name)
        self.assertEqual(float(weights["joiner_out.weight"].abs().max() + weights["joiner_out.bias"].abs().max()), 0)
        Model().load_state_dict(weights)
        ear = acoustic.convert(random_parts(rng)).state_dict()
        torch.testing.assert_close(init.assemble(earlier, ear)[0]["ear.first.weight"], ear["first.weight"])
        self.assertIn("blocks.2.up.weight", init.assemble({}, ear)[1])
        with self.assertRaises(SystemExit):
            init.assemble({name: value for name, value in earlier.items() if not name.startswith("ear.")})


class Overfit(unittest.TestCase):
    def test_learns_four_clips_by_heart_and_the_exported_graph_recites_them_in_any_batch(self):
        torch.manual_seed(2)
        torch.set_num_threads(1)
        clips = [tone_words(seed) for seed in (1, 4, 11, 7)]            # no two begin or go on alike
        longest = -(-(max(len(wave) for wave, _ in clips) + FLUSH_SAMPLES) // CHUNK_SAMPLES) * CHUNK_SAMPLES
        wave = torch.stack([F.pad(torch.from_numpy(w), (0, longest - len(w))) for w, _ in clips])
        targets, lengths = torch.tensor([labels for _, labels in clips]), torch.full((4,), 3)
        slots = torch.tensor([(len(w) + 3200) // CHUNK_SAMPLES * CHUNK_SLOTS for w, _ in clips])        # no label so late that its word misses the flush
        quiet = torch.arange(longest // CHUNK_SAMPLES * CHUNK_SLOTS) >= slots[:, None]
        model, steps = Model(), 140
        optimiser = torch.optim.AdamW(model.parameters(), 8e-4)
        falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 10) * (.5 + .5 * math.cos(math.pi * step / steps)))
        for step in range(steps):
            encoded = model.encode(wave)
            logp = model.labels(encoded).log_softmax(-1)
            loss = losses.ctc_loss(logp, slots, targets, lengths).sum() / targets.numel() - logp[..., BLANK][quiet].mean()
            if step >= 40:
                first = losses.ctc_align(logp.detach(), slots, targets, lengths)
                loss = loss + losses.transducer_loss(model, encoded, slots, targets, lengths, first).sum() / targets.numel()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
            optimiser.step()
            falling.step()
        self.assertLess(float(loss.detach()), .6)
        names, model = [f"w{i}" for i in range(1, TONES + 1)], model.eval()
        tables, vocabulary = words.build(lexicon_of({name: [(i,)] for i, name in enumerate(names, 1)}), *equally_likely(names))
        model.words = search.Words(tables, weights(.5))
        with torch.no_grad():
            projected = model.project(model.encode(F.pad(wave, (0, sweep.FLUSH_CHUNKS * CHUNK_SAMPLES))))
        self.assertEqual(sweep.search(model, projected, torch.full((4,), projected.shape[1] // CHUNK_SLOTS)), [labels for _, labels in clips])
        with tempfile.TemporaryDirectory() as folder:
            write_graph(model, os.path.join(folder, "model.onnx"))
            with open(os.path.join(folder, "tokens.txt"), "w") as file:
                file.writelines(f"{word if i == BLANK else chr(0x2581) + word} {i}\n" for i, word in enumerate(vocabulary))
            write_manifest(folder, {})
            manifest = json.load(open(os.path.join(folder, "manifest.json")))
            self.assertEqual([file["path"] for file in manifest["files"]], ["model.onnx", "tokens.txt"])
            self.assertEqual(manifest["flushMs"], 900)
            graph = Recogniser(folder)
            for batch in (1, 3):
                found = graph.transcribe([w for w, _ in clips], batch)
                self.assertEqual([graph.text(result.tokens) for result in found], [" ".join(names[label - 1] for label in labels) for _, labels in clips])
                for result in found:
                    self.assertTrue(all(shown <= said for shown, said in zip(result.shown, result.steps)))
                    self.assertEqual([last - first for first, last in result.frames], [0] * 3)             # words of one label


if __name__ == "__main__":
    unittest.main()
