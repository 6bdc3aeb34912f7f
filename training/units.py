"""Phones of the training speech as the ear hears them, to say any text with (`Drawn` of data.py).

    python units.py --work $WORK_DIR/data --kaldi final.mdl --checkpoint start.pt --out $WORK_DIR/data/units.npz [--hours 11]

22 h of transcripts hold few words, and spelling is learnt from words. So: Vosk's untouched network hears each clip, its
posteriors are summed to phones, a Viterbi alignment with CMUdict's pronunciations cuts the clip, and what the lower layers of
the checkpoint's ear, which training leaves alone, say of each phone (fp16) is kept with its neighbours. Needs pocketsphinx (its dictionary).
"""
import argparse
import random
import struct

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F

import acoustic
from common import CHUNK_SAMPLES, Corpus, SAMPLE_RATE
from data import load_rows, noise_bank, other_microphone, resample
from kaldi import batch_norm, read_components
from model import Model

NAMES = ("SIL NSN AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH").split()
LATER = sum(acoustic.VOSK_AHEAD) - sum(acoustic.AHEAD)         # frames by which the untouched network answers later
WORST = -1.                                                    # mean log-posterior along the alignment below which a clip is left out
LEFT_OUT = ("fsdd", "robotutor_words")                         # sets of isolated words
BATCH = 8


def pronunciations():
    """CMUdict's first ones: {word: phone numbers}."""
    from pocketsphinx import get_model_path      # training without drawn sentences does without
    number, words = {name: i for i, name in enumerate(NAMES)}, {}
    for line in open(get_model_path("en-us/cmudict-en-us.dict"), encoding="utf8"):
        word, *phones = line.split()
        if phones and "(" not in word:
            words[word] = [number[phone] for phone in phones]
    return words


