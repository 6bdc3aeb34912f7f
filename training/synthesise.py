"""Synthetic speech for words the corpus lacks: espeak-ng and flite voices over a text file, one sentence a line.

    python synthesise.py --texts sentences.txt --out $WORK_DIR/synth [--limit 2000]

Writes an index.jsonl and pcm.i16 in prepare.py's form (split "train", source "synth_<engine>"), to be appended to the
corpus. Not used for the shipped weights: with the compute at hand every hour went to human speech. No MBROLA voices:
they are for non-commercial use only.
"""
import argparse
import json
import os
import random
import subprocess
import tempfile

import numpy as np

from common import SAMPLE_RATE, normalise

ACCENTS = ("en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc")
FLITE = ("slt", "rms", "awb", "kal16")


def voice(text, path, rng):
    """-> (command, name)."""
    if rng.random() < .5:
        accent = rng.choice(ACCENTS)
        return ["espeak-ng", "-v", accent, "-s", str(rng.randint(120, 200)), "-p", str(rng.randint(20, 80)), "-w", path, text], "espeak-ng", accent
    name = rng.choice(FLITE)
    return ["flite", "-voice", name, "--setf", f"duration_stretch={rng.uniform(.8, 1.25):.2f}", "-t", text, "-o", path], "flite", name


def speak(text, rng):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.wav")
        command, engine, name = voice(text, path, rng)
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-ar", str(SAMPLE_RATE), "-ac", "1", "-f", "s16le", "-"],
                             check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.int16), engine, name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, offset = random.Random(args.seed), 0
    os.makedirs(args.out, exist_ok=True)
    lines = [line.strip() for line in open(args.texts) if line.strip()]
    with open(f"{args.out}/pcm.i16", "wb") as pcm, open(f"{args.out}/index.jsonl", "w") as index:
        for i, line in enumerate(lines[:args.limit or None]):
            wave, engine, name = speak(line, rng)
            wave.tofile(pcm)
            index.write(json.dumps(dict(id=f"synth{i}", source=f"synth_{engine}", speaker=name, split="train",
                                        text=normalise(line), offset=offset, samples=len(wave))) + "\n")
            offset += len(wave)
    print(f"{offset / SAMPLE_RATE / 3600:.2f} h")


if __name__ == "__main__":
    main()
