"""Dev word error rate against the blank penalty (what export.py subtracts from the blank's logit), whole utterances.

    python sweep.py --work $WORK_DIR/data --checkpoint leg.pt [--penalties 0 0.5 1 1.5 2]
"""
import argparse

import sentencepiece
import torch

from common import BLANK, Corpus, edit_counts
from export import load_model
from model import greedy


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--penalties", type=float, nargs="*", default=[0, .5, 1, 1.5, 2, 3])
    parser.add_argument("--clips", type=int, default=10 ** 6)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    corpus, model = Corpus(args.work), load_model(args.checkpoint)
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{args.work}/bpe.model")
    rows = [row for row in corpus.split("dev") if row["source"] != "robotutor_words"][:args.clips]
    rows.sort(key=lambda row: row["samples"])
    encoded = []
    for start in range(0, len(rows), 16):
        part = rows[start:start + 16]
        chunks = [-(-(row["samples"] + 8000) // 1600) for row in part]
        wave = torch.zeros(len(part), max(chunks) * 1600)
        for i, row in enumerate(part):
            wave[i, :row["samples"]] = torch.from_numpy(corpus.wave(row))
        encoded.append((part, model.encode(wave), 2 * torch.tensor(chunks)))
    blank = model.joiner_out.bias[BLANK].item()
    for penalty in args.penalties:
        model.joiner_out.bias[BLANK] = blank - penalty
        errors = words = 0
        for part, features, frames in encoded:
            for row, tokens in zip(part, greedy(model, features, frames)):
                wrong, count = edit_counts(row["text"], pieces.decode(tokens))
                errors, words = errors + wrong, words + count
        print(f"penalty {penalty}: {100 * errors / words:.1f} % of {words} words", flush=True)
    errors = words = 0
    for part, features, frames in encoded:
        for i, row in enumerate(part):
            path = torch.unique_consecutive(model.ctc(features[i, :frames[i]]).argmax(-1)).tolist()
            wrong, count = edit_counts(row["text"], pieces.decode([token for token in path if token != BLANK]))
            errors, words = errors + wrong, words + count
    print(f"CTC head alone: {100 * errors / words:.1f} %")


if __name__ == "__main__":
    main()
