"""Tables of the search (search.py) from a lexicon and a printed word trigram.

    fstprint Gr.fst > gr.txt
    python words.py --lexicon lexicon.txt --graph gr.txt [--work $WORK_DIR/data --pseudo pseudo.jsonl] [--books book.txt] --out words.pt
"""
import argparse

import numpy as np
import torch

from language import Counted, Printed, mixture, sentences, transcripts
from kaldi import transition_states
from lexicon import LABELS, Lexicon, PHONES, SILENCE, pair_outputs, read_graph
from search import PLACES, STEP, find


def units(costs, limit=255):
    """Nats -> uint8 in units of STEP."""
    return torch.from_numpy(np.clip(np.round(np.asarray(costs) / STEP), 0, limit).astype(np.uint8))


def tree(lexicon, number, costs):
    """-> first, kind, rank, ahead, ends, word of the prefix tree: children and words of a node are consecutive, and the root's first child is the
    silence between words, whose children are the root's others. Nodes of a kind have children of the same labels; rank (kinds x LABELS) says which child
    a label leads to, from 1."""
    root = {}
    for word, spellings in lexicon.said.items():
        if word in number:
            for labels in spellings:
                node = root
                for label in labels:
                    node = node.setdefault(label, {})
                node.setdefault("words", []).append(number[word])
    children = lambda node: {label: child for label, child in node.items() if isinstance(label, int)}
    queue = list(root.values())
    for node in queue:                          # breadth first: children are consecutive
        queue += children(node).values()
    for node in reversed(queue):
        node["ahead"] = min([child["ahead"] for child in children(node).values()] + [costs[w] for w in node.get("words", [])])
    first, kind, ahead, ends, words = [1, 2], [1, 2], [0, 0], [0, 0], []
    kinds = {(): 0, (SILENCE, *root): 1, tuple(root): 2}
    position = 2 + len(root)
    for node in queue:
        labels = tuple(children(node))
        first.append(position)
        position += len(labels)
        kind.append(kinds.setdefault(labels, len(kinds)))
        ahead.append(node["ahead"])
        ends.append(len(words))
        words += sorted(node.get("words", []), key=lambda w: costs[w])
    first.append(position)
    ends.append(len(words))
    rank = np.zeros((len(kinds), LABELS), np.uint8)
    for row, labels in enumerate(kinds):
        rank[row, list(labels)] = 1 + np.arange(len(labels))
    return dict(first=torch.tensor(first, dtype=torch.int32), kind=torch.tensor(kind, dtype=torch.int16), rank=torch.from_numpy(rank.flatten()), ahead=units(ahead),
                ends=torch.tensor(ends, dtype=torch.int32), word=torch.tensor(words + [0], dtype=torch.int32))


def outputs(onset, hold):
    """lexicon.pair_outputs -> onset, hold (LABELS ** 2,), begins (1 + phones, n): for silence and each phone all the outputs that stand for its beginning, the first of them
    again where others have more."""
    begins = [sorted(set(column[column > 0].tolist())) or [0] for column in (onset[:, :1], *np.split(onset[:, 1:], len(PHONES), 1))]
    most = max(map(len, begins))
    return dict(onset=torch.from_numpy(onset.flatten()), hold=torch.from_numpy(hold.flatten()),
                begins=torch.tensor([here + here[:1] * (most - len(here)) for here in begins], dtype=torch.int16))


def cuckoo(entries, buckets):
    """[(history, word)] -> place of each in a table of `buckets` of PLACES, two buckets to choose from."""
    history, word = (np.array(column, dtype=np.int64) for column in zip(*entries))
    choices, mark = find(history, word, buckets)
    choices = np.stack(choices, 1)
    table, rng = np.full((buckets, PLACES), -1, np.int64), np.random.default_rng(1)
    fill = np.zeros(buckets, np.int64)
    fill[0] = 1                                 # the first place of all stays empty: 0 says "not there"
    for entry in range(len(entries)):
        item, came = entry, -1
        for _ in range(2000):
            a, b = choices[item]
            bucket = a if fill[a] <= fill[b] else b
            if fill[bucket] < PLACES:
                table[bucket, fill[bucket]] = item
                fill[bucket] += 1
                break
            bucket = b if came == a else a if came == b else (a, b)[rng.integers(2)]
            place = rng.integers(bucket == 0, PLACES)
            table[bucket, place], item = item, table[bucket, place]
            came = bucket
        else:
            raise SystemExit("the table is too full")
    places = np.empty(len(entries), np.int64)
    flat = table.flatten()
    places[flat[flat >= 0]] = np.nonzero(flat >= 0)[0]
    marks = np.full(buckets * PLACES, 65535, np.uint16)
    marks[places] = mark
    return places, marks


