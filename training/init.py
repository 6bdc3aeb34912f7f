"""Turn Whisper tiny.en's encoder into the first checkpoint of the streaming model.

    python init.py --work $WORK_DIR/data --whisper model.bin --out $WORK_DIR/init.pt
    python init.py --ear final.mdl --start leg6.pt --out $WORK_DIR/eared.pt      # or: give a trained one its second ear (acoustic.py)

Convolutions, blocks and final norm are copied. The distance biases start from the difference, per head and distance,
between the original's mean attention score (positions in) and the position-free student's, measured on train clips.
"""
import argparse
import random

import torch
import torch.nn.functional as F

import acoustic
from common import Corpus, SAMPLE_RATE
from kaldi import read_components
from model import MERGE_AFTER, Model
from whisper import HEADS, Teacher, WIDTH, heads, read_ct2


def mean_by_distance(scores, scale=1, reach=400):
    """(B, 6, T, T) -> (6, 2 * reach + 1) means over pairs at key - query = d * scale, NaN where none."""
    length = scores.shape[-1]
    out = torch.full((HEADS, 2 * reach + 1), float("nan"))
    for d in range(-reach, reach + 1):
        if abs(d * scale) < length - 8:
            out[:, d + reach] = scores.diagonal(d * scale, -2, -1).mean((0, 2))
    return out


def raw_scores(block, x):
    q, k, _ = (heads(part) for part in block.qkv(block.norm1(x)).chunk(3, -1))
    return q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -.5


@torch.no_grad()
def fit_biases(student, teacher, waves, reach=60):
    """Blocks one after another, each on what the student's earlier blocks already produce."""
    features = student.frontend(waves) - student.frontend.offset
    original = features + teacher.positions[:features.shape[1]]
    x = features + student.frontend.offset
    for i, block in enumerate(student.blocks):
        scale = 1 if i < MERGE_AFTER else 2
        if i == MERGE_AFTER:
            x = student.merge(x.unflatten(1, (-1, 2)).flatten(2))
        wanted = mean_by_distance(raw_scores(teacher.blocks[i], original), scale, reach)
        have = mean_by_distance(raw_scores(block, x), 1, reach)
        gap = torch.nan_to_num(wanted - have)
        columns = torch.arange(block.bias.shape[1]) - block.nearest + reach
        block.bias.copy_(gap[:, columns.clamp(0, 2 * reach)])
        scores = raw_scores(teacher.blocks[i], original).softmax(-1)
        value = heads(teacher.blocks[i].qkv(teacher.blocks[i].norm1(original))[..., 2 * WIDTH:])
        original = teacher.blocks[i].feed(original + teacher.blocks[i].out((scores @ value).transpose(1, 2).flatten(2)))
        x = block(x)
    target = teacher.norm(original).unflatten(1, (-1, 2)).mean(2)
    return F.cosine_similarity(student.norm(x), target, -1).mean()


@torch.no_grad()
def convert(teacher, pieces, seed=1):
    torch.manual_seed(seed)
    student = Model(pieces)
    for name in ("conv1", "conv2"):
        getattr(student.frontend, name).load_state_dict(getattr(teacher, name).state_dict())
    # the mel scale here is Whisper's shifted so that silence is 0: (log10 + 4) / 4 = ours + (FLOOR + 4) / 4
    from model import FLOOR
    student.frontend.conv1.bias += (FLOOR + 4) / 4 * student.frontend.conv1.weight.sum((1, 2))
    student.frontend.offset.copy_(teacher.positions[8:250].mean(0))
    for mine, theirs in zip(student.blocks, teacher.blocks):
        mine.load_state_dict(theirs.state_dict(), strict=False)
    student.norm.load_state_dict(teacher.norm.state_dict())
    student.merge.weight.copy_(torch.cat([torch.eye(WIDTH), torch.eye(WIDTH)], 1) / 2)
    student.merge.bias.zero_()
    return student


def give_ear(checkpoint, path):
    """A checkpoint without the second ear -> the same with Vosk's untrained-on one, which nothing listens to yet."""
    model = Model(checkpoint["pieces"])
    weights = {**model.state_dict(), **checkpoint.get("mean", checkpoint["model"])}
    weights.update({f"ear.{name}": value for name, value in acoustic.convert(read_components(path)).state_dict().items()})
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return dict(model=model.state_dict(), pieces=checkpoint["pieces"], step=0, hours=checkpoint["hours"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work")
    parser.add_argument("--whisper")
    parser.add_argument("--ear", help="Vosk's final.mdl")
    parser.add_argument("--start", help="checkpoint that gets it")
    parser.add_argument("--out", required=True)
    parser.add_argument("--pieces", type=int, default=500)
    args = parser.parse_args()
    if args.ear:
        torch.save(give_ear(torch.load(args.start, map_location="cpu"), args.ear), args.out)
        return
    corpus, teacher = Corpus(args.work), Teacher(read_ct2(args.whisper)).eval()
    student = convert(teacher, args.pieces).eval()
    rows = [row for row in corpus.split("train") if 6 * SAMPLE_RATE < row["samples"] < 9 * SAMPLE_RATE]
    rows = random.Random(3).sample(rows, 24)
    waves = torch.stack([torch.from_numpy(corpus.wave(row)[:6 * SAMPLE_RATE]) for row in rows])
    print(f"cosine to the offline encoder: {float(fit_biases(student, teacher, waves)):.3f}")
    torch.save(dict(model=student.state_dict(), pieces=args.pieces, step=0, hours=0.), args.out)


if __name__ == "__main__":
    main()
