"""Words and their phones: the labels of the transducer, and what the search may say.

    fstprint HCLr.fst > hclr.txt; fstprint --save_isymbols=words.syms Gr.fst > gr.txt
    python lexicon.py --vosk model-en-us --graph hclr.txt --symbols words.syms [--dictionary cmudict-en-us.dict] --out $WORK_DIR/data/lexicon.txt

Takes the pronunciations out of the decoding graph of Vosk's small English model (README.md says how to print it). The dictionary, Debian's
pocketsphinx-en-us, says which of several pronunciations training takes for a word; without it the one with the fewest IH.
"""
import argparse
from collections import defaultdict

import numpy as np

from kaldi import printed_arcs, transition_states

PHONES = ("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH").split()
NUMBER = {phone: i for i, phone in enumerate(PHONES)}
IN_WORD = ("begin", "end", "internal", "singleton")           # of a phone in its word
SILENCE, LABELS = 0, 1 + len(IN_WORD) * len(PHONES)           # a label is silence, or a phone in a place
SILENCES = 10                        # Vosk's phones: ten of silence and noise, of which 1 stands between words, then the labels in order
BETWEEN_WORDS = 1
WORD_ENDS = ("end", "singleton")


def in_places(phones):
    """Numbers of a word's phones -> its labels."""
    places = [IN_WORD.index("singleton")] if len(phones) == 1 else [IN_WORD.index("begin")] + [IN_WORD.index("internal")] * (len(phones) - 2) + [IN_WORD.index("end")]
    return tuple(1 + len(IN_WORD) * phone + place for phone, place in zip(phones, places))


class Lexicon:
    """lexicon.txt: a word, a tab, its phones; the first of a word's lines is how training says it."""

    def __init__(self, path):
        self.said = {}
        with open(path, encoding="utf8") as lines:
            for line in lines:
                word, phones = line.rstrip("\n").split("\t")
                self.said.setdefault(word, []).append(in_places([NUMBER[phone] for phone in phones.split()]))

    def encode(self, text):
        """Text -> label ids, None where a word is not known."""
        words = text.split()
        if any(word not in self.said for word in words):
            return None
        return [label for word in words for label in self.said[word][0]]


def pair_outputs(graph, states):
    """graph {state: [(next, transition id, ...)]}, states of kaldi.transition_states -> (LABELS, LABELS) arrays of int: for each label (column) after
    each (row), the network's output where it begins and the one while it lasts. 0 where no word has the pair."""
    onset, hold = np.zeros((2, LABELS, LABELS), np.int16)
    label = lambda phone: SILENCE if phone == BETWEEN_WORDS else phone - SILENCES
    seen, stack = {(0, None)}, [(0, None)]
    while stack:
        state, last = stack.pop()
        for target, transition, *_ in graph[state]:
            index, here = (transition - 1) // 2, last
            if transition and index < len(states):
                if target == state and transition % 2:
                    continue
                phone, entering, staying = states[index]
                if phone != BETWEEN_WORDS and phone <= SILENCES:
                    continue
                here = label(phone)
                if last is not None or here == SILENCE:             # what a stream starts with
                    onset[last or SILENCE, here], hold[last or SILENCE, here] = entering, staying
            if (target, here) not in seen:
                seen.add((target, here))
                stack.append((target, here))
    return onset, hold


def pronunciations(graph, phones, places, words):
    """graph {state: [(next, transition id, word)]}, phones of transition_states, {phone: its place in a word}, {number: word} ->
    {word: set of phone tuples}. Every path from the start to the end of one word; its number is on the way, or on what follows."""
    def tells_apart(transition):
        """Not of a phone: a symbol that tells words apart which sound the same."""
        return (transition - 1) // 2 >= len(phones)

    def behind(state):
        """Numbers of words whose last phone leads to the state, where the number follows."""
        for target, transition, number in graph[state]:
            if number:
                yield number
            elif tells_apart(transition):
                yield from behind(target)

    found, stack = defaultdict(set), [(0, (), 0)]
    while stack:
        state, said, word = stack.pop()
        for target, transition, number in graph[state]:
            known = word or number
            if target == state and transition % 2:
                continue
            if tells_apart(transition):
                stack.append((target, said, known))
                continue
            phone = phones[(transition - 1) // 2]
            if phone <= SILENCES:
                continue
            longer = said + (PHONES[(phone - SILENCES - 1) // 4],)
            if places[phone] not in WORD_ENDS:
                stack.append((target, longer, known))
                continue
            for ended in [known] if known else behind(target):
                found[words[ended]].add(longer)
    return found


def read_graph(path):
    """Printed HCLr.fst -> {state: [(next, transition id, word)]}."""
    graph = defaultdict(list)
    for state, target, transition, number, _ in printed_arcs(path):
        graph[state].append((target, int(transition), int(number)))
    return graph


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vosk", required=True)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--dictionary")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    graph = read_graph(args.graph)
    places = {int(phone): place for phone, place in map(str.split, open(f"{args.vosk}/graph/phones/word_boundary.int"))}
    words = {int(number): word for word, number in map(str.split, open(args.symbols, encoding="utf8"))}
    usual = defaultdict(list)
    for line in open(args.dictionary, encoding="utf8") if args.dictionary else ():
        word, *phones = line.split()
        usual[word.split("(")[0]].append(tuple(phones))
    found = pronunciations(graph, [phone for phone, *_ in transition_states(f"{args.vosk}/am/final.mdl")], places, words)
    with open(args.out, "w", encoding="utf8") as out:
        for word in sorted(found):
            if word[0] in "#[<!":
                continue
            order = {way: i for i, way in reversed(list(enumerate(usual[word])))}
            ways = sorted(found[word], key=lambda way: (order.get(way, len(order)), way.count("IH"), len(way), way))
            out.writelines(f"{word}\t{' '.join(way)}\n" for way in ways)


if __name__ == "__main__":
    main()
