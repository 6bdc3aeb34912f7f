"""A checkpoint to train from: Vosk's acoustic network and its i-vector extractor, made to stream.

    python init.py --vosk model-en-us --out $WORK_DIR/init.pt
"""
import argparse

import torch

import acoustic
from ivector import read_parts
from kaldi import read_components


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vosk", required=True, help="its folder model-en-us")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    ear = acoustic.convert(read_components(f"{args.vosk}/am/final.mdl"), read_parts(f"{args.vosk}/ivector"))
    torch.save(dict(model={f"ear.{name}": value for name, value in ear.state_dict().items()}, step=0, hours=0.), args.out)


if __name__ == "__main__":
    main()
