"""A checkpoint to train from: Vosk's acoustic network as the ear, attention blocks and heads from an earlier model.

    python init.py --ear final.mdl --start checkpoint.pt --out $WORK_DIR/init.pt

The earlier model is one with Whisper's front, this repository's up to 1.2.0 (`git show <commit>:training/checkpoints/...`): its three
upper blocks know spelling already, the lowest of them starts with nothing to say (it knew another front).
"""
import argparse

import torch

import acoustic
from kaldi import read_components
from model import BLOCKS, Model

DROPPED = ("frontend", "merge", "ear", "join_ear")
LOWER_BLOCKS = 1                     # of four
PLACES = 2                           # what a column of the bias table of block 2 means shifts by: it looked a chunk ahead


def one_ear(weights, ear):
    """{name: tensor} of a model with Whisper's front, {name: tensor} of an ear -> weights of `Model`; join_ear starts at random."""
    if {int(name.split(".")[1]) for name in weights if name.startswith("blocks.")} != set(range(LOWER_BLOCKS + BLOCKS)):
        raise SystemExit(f"expected {LOWER_BLOCKS + BLOCKS} blocks")
    pieces = weights["ctc.weight"].shape[0]
    out = {**Model(pieces).state_dict(), **{f"ear.{name}": value for name, value in ear.items()}}
    for name, value in weights.items():
        first, *rest = name.split(".")
        if first in DROPPED or first == "blocks" and int(rest[0]) < LOWER_BLOCKS:
            continue
        if first == "blocks":
            rest[0] = str(int(rest[0]) - LOWER_BLOCKS)
        name = ".".join([first, *rest])
        if name not in out:
            raise SystemExit(f"{name}: not a weight of a model with Whisper's front")
        out[name] = value.float()
    out["blocks.0.bias"] = out["blocks.0.bias"][:, (torch.arange(out["blocks.0.bias"].shape[1]) - PLACES).clamp(min=0)]
    for part in ("out", "down"):
        for kind in ("weight", "bias"):
            out[f"blocks.0.{part}.{kind}"] = torch.zeros_like(out[f"blocks.0.{part}.{kind}"])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ear", required=True, help="Vosk's final.mdl")
    parser.add_argument("--start", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    checkpoint = torch.load(args.start, map_location="cpu")
    weights = one_ear(checkpoint.get("mean", checkpoint["model"]), acoustic.convert(read_components(args.ear)).state_dict())
    torch.save(dict(model=weights, pieces=checkpoint["pieces"], step=0, hours=checkpoint.get("hours", 0.)), args.out)


if __name__ == "__main__":
    main()
