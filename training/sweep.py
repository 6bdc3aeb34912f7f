"""Dev word error rate of the search against its three numbers: blank penalty, weight of the n-gram, bonus of a token.

    python sweep.py --work $WORK_DIR/data --checkpoint leg.pt [--penalties 0.5 1] [--languages 0.2 0.3] [--bonuses 1 1.5]

The encoder runs once; the search (`Model.search`, as in the step) runs for every combination.
"""
import argparse
import itertools

import sentencepiece
import torch

from common import BLANK, Corpus, FRAMES_PER_CHUNK, edit_counts
from export import load_model
from model import BEAM, DELAY, Language, NEVER

FLUSH_SAMPLES = 8000


@torch.no_grad()
def encode(model, corpus, rows, batch=16):
    """-> [(rows, what the joiner takes from each frame (B, T, JOINT + pieces), chunks (B,))]"""
    parts = []
    for start in range(0, len(rows), batch):
        part = rows[start:start + batch]
        chunks = torch.tensor([-(-(row["samples"] + FLUSH_SAMPLES) // 1600) for row in part])
        wave = torch.zeros(len(part), int(chunks.max()) * 1600)
        for i, row in enumerate(part):
            wave[i, :row["samples"]] = torch.from_numpy(corpus.wave(row))
        parts.append((part, model.project(model.encode(wave)), chunks))
    return parts


@torch.no_grad()
def search(model, projected, chunks):
    """-> token lists, as the step would say them."""
    batch = len(projected)
    _, _, last = model.empty_state(batch)
    beam, started, out = torch.zeros(batch, BEAM * (1 + DELAY)), torch.ones(batch, 1), [[] for _ in range(batch)]
    beam[:, 1:BEAM] = NEVER                                           # as the silent first step of a stream leaves it
    for chunk in range(int(chunks.max())):
        frames = projected[:, chunk * FRAMES_PER_CHUNK:(chunk + 1) * FRAMES_PER_CHUNK]
        found, _, beam, last = model.search(frames, beam, last, started)
        for b in range(batch):
            if chunk < chunks[b]:
                out[b] += [int(token) for token in found[b] if token >= 0]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--penalties", type=float, nargs="*", default=[.5, 1, 1.5])
    parser.add_argument("--languages", type=float, nargs="*", default=[.2, .3, .4])
    parser.add_argument("--bonuses", type=float, nargs="*", default=[1, 1.5, 2])
    parser.add_argument("--every", type=int, default=1, help="take every n-th dev clip")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    corpus, model = Corpus(args.work), load_model(args.checkpoint)
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{args.work}/bpe.model")
    rows = sorted(corpus.split("dev")[::args.every], key=lambda row: row["samples"])
    parts, blank = encode(model, corpus, rows), model.joiner_out.bias[BLANK].item()
    scores, following = model.language.scores, model.language.following
    for penalty, weight, bonus in itertools.product(args.penalties, args.languages, args.bonuses):
        with torch.no_grad():
            model.joiner_out.bias[BLANK] = blank - penalty
        model.language = Language(model.pieces, scores, following, weight, bonus)
        errors = words = 0
        for part, projected, chunks in parts:
            for row, tokens in zip(part, search(model, projected, chunks)):
                wrong, count = edit_counts(row["text"], pieces.decode(tokens))
                errors, words = errors + wrong, words + count
        print(f"penalty {penalty}, n-gram {weight}, bonus {bonus}: {100 * errors / words:.1f} % of {words} words", flush=True)


if __name__ == "__main__":
    main()
