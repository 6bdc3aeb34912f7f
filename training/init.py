"""A checkpoint to train from: Vosk's acoustic network as the ear, and of an earlier checkpoint whatever fits.

    python init.py --ear final.mdl --out $WORK_DIR/init.pt                             # nothing but the ear is trained
    python init.py --start checkpoint.pt [--ear final.mdl] --out $WORK_DIR/init.pt

A weight of the earlier checkpoint comes along where name and shape agree: its blocks, say, and its ear unless --ear names another.
Heads over other labels start fresh.
"""
import argparse

import torch

import acoustic
from kaldi import read_components
from model import Model

SILENT = "joiner_out."               # zero at the start: the transducer begins as the CTC head


def assemble(earlier, ear=None):
    """{name: tensor} of an earlier model, {name: tensor} of acoustic.Acoustic -> weights of `Model`, names of those that start fresh."""
    if ear is not None:
        earlier = {**{name: value for name, value in earlier.items() if not name.startswith("ear.")}, **{f"ear.{name}": value for name, value in ear.items()}}
    weights, fresh = Model().state_dict(), []
    for name, value in weights.items():
        if not name.startswith(SILENT) and name in earlier and earlier[name].shape == value.shape:
            weights[name] = earlier[name].float()
        elif name.startswith("ear."):
            raise SystemExit(f"{name}: neither --ear nor --start has it")
        else:
            fresh.append(name)
    return weights, fresh


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ear", help="Vosk's final.mdl")
    parser.add_argument("--start", help="checkpoint of an earlier model")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    checkpoint = torch.load(args.start, map_location="cpu") if args.start else {}
    ear = acoustic.convert(read_components(args.ear)).state_dict() if args.ear else None
    weights, fresh = assemble(checkpoint.get("mean", checkpoint.get("model", {})), ear)
    torch.save(dict(model=weights, step=0, hours=checkpoint.get("hours", 0.)), args.out)
    print(f"{len(fresh)} of {len(weights)} weights start fresh: {', '.join(fresh)}")


if __name__ == "__main__":
    main()
