"""Dev word error rate of the search against its weights (search.Weights).

    python sweep.py --work $WORK_DIR/data --words words.pt --checkpoint leg.pt --vary trigram=.8,.9 word=-1,-1.5

The encoder runs once; the search (`Model.search`, as in the step) runs for every combination.
"""
import argparse
import itertools

import torch
import torch.nn.functional as F

from common import CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, edit_counts
from export import load_model
from model import LOOKAHEAD_CHUNKS
from search import BEAM, DELAY, QUEUE, Weights

FLUSH_CHUNKS = DELAY // CHUNK_SLOTS + QUEUE          # until the last word is due, and a step for each that waits with it


@torch.no_grad()
def encode(model, corpus, rows, batch=16):
    """-> [(rows, outputs of each slot (B, 3 chunks, 2192), chunks (B,) of each clip, flush included)]"""
    parts = []
    for start in range(0, len(rows), batch):
        part = rows[start:start + batch]
        chunks = torch.tensor([-(-row["samples"] // CHUNK_SAMPLES) + FLUSH_CHUNKS for row in part])
        wave = torch.zeros(len(part), int(chunks.max()) * CHUNK_SAMPLES)
        for i, row in enumerate(part):
            wave[i, :row["samples"]] = torch.from_numpy(corpus.wave(row))
        parts.append((part, model.encode(wave), chunks))
    return parts


@torch.no_grad()
def search(model, outputs, chunks):
    """-> lists of word numbers, as the step would say them."""
    small, last = model.empty_state(len(outputs))
    beam, said = small[:, -BEAM:], [[] for _ in range(len(outputs))]
    outputs = F.pad(outputs, (0, 0, LOOKAHEAD_CHUNKS * CHUNK_SLOTS, 0))          # a stream's first step answers for what was before it
    for step, slots in enumerate(outputs.split(CHUNK_SLOTS, 1)):
        found, *_, beam, last = model.search(slots, beam, last, torch.full((len(outputs), 1), float(step)))
        for b in range(len(outputs)):
            if step < chunks[b] + LOOKAHEAD_CHUNKS:
                said[b] += [int(word) for word in found[b] if word >= 0]
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True, nargs="+", help="of several the mean")
    parser.add_argument("--words", required=True, help="tables of words.py")
    parser.add_argument("--vary", nargs="*", default=[], metavar="NAME=NUMBER,NUMBER", help="weights to try in every combination")
    parser.add_argument("--every", type=int, default=1, help="take every n-th dev clip")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    corpus, (model, vocabulary) = Corpus(args.work), load_model(args.checkpoint, args.words)
    rows = sorted(corpus.split("dev")[::args.every], key=lambda row: row["samples"])
    parts, vary = encode(model, corpus, rows), dict(weight.split("=") for weight in args.vary)
    for numbers in itertools.product(*(map(float, choices.split(",")) for choices in vary.values())):
        model.words.weights = Weights(**dict(zip(vary, numbers)))
        errors = words = 0
        for part, outputs, chunks in parts:
            for row, said in zip(part, search(model, outputs, chunks)):
                wrong, count = edit_counts(row["text"], " ".join(vocabulary[word] for word in said))
                errors, words = errors + wrong, words + count
        print(f"{model.words.weights}: {100 * errors / words:.1f} % of {words} words", flush=True)


if __name__ == "__main__":
    main()
