"""Fits the head that tells speech from everything else, by logistic regression on what the network hears of train clips in pauses and noise.

    python speech.py --work $WORK_DIR/data --checkpoint leg.pt --out leg.speech.pt

A slot of a clip is speech where its level is above a sixteenth of the clip's highest, gaps of up to 0.2 s filled.
"""
import argparse
import random

import numpy as np
import torch
import torch.nn.functional as F

from common import CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, SAMPLE_RATE
from evaluate import add_noise
from model import Model, read_weights

TOGETHER, SPEAKERS = 8, 60           # clips joined, clips that babble is made of
RATIOS_DB = (60, 60, 30, 20, 15, 10, 7, 5, 3)
LEVEL, BRIDGED = .06, 7              # of the highest level; slots


def joined(corpus, rows, chooser):
    """Clips with pauses -> wave (n,) of whole chunks, speech (slots,)."""
    parts, spans, at = [], [], 0
    for row in rows:
        wave, pause = corpus.wave(row), int(chooser.uniform(.2, 1.6) * SAMPLE_RATE)
        parts += [np.zeros(pause, np.float32), wave * (.08 / (np.sqrt(np.mean(wave ** 2)) + 1e-6))]
        spans.append((at + pause, at + pause + len(wave)))
        at = spans[-1][1]
    wave, slot = np.concatenate(parts)[:at // CHUNK_SAMPLES * CHUNK_SAMPLES], CHUNK_SAMPLES // CHUNK_SLOTS
    level = np.sqrt(np.mean(wave.reshape(-1, CHUNK_SAMPLES)[:, :slot * CHUNK_SLOTS].reshape(-1, slot) ** 2, 1))
    speech = torch.zeros(len(level))
    for start, end in spans:
        here = slice(start * CHUNK_SLOTS // CHUNK_SAMPLES, end * CHUNK_SLOTS // CHUNK_SAMPLES + 1)
        speech[here] = torch.from_numpy(level[here] > LEVEL * level[here].max()).float()
    widest = lambda values: F.max_pool1d(values[None, None], BRIDGED, 1, BRIDGED // 2)[0, 0]
    return wave, -widest(-widest(speech))


@torch.no_grad()
def examples(model, corpus, clips, seed=3):
    """-> what the network hears (slots, 640), speech (slots,)."""
    chooser = random.Random(seed)
    rows = [row for row in corpus.split("train") if row["text"] and SAMPLE_RATE < row["samples"] < 10 * SAMPLE_RATE and row["source"] != "robotutor_words"]
    chooser.shuffle(rows)
    speakers, found = [corpus.wave(row) for row in rows[-SPEAKERS:]], []
    for start in range(0, min(clips, len(rows) - SPEAKERS), TOGETHER):
        wave, speech = joined(corpus, rows[start:start + TOGETHER], chooser)
        noisy = add_noise(wave, chooser.choice(RATIOS_DB), start // TOGETHER, speakers)
        found.append((model.hear(torch.from_numpy(noisy)[None].float())[0], speech))
    return [torch.cat(column) for column in zip(*found)]


def fit(heard, speech, decay=1e-4):
    """-> weights (640,), bias () of the log-odds."""
    mean, scale = heard.mean(0), heard.std(0) + 1e-3
    heard, weights, bias = (heard - mean) / scale, torch.zeros(heard.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=60)

    def loss():
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(heard @ weights + bias, speech) + decay * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    weights = weights.detach() / scale
    return weights, bias.detach() - weights @ mean


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True, nargs="+", help="of several the mean")
    parser.add_argument("--out", required=True)
    parser.add_argument("--clips", type=int, default=800)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    mean = read_weights(args.checkpoint)
    model = Model(mean)
    found = fit(*examples(model.eval(), Corpus(args.work), args.clips))
    mean["ear.speech.weight"], mean["ear.speech.bias"] = found[0][None], found[1][None]
    torch.save(dict(model=mean, step=0, hours=max(torch.load(path, map_location="cpu")["hours"] for path in args.checkpoint)), args.out)


if __name__ == "__main__":
    main()
