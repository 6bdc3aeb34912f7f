"""The word trigram of the search: Vosk's, printed by fstprint, mixed with trigrams counted in texts.

A history is a tuple of up to two words. Probabilities of a mixture are mixtures of probabilities; it is a back-off trigram again, which lists
what any of its parts lists (of counted triples those that pay) and backs off with what is left.
"""
import json
import math
import re
from collections import Counter, defaultdict

from common import Corpus
from kaldi import printed_arcs

START, END = "<s>", "</s>"
PAYS = 2.                            # nats that a counted pair or triple must save in the text it comes from, to be listed


def transcripts(corpus, pseudo=None):
    """-> sentences (lists of words): what the train clips say, and pseudo_label.py's file if there is one."""
    found = [row["text"].split() for row in Corpus(corpus).split("train")]
    if pseudo:
        with open(pseudo) as lines:
            found += [json.loads(line)["text"].split() for line in lines]
    return found


def sentences(text, vocabulary):
    """A book -> its sentences; those with digits, of which nobody knows how they are read, are left out."""
    text = text.replace("\u2019", "'").replace("--", " ").replace("_", " ")
    for part in re.split(r"[.!?;:]+[\"')\s]|\n\s*\n|[\"\u201c\u201d()\[\]]", text):
        if re.search(r"\d", part):
            continue
        pairs = ((word, word.strip("'")) for word in re.sub(r"[^a-z' ]+", " ", part.lower()).split())
        words = [word if word in vocabulary and bare not in vocabulary else bare for word, bare in pairs if bare]
        if len(words) > 1:
            yield words


class Printed:
    """A printed back-off trigram, finals included."""

    def __init__(self, path):
        self.arcs, self.back, finals, start = {}, {}, {}, None
        for state, following, word, _, cost in printed_arcs(path, finals):
            start = state if start is None else start
            if word == "<eps>":
                self.back[state] = (following, cost)
            else:
                self.arcs.setdefault(state, {})[word] = (following, cost)
        for state, cost in finals.items():
            self.arcs.setdefault(state, {})[END] = (None, cost)
        top, = (state for state in self.arcs if state not in self.back)
        histories = {top: (), start: (START,)}
        for words in (1, 2):
            for state, history in list(histories.items()):
                for word, (following, _) in self.arcs.get(state, {}).items():
                    if word != END and len(history) == words - 1:
                        histories.setdefault(following, (*history, word))
        self.states = {history: state for state, history in histories.items()}

    def listed(self, history):
        return self.arcs.get(self.states.get(history), {})

    def probability(self, history, word):
        while history not in self.states:
            history = history[1:]
        state, paid = self.states[history], 0.
        while word not in self.arcs.get(state, {}):
            state, cost = self.back[state]
            paid += cost
        return math.exp(-paid - self.arcs[state][word][1])


class Counted:
    """Witten and Bell's trigram of sentences (lists of words), which falls back on `rest(word)`; what is not in `vocabulary` is a gap."""

    def __init__(self, sentences, vocabulary, rest):
        self.counts, self.rest = defaultdict(Counter), rest
        for sentence in sentences:
            history = (START,)
            for word in (*sentence, END):
                if word != END and word not in vocabulary:
                    history = ()
                    continue
                for words in range(1 + len(history)):
                    self.counts[history[len(history) - words:]][word] += 1
                history = (*history, word)[-2:]
        self.totals = {history: (sum(counts.values()), len(counts)) for history, counts in self.counts.items()}

    def listed(self, history):
        return self.counts.get(history, {})

    def probability(self, history, word):
        shorter = self.probability(history[1:], word) if history else self.rest(word)
        if history not in self.totals:
            return shorter
        total, kinds = self.totals[history]
        return (self.counts[history].get(word, 0) + kinds * shorter) / (total + kinds)


def mixture(models, weights):
    """First of the models a Printed, the vocabulary's -> arcs {history: [(word, next history, cost)]}, back {history: (shorter, cost)}, start: as
    words.build takes them, costs in nats."""
    def probability(history, word):
        return sum(weight * model.probability(history, word) for model, weight in zip(models, weights))

    def lower(history, word):
        """As the mixture says it, once the shorter histories are listed."""
        paid = 1.
        while word not in listed.get(history, ()):
            paid *= left.get(history, 1.)
            history = history[1:]
        return paid * listed[history][word]

    def reached(history):
        return len(history) == 1 or history[1] in listed.get(history[:1], ())

    printed, counted = models[0], models[1:]
    listed, left = {(): {word: probability((), word) for word in printed.listed(())}}, {}
    for length in (1, 2):
        histories = [history for history in printed.states if len(history) == length]
        histories += sorted({history for model in counted for history in model.counts if len(history) == length and reached(history)} - set(histories))
        for history in histories:
            here = {word: probability(history, word) for word in printed.listed(history)}
            for model in counted:
                for word, count in model.listed(history).items():
                    if word not in here and word != END:
                        likely = probability(history, word)
                        if count * math.log(likely / lower(history[1:], word)) > PAYS:
                            here[word] = likely
            if here or history in printed.states:
                here[END] = probability(history, END)
                listed[history] = here
                left[history] = max(1e-4, 1 - sum(here.values())) / max(1e-4, 1 - sum(lower(history[1:], word) for word in here))
    arcs, back = defaultdict(list), {}
    for history, here in listed.items():
        if history:
            back[history] = (next(shorter for shorter in (history[1:], ()) if shorter in listed), -math.log(left[history]))
        for word, likely in here.items():
            if word != END:
                following = next(longer for longer in ((*history, word)[-2:], (word,), ()) if longer in listed)
                arcs[history].append((word, following, -math.log(likely)))
    return dict(arcs), back, (START,)
