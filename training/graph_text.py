"""Sentences drawn from the word n-gram that comes with Vosk's small English model, as text for language.py.

    fstprint --save_isymbols=gr.syms Gr.fst > gr.txt          # Debian: libfst-tools, libfst22-plugins-base (on LD_LIBRARY_PATH)
    python graph_text.py --graph gr.txt --out $WORK_DIR/data/drawn.txt --sentences 300000

A state of the automaton is a history. Its arcs are the words seen after it, and one arc without a word that backs off to the
shorter history. A draw backs off with the probability that the words seen leave over.
"""
import argparse

import numpy as np

LONGEST = 30                         # words


def read(path):
    """-> {state: (words, probabilities summed up, next states, state to back off to)}, start."""
    arcs, finals, start = {}, {}, None
    with open(path, encoding="utf8") as lines:
        for line in lines:
            parts = line.split()
            state = int(parts[0])
            start = state if start is None else start
            if len(parts) < 4:
                finals[state] = float(parts[1]) if len(parts) > 1 else 0.
                continue
            arcs.setdefault(state, []).append((parts[2], float(parts[4]) if len(parts) > 4 else 0., int(parts[1])))
    graph = {}
    for state in set(arcs) | set(finals):
        words, chances, nexts, back = [], [], [], None
        for word, cost, target in arcs.get(state, ()):
            if word == "<eps>":
                back = target
            else:
                words.append(word)
                chances.append(np.exp(-cost))
                nexts.append(target)
        if state in finals:
            words.append(None)
            chances.append(np.exp(-finals[state]))
            nexts.append(-1)
        graph[state] = (words, np.cumsum(chances), nexts, back)
    return graph, start


def draw(graph, start, rng):
    state, sentence = start, []
    while len(sentence) < LONGEST:
        words, sums, nexts, back = graph[state]
        at = rng.random() * (1 if back is not None else sums[-1])
        index = int(np.searchsorted(sums, at)) if len(sums) else 0
        if index >= len(words):
            if back is None:
                index = len(words) - 1
            else:
                state = back
                continue
        if words[index] is None:
            break
        sentence.append(words[index])
        state = nexts[index]
    return sentence


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sentences", type=int, default=300_000)
    args = parser.parse_args()
    graph, start = read(args.graph)
    rng = np.random.default_rng(1)
    with open(args.out, "w") as out:
        for _ in range(args.sentences):
            sentence = draw(graph, start, rng)
            if len(sentence) > 1 and all(word.replace("'", "").isalpha() and word.isascii() for word in sentence):
                out.write(" ".join(sentence) + "\n")


if __name__ == "__main__":
    main()