def build(lexicon, arcs, back, start, load=.92):
    """-> tables of `search.Words`, the words by number (0: none). A history is a state of the trigram, 0 its start; costs are in units of STEP."""
    unigram_state = next(state for state in arcs if state not in back)
    vocabulary = sorted((cost, word, follows) for word, follows, cost in arcs[unigram_state] if word in lexicon.said)
    number = {word: i for i, (_, word, _) in enumerate(vocabulary, 1)}       # 0: no word
    states = [start] + [state for state in back if state != start] + [unigram_state]
    name = {state: i for i, state in enumerate(states)}
    costs = [99.] + [cost for cost, _, _ in vocabulary]
    entries, values, nexts = [], [], []
    for state, out in arcs.items():
        if state == unigram_state:
            continue
        for word, follows, cost in out:
            if word in number:
                entries.append((name[state], number[word]))
                values.append(cost)
                nexts.append(name[follows])
    buckets = int(len(entries) / load / PLACES) | 1
    places, marks = cuckoo(entries, buckets)
    scores, following = np.zeros(buckets * PLACES, np.uint8), np.zeros(buckets * PLACES, np.int32)
    scores[places], following[places] = units(values).numpy(), nexts
    shorter = [name[back[state][0]] if state in back else name[state] for state in states]
    tables = dict(tree(lexicon, number, costs), marks=torch.from_numpy(marks.astype(np.int32)), scores=torch.from_numpy(scores), nexts=torch.from_numpy(following),
                  shorter=torch.tensor(shorter, dtype=torch.int32), backoff=units([back[state][1] if state in back else 0. for state in states]),
                  unigram=units(costs), unigram_next=torch.tensor([0] + [name[follows] for _, _, follows in vocabulary], dtype=torch.int32))
    return tables, ["<blk>"] + [word for _, word, _ in vocabulary]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lexicon", required=True)
    parser.add_argument("--graph", required=True, help="the printed Gr.fst")
    parser.add_argument("--vosk", required=True, help="its folder model-en-us")
    parser.add_argument("--pairs", required=True, help="the printed HCLr.fst")
    parser.add_argument("--work", help="folder of prepare.py; what its train clips say is counted")
    parser.add_argument("--pseudo", help="pseudo_label.py's file: counted with them")
    parser.add_argument("--books", nargs="*", default=[], help="plain text, counted as well")
    parser.add_argument("--shares", type=float, nargs=2, default=[.36, .14], help="of the clips and of the books in the mixture, where they are given")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    models = [Printed(args.graph)]
    vocabulary = models[0].listed(())
    texts = []
    if args.work:
        texts.append((args.shares[0], transcripts(args.work, args.pseudo)))
    if args.books:
        texts.append((args.shares[1], [words for path in args.books for words in sentences(open(path, encoding="latin1").read(), vocabulary)]))
    shares = [share for share, _ in texts]
    models += [Counted(text, vocabulary, lambda word: models[0].probability((), word)) for _, text in texts]
    tables, words = build(Lexicon(args.lexicon), *mixture(models, [1 - sum(shares), *shares]))
    tables.update(outputs(*pair_outputs(read_graph(args.pairs), transition_states(f"{args.vosk}/am/final.mdl"))))
    torch.save(dict(tables=tables, words=words), args.out)
    print({name: (list(table.shape), table.dtype) for name, table in tables.items()}, len(words))


if __name__ == "__main__":
    main()
