"""What hotwords do: recall of rare words and word errors on dev clips, for several boosts.

    python hotwords.py --work $WORK_DIR/data --model ../models/en-tiny-streaming [--boosts 0 1 2 3]

A clip's list holds its own words that occur at most `--rare` times in the training texts (those to be found), and as many
words again and five more of other clips (which must not appear). Words that the model's vocabulary lacks are in no list: the
search cannot say them. Boosts are in nats a word piece, for search.PIECES of which a word counts; 0 is the search without hotwords.
"""
import argparse
import random
from collections import Counter

import numpy as np

from calibrate import match
from common import Corpus, edit_counts
from export import WORD_START
from streaming import Recogniser


def edges(phrases, boost, room):
    """Word numbers of each phrase -> (room, 5) int32, as src/inference/hotwords.ts makes them."""
    tree, table, nodes = {}, [], 0
    for ids in phrases:
        node = tree
        for token in ids:
            node = node.setdefault(token, {})
        node[None] = True
    stack = [(tree, 0, 0)]
    while stack:
        node, number, debt = stack.pop()
        for token, child in node.items():
            if token is None:
                continue
            owed, target = 0 if None in child else debt + round(boost * 1000), 0
            if set(child) - {None}:
                nodes += 1
                target = nodes
                stack.append((child, target, owed))
            table.append([number, token, target, round(boost * 1000), owed])
    out = np.zeros((room, 5), np.int32)
    out[:min(room, len(table))] = table[:room]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--boosts", type=float, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--rare", type=int, default=8)
    args = parser.parse_args()
    corpus, graph = Corpus(args.work), Recogniser(args.model)
    numbers, chooser = {piece[1:]: i for i, piece in enumerate(graph.pieces) if piece.startswith(WORD_START)}, random.Random(1)
    known = Counter(word for row in corpus.split("train") for word in row["text"].split())
    rows = [row for row in corpus.split("dev") if row["source"] != "robotutor_words"]
    wanted = [[word for word in row["text"].split() if len(word) > 4 and known[word] <= args.rare and word in numbers] for row in rows]
    chosen = [i for i, words in enumerate(wanted) if words]
    rows, wanted = [rows[i] for i in chosen], [wanted[i] for i in chosen]
    every = sorted({word for words in wanted for word in words})
    others = [chooser.sample([word for word in every if word not in row["text"].split()], len(words) + 5) for row, words in zip(rows, wanted)]
    waves = [corpus.wave(row) for row in rows]
    for boost in args.boosts:
        lists = [edges([[numbers[word]] for word in words + false], boost, graph.manifest["hotwordEdges"]) if boost
                 else graph.no_hotwords(1)[0] for words, false in zip(wanted, others)]
        found = heard = wrong = errors = words = 0
        for row, mine, false, result in zip(rows, wanted, others, graph.transcribe(waves, 32, lists)):
            text = graph.text(result.tokens)
            right = {i for i, _ in match(row["text"].split(), text.split())}
            found += sum(word in mine and i in right for i, word in enumerate(row["text"].split()))
            heard += len(mine)
            wrong += sum(text.split().count(word) for word in false)
            count = edit_counts(row["text"], text)
            errors, words = errors + count[0], words + count[1]
        print(f"boost {boost:g}: {len(rows)} clips, {100 * found / heard:.1f} % of {heard} rare words found, {wrong} heard that were not said, "
              f"word errors {100 * errors / words:.1f} %", flush=True)


if __name__ == "__main__":
    main()