def phone_of_pdf(path):
    """(pdfs,) phone numbers, as NAMES. Vosk's phones: five silences, five noises, then 39 by four positions in the word."""
    data = open(path, "rb").read()
    at = data.index(b"<Tuples> ") + 9
    count, = struct.unpack_from("<xi", data, at)
    fields = np.frombuffer(data, np.dtype([("size", "i1"), ("value", "<i4")]), 4 * count, at + 5)["value"].reshape(-1, 4)
    phones = np.where(fields[:, 0] <= 5, 0, np.where(fields[:, 0] <= 10, 1, 2 + (fields[:, 0] - 11) // 4))
    out = np.zeros(fields[:, 2:].max() + 1, int)
    out[fields[:, 2]], out[fields[:, 3]] = phones, phones
    return out


class Phones(torch.nn.Module):
    """The untouched network up to log-posteriors of phones, by its cross-entropy output."""

    def __init__(self, path):
        super().__init__()
        parts = read_components(path)

        def tensor(array):
            return torch.from_numpy(np.array(array)).float()

        self.ear = acoustic.convert(parts, acoustic.VOSK_AHEAD).eval()
        self.ear.senone = torch.nn.Identity()
        constant = batch_norm(parts["tdnn1.batchnorm"])[1]
        for number in range(2, 2 + len(acoustic.VOSK_AHEAD)):
            constant = acoustic.KEEP * constant + batch_norm(parts[f"tdnnf{number}.batchnorm"])[1]
        self.constant, self.narrow = tensor(constant), tensor(parts["prefinal-l"]["Params"])
        wide, out = parts["prefinal-xent.affine"], parts["output-xent.affine"]
        self.wide, self.wide_bias = tensor(wide["LinearParams"]), tensor(wide["BiasParams"])
        self.norm1, self.norm2 = ([tensor(part) for part in batch_norm(parts[f"prefinal-xent.batchnorm{i}"])] for i in (1, 2))
        self.linear, self.out, self.out_bias = tensor(parts["prefinal-xent.linear"]["Params"]), tensor(out["LinearParams"]), tensor(out["BiasParams"])
        self.phone = torch.from_numpy(phone_of_pdf(path))

    def forward(self, wave):
        """(B, 1600 n) -> (B, 3 n - LATER, phones), frame for frame with what `Acoustic.hear_below` gives."""
        x = F.relu((self.ear(wave) + self.constant) @ self.narrow.T @ self.wide.T + self.wide_bias) * self.norm1[0] + self.norm1[1]
        posterior = ((x @ self.linear.T * self.norm2[0] + self.norm2[1]) @ self.out.T + self.out_bias).softmax(-1)
        return torch.zeros(*posterior.shape[:2], len(NAMES)).index_add_(2, self.phone, posterior)[:, LATER:].clamp(min=1e-4).log()


def align(logp, words):
    """logp (T, phones), words as phone lists -> index of each frame's part, the parts' phones, mean log-posterior. Silence between
    words may have no frames."""
    parts, optional = [0], [True]
    for word in words:
        parts += [*word, 0]
        optional += [False] * len(word) + [True]
    parts = np.array(parts)
    emit = logp[:, parts]
    score = np.full(len(parts), -1e9)
    score[0], score[1] = emit[0, 0], emit[0, 1]
    moves = np.zeros((len(logp), len(parts)), np.int8)
    skip = np.zeros(len(parts), bool)
    skip[2:] = optional[1:-1]
    for t in range(1, len(logp)):
        one = np.concatenate([[-1e9], score[:-1]])
        two = np.where(skip, np.concatenate([[-1e9, -1e9], score[:-2]]), -1e9)
        options = np.stack([score, one, two])
        moves[t] = options.argmax(0)
        score = options.max(0) + emit[t]
    state = len(parts) - 1 if score[-1] > score[-2] else len(parts) - 2
    total, path = score[state], np.zeros(len(logp), int)
    for t in range(len(logp) - 1, -1, -1):
        path[t] = state
        state -= int(moves[t, state])
    return path, parts, total / len(logp)


def cut(path, parts, at):
    """-> (phone before, phone, phone after, first frame, end) of each stretch of the path, frames counted from `at`."""
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    kinds = [0, *parts[path[starts]], 0]
    return [(*kinds[i:i + 3], at + first, at + end) for i, (first, end) in enumerate(zip(starts, [*starts[1:], len(path)]))]


def said(corpus, row, rng, chooser):
    """-> the clip at speech level, and the same as another microphone might hear it."""
    wave = corpus.wave(row)
    if chooser.random() < .5:
        wave = resample(wave, chooser.uniform(.87, 1.15))
    changed = other_microphone(wave, rng, chooser) if chooser.random() < .25 else wave
    wanted = (.06 / (np.sqrt(np.square(wave).mean()) + 1e-5)) ** .7 * np.sqrt(np.square(wave).mean())
    return [part * (wanted / (np.sqrt(np.square(part).mean()) + 1e-9)) for part in (wave, changed)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--kaldi", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--pseudo", default="")
    parser.add_argument("--hours", type=float, default=11)
    args = parser.parse_args()
    torch.set_num_threads(2)
    corpus, pieces = Corpus(args.work), sentencepiece.SentencePieceProcessor(model_file=f"{args.work}/bpe.model")
    checkpoint = torch.load(args.checkpoint, map_location="cpu")
    model = Model(checkpoint["pieces"]).eval()
    model.load_state_dict(checkpoint.get("mean", checkpoint["model"]))
    hearer, dictionary = Phones(args.kaldi), pronunciations()
    rows = [row for row in load_rows(corpus, pieces, args.pseudo)
            if row["source"] not in LEFT_OUT and all(word in dictionary for word in row["text"].split())]
    rng, chooser = np.random.default_rng(4), random.Random(4)
    chooser.shuffle(rows)
    noise = noise_bank(corpus, rows, rng)
    frames, units, at, seconds, left, scores = [], [], 0, 0, 0, []
    while rows and seconds < args.hours * 3600:
        group = sorted((rows.pop() for _ in range(min(256, len(rows)))), key=lambda row: row["samples"])
        for start in range(0, len(group), BATCH):
            part = group[start:start + BATCH]
            waves = [said(corpus, row, rng, chooser) for row in part]
            chunks = [-(-(len(wave) + 4800) // CHUNK_SAMPLES) for wave, _ in waves]
            clean, noisy = (torch.zeros(len(part), max(chunks) * CHUNK_SAMPLES) for _ in range(2))
            for i, (wave, changed) in enumerate(waves):
                clean[i, CHUNK_SAMPLES:CHUNK_SAMPLES + len(wave)] = torch.from_numpy(wave)
                noisy[i, CHUNK_SAMPLES:CHUNK_SAMPLES + len(wave)] = torch.from_numpy(changed)
                ratio_db, first = chooser.uniform(8, 30) if chooser.random() < .3 else chooser.uniform(35, 75), chooser.randrange(len(noise) - noisy.shape[1])
                noisy[i] += torch.from_numpy(noise[first:first + noisy.shape[1]]) * float(np.sqrt(np.square(wave).mean()) * 10 ** (-ratio_db / 20))
            with torch.inference_mode():
                heard, features = hearer(clean + torch.randn_like(clean) * 1e-4).numpy(), model.ear.hear_below(noisy).half().numpy()
            for i, row in enumerate(part):
                seconds += row["samples"] / SAMPLE_RATE
                path, parts, score = align(heard[i, :3 * chunks[i] - LATER], [dictionary[word] for word in row["text"].split()])
                scores.append(score)
                if score < WORST:
                    left += 1
                    continue
                units += cut(path, parts, at)
                frames.append(features[i, :len(path)])
                at += len(path)
        print(f"{seconds / 3600:.2f} h, {len(units)} phones, {left} clips left out, score median {np.median(scores):.2f}, tenth {np.percentile(scores, 10):.2f}", flush=True)
    np.save(args.out.replace(".npz", ".f16.npy"), np.concatenate(frames))
    np.savez(args.out, units=np.array(units, np.int32))


if __name__ == "__main__":
    main()
