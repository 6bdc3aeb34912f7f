"""Decode the speech corpus once: Ogg Opus shards -> one flat int16 PCM file and one index line per clip.

    python prepare.py --data $DATA_DIR --out $WORK_DIR/data

Writes `pcm.i16` (16 kHz mono, clips back to back) and `index.jsonl` (manifest rows plus `offset` and `samples`).
"""
import argparse
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np

from common import SAMPLE_RATE


def decode(path):
    """Whole shard as (n,) int16 at 16 kHz."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-ar", str(SAMPLE_RATE), "-ac", "1", "-f", "s16le", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.int16)


def read_rows(data):
    rows = [json.loads(line) for line in open(os.path.join(data, "manifest.jsonl"))]
    unlabelled = os.path.join(data, "unlabelled.jsonl")
    if os.path.exists(unlabelled):
        rows += [dict(json.loads(line), split="unlabelled", text="") for line in open(unlabelled)]
    return sorted(rows, key=lambda row: (row["audio"], row["start"]))


def cut_shards(data, out, rows):
    """Two decoders at a time: the shards are small and the disk is not the limit."""
    shards = [(name, list(clips)) for name, clips in groupby(rows, key=lambda row: row["audio"])]
    offset = 0
    with open(f"{out}/pcm.i16", "wb") as pcm, open(f"{out}/index.jsonl", "w") as index, ThreadPoolExecutor(2) as pool:
        for (_, clips), audio in zip(shards, pool.map(lambda s: decode(os.path.join(data, s[0])), shards)):
            for row in clips:
                clip = audio[int(row["start"] * SAMPLE_RATE):int(row["end"] * SAMPLE_RATE)]
                clip.tofile(pcm)
                index.write(json.dumps(dict(row, offset=offset, samples=len(clip))) + "\n")
                offset += len(clip)
    return offset


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DATA_DIR", "../shared/data"))
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    rows = read_rows(args.data)
    samples = cut_shards(args.data, args.out, rows)
    print(f"{len(rows)} clips, {samples / SAMPLE_RATE / 3600:.2f} h")


if __name__ == "__main__":
    main()
