"""A token n-gram of the training transcripts as a dense automaton, for the search inside the step (`Model.search`).

    python language.py --work $WORK_DIR/data --pseudo $WORK_DIR/data/pseudo.jsonl --checkpoint leg.pt [--states 8000]

A state is a context of up to four tokens; of all contexts seen, those are kept that say most which the context one token
shorter does not say already. Each has a row of log-probabilities, one for every piece (Witten-Bell, interpolated with
its shorter contexts), and a row of next states.
So a hypothesis carries one number, and a lookup is one Gather whatever the order: in a batch, hashing would cost ten
nodes an order. State 0 is the start of a stream; BLANK as a context token means "before the sentence".
"""
import argparse
from collections import Counter, defaultdict

import numpy as np
import sentencepiece
import torch

from common import BLANK, Corpus

CONTEXT = 4
SCALE = 1 / 16                      # nats a step of the stored int8
CANDIDATES = 60_000                 # contexts looked at, the most frequent


def count(sentences, weight=1, follow=None):
    """Token lists -> [{context of n tokens: Counter of the next} for n in 0..4], added to `follow` where there is one."""
    follow = follow or [defaultdict(Counter) for _ in range(CONTEXT + 1)]
    for tokens in sentences:
        history = (BLANK,) * CONTEXT + tuple(tokens)
        for i in range(CONTEXT, len(history)):
            for n in range(CONTEXT + 1):
                follow[n][history[i - n:i]][history[i]] += weight
    return follow


def distributions(follow, contexts, pieces):
    """{context: (pieces,) probabilities} for the chosen contexts; a context's suffixes must be chosen too."""
    rows = {}
    for context in sorted(contexts, key=len):
        seen = follow[len(context)][context]
        lower = rows[context[1:]] if context else np.full(pieces, 1 / (pieces - 1)) * (np.arange(pieces) != BLANK)
        kinds, total = len(seen), sum(seen.values())
        row = lower * kinds
        for token, times in seen.items():
            row[token] += times
        rows[context] = row / (total + kinds)
    return rows


def worth(follow, contexts, pieces):
    """{context of two tokens or more: what it is worth}: its count times the divergence, in nats, from the context one token shorter."""
    rows = distributions(follow, contexts, pieces)
    return {context: sum(follow[len(context)][context].values()) * float(np.sum(rows[context] * np.log((rows[context] + 1e-12) / (rows[context[1:]] + 1e-12))))
            for context in contexts if len(context) > 1}


def choose(follow, pieces, states):
    """The contexts worth most, start of stream first. A context comes with those that begin and end it: it is reached through
    the former, and stands on the latter."""
    start = (BLANK,) * CONTEXT
    kept = {start[:n]: None for n in range(CONTEXT, -1, -1)}
    kept.update({context: None for context in follow[1]})
    often = {context: total for n in range(2, CONTEXT + 1) for context, after in follow[n].items() if (total := sum(after.values())) > 1}
    seen = set(kept)
    for context in sorted(often, key=lambda context: (-often[context], context))[:CANDIDATES]:
        seen |= {context[i:] for i in range(len(context))}
    value = worth(follow, seen, pieces)
    for context in sorted(value, key=lambda context: (-value[context], context)):
        missing = []
        needed = [context]
        while needed:
            part = needed.pop()
            if part not in kept and part not in missing:
                missing.append(part)
                needed += [part[1:], part[:-1]]
        if len(kept) + len(missing) <= states:
            kept.update(dict.fromkeys(missing))
    return list(kept)


def build(sentences, pieces, states, follow=None):
    """-> scores (S, pieces) int8 in units of SCALE, following (S, pieces) int16. Column BLANK: 0, the state itself. What was counted
    before may be given."""
    follow = count(sentences, follow=follow)
    contexts = choose(follow, pieces, states)
    number, rows = {context: i for i, context in enumerate(contexts)}, distributions(follow, contexts, pieces)
    scores, following = np.zeros((len(contexts), pieces), np.int8), np.zeros((len(contexts), pieces), np.int16)
    for context, i in number.items():
        scores[i] = np.clip(np.round(np.log(np.maximum(rows[context], 1e-9)) / SCALE), -127, 0)
        for token in range(pieces):
            longer = (*context, token)[-CONTEXT:]
            while longer not in number:
                longer = longer[1:]
            following[i, token] = number[longer]
        scores[i, BLANK], following[i, BLANK] = 0, i
    return scores, following


def perplexity(scores, following, sentences):
    total = tokens = 0
    for sentence in sentences:
        state = 0
        for token in sentence:
            total, tokens = total - scores[state, token] * SCALE, tokens + 1
            state = following[state, token]
    return float(np.exp(total / tokens))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--pseudo", default="")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--states", type=int, default=8000)
    parser.add_argument("--text", help="more text, a sentence a line (graph_text.py)")
    parser.add_argument("--text-weight", type=float, default=.1, help="what a sentence of it counts")
    parser.add_argument("--text-lines", type=int, default=120_000)
    args = parser.parse_args()
    from data import load_rows
    corpus, pieces = Corpus(args.work), sentencepiece.SentencePieceProcessor(model_file=f"{args.work}/bpe.model")
    follow = None
    if args.text:
        follow = count(pieces.encode([line.strip() for line, _ in zip(open(args.text), range(args.text_lines))]), args.text_weight)
    scores, following = build([row["tokens"] for row in load_rows(corpus, pieces, args.pseudo)], pieces.get_piece_size(), args.states, follow)
    dev = [pieces.encode(row["text"]) for row in corpus.split("dev")]
    print(f"{len(scores)} states, dev perplexity {perplexity(scores, following, dev):.1f} a token")
    checkpoint = torch.load(args.checkpoint, map_location="cpu")
    checkpoint["language"] = dict(scores=torch.from_numpy(scores), following=torch.from_numpy(following))
    torch.save(checkpoint, args.checkpoint)


if __name__ == "__main__":
    main()
