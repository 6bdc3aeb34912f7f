"""Frame targets: the offline Whisper encoder's output, averaged onto the student's 50 ms grid, fp16.

    python teacher.py --work $WORK_DIR/data --whisper model.bin [--hours H]

Writes teacher.f16 (frames back to back, 384 wide) and teacher.jsonl (id, frame offset, frames).
Student frame k is centred on 50 k ms; teacher frame m on 20 m ms. Speech comes first, then quiet: 0.5 s of zeros
stands for Whisper's 30 s padding (fifteen times cheaper; the features of the speech itself hardly change).
"""
import argparse
import json
import random
import time

import numpy as np
import torch

from common import Corpus, SAMPLE_RATE
from whisper import Teacher, WIDTH, read_ct2


def pool_matrix(frames20, frames50):
    """(frames50, frames20) averaging weights: overlap of [50k-25, 50k+25] with [20m-10, 20m+10], normalised."""
    k, m = np.arange(frames50)[:, None] * 50.0, np.arange(frames20)[None] * 20.0
    overlap = np.maximum(0, np.minimum(k + 25, m + 10) - np.maximum(k - 25, m - 10))
    return torch.from_numpy((overlap / np.maximum(overlap.sum(1, keepdims=True), 1e-9)).astype(np.float32))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--hours", type=float, default=1e9, help="stop after this much audio (shuffled order)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-seconds", type=float, default=60)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    corpus, teacher = Corpus(args.work), Teacher(read_ct2(args.whisper)).eval()
    rows = [row for row in corpus.split("train", "unlabelled")
            if 0.8 * SAMPLE_RATE < row["samples"] < 15 * SAMPLE_RATE and row["source"] != "robotutor_words"]
    random.Random(7).shuffle(rows)
    offset, seconds, began = 0, 0.0, time.time()
    with open(f"{args.work}/teacher.f16", "wb") as data, open(f"{args.work}/teacher.jsonl", "w") as index:
        for start in range(0, len(rows), 512):                       # sort inside a window: little padding, random order
            window, batch = sorted(rows[start:start + 512], key=lambda row: row["samples"]), []
            while window and seconds < args.hours * 3600:
                row = window.pop()
                batch.append(row)
                full = len(batch) * (batch[0]["samples"] / SAMPLE_RATE + .5) > args.batch_seconds
                if not full and window:
                    continue
                longest = -(-(batch[0]["samples"] + 8000) // 320) * 320
                waves = torch.zeros(len(batch), longest)
                for i, clip in enumerate(batch):
                    waves[i, :clip["samples"]] = torch.from_numpy(corpus.wave(clip))
                counts = torch.tensor([(clip["samples"] + 8000) // 320 for clip in batch])
                with torch.inference_mode():
                    features = teacher(waves, counts)
                for i, clip in enumerate(batch):
                    frames = -(-clip["samples"] // 800) + 1
                    pooled = pool_matrix(features.shape[1], frames) @ features[i]
                    pooled.to(torch.float16).numpy().tofile(data)
                    index.write(json.dumps(dict(id=clip["id"], offset=offset, frames=frames)) + "\n")
                    offset += frames
                    seconds += clip["samples"] / SAMPLE_RATE
                batch = []
            index.flush()
            data.flush()
            print(f"{seconds / 3600:.2f} h, {seconds / (time.time() - began):.0f} x real time", flush=True)
            if seconds >= args.hours * 3600:
                break


if __name__ == "__main__":
    main()
