"""Batches for training: clips of similar length, padded with quiet, made noisy; their labels beside them."""
import json
import os
import random
import threading
from queue import Queue

import numpy as np
import torch

from common import CHUNK_SAMPLES, CHUNK_SLOTS, SAMPLE_RATE

FRAME = 800                          # samples: how long a stretch has a level of its own
AFTER = 5600                         # samples behind a clip that count: the network answers late
LONGEST = 14                         # seconds of a clip
CLEAN = .25                          # share of clips with nothing but zeros around them, as a server flushes a stream
MIN_PSEUDO_LOGP = -0.30              # pseudo-labels below this mean token log-probability are dropped


def fewer_words(rows, share=.25):
    """Of the 2600 isolated words of one speaker a share is kept: they teach little that sentences do not."""
    chooser = random.Random(11)
    return [row for row in rows if row["source"] != "robotutor_words" or chooser.random() < share]


def load_rows(corpus, lexicon, pseudo_path):
    """Train rows with the labels of their texts as `tokens`, pseudo-labelled rows among them."""
    rows = fewer_words([row for row in corpus.split("train") if row["text"]])
    if pseudo_path and os.path.exists(pseudo_path):
        by_id = {row["id"]: row for row in corpus.split("unlabelled")}
        for line in open(pseudo_path):
            label = json.loads(line)
            words = label["text"].split()
            if label["logp"] > MIN_PSEUDO_LOGP and words and label["id"] in by_id and len(words) / label["seconds"] < 5:
                rows.append(dict(by_id[label["id"]], text=label["text"]))
    for row in rows:
        row["tokens"] = lexicon.encode(row["text"])
    return [row for row in rows if row["tokens"] and row["samples"] < LONGEST * SAMPLE_RATE and CHUNK_SLOTS * row["samples"] / CHUNK_SAMPLES > 1.3 * len(row["tokens"]) + 2]


def noise_bank(corpus, rows, rng, seconds=240):
    """Unit-variance noises back to back: white, pink, brown, hum, and babble of six train speakers over each."""
    n, out = seconds * SAMPLE_RATE // 8, []
    for kind in range(8):
        noise = rng.standard_normal(n)
        if kind in (1, 2, 5, 7):
            spectrum = np.fft.rfft(noise) * (np.arange(n // 2 + 1) + 20.) ** (-.5 if kind in (1, 5) else -1.)
            noise = np.fft.irfft(spectrum, n)
        if kind == 4:
            t = np.arange(n) / SAMPLE_RATE
            noise = noise * .3 + sum(np.sin(2 * np.pi * 50 * h * t + h) / h for h in range(1, 9))
        noise /= noise.std()
        if kind >= 5:
            noise *= .3
            for _ in range(6):
                speech = np.concatenate([corpus.wave(rows[i]) for i in rng.integers(0, len(rows), 16)])
                noise += np.resize(speech / (speech.std() + 1e-6), n)
        out.append((noise / noise.std()).astype(np.float32))
    return np.concatenate(out)


def resample(wave, rate):
    """Play `rate` times faster (pitch moves too), linear interpolation: fine for 0.85-1.2."""
    return np.interp(np.arange(0, len(wave) - 1, rate), np.arange(len(wave)), wave).astype(np.float32)


def other_microphone(wave, rng, random):
    """A smooth random frequency response, one in four cut to a telephone's band."""
    size = len(wave) + 1600
    octaves = np.log2(np.fft.rfftfreq(size, 1 / SAMPLE_RATE) + 30)
    gain_db = np.interp(octaves, np.linspace(5, 13, 9), rng.normal(0, 5, 9))
    if random.random() < .25:
        low, high = np.log2(random.uniform(150, 400)), np.log2(random.uniform(3000, 4500))
        gain_db -= 40 * np.clip(low - octaves, 0, 1) + 60 * np.clip(octaves - high, 0, 1)
    return np.fft.irfft(np.fft.rfft(wave, size) * 10 ** (gain_db / 20), size)[:len(wave)].astype(np.float32)


def other_room(wave, rng, random):
    """The direct sound and a decaying noise of its own behind it."""
    decay = random.uniform(.15, .7)
    t = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / decay)
    tail *= 10 ** (-random.uniform(0, 14) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] += 1
    size = len(wave) + len(t)
    return np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(tail, size), size)[:len(wave)].astype(np.float32)


class Batches:
    """Endless batches of about `seconds` of audio, made one ahead on a thread. The shares are those of clips played at another speed,
    through another microphone, in another room, in noise."""

    def __init__(self, corpus, rows, seconds, seed, noise_share=.3, speed_share=0., microphone_share=0., room_share=0., augment=True):
        self.corpus, self.rows, self.seconds = corpus, rows, seconds
        self.rng, self.random = np.random.default_rng(seed), random.Random(seed)
        self.noise_share, self.speed_share, self.augment = noise_share, speed_share, augment
        self.microphone_share, self.room_share = microphone_share, room_share
        self.noise = noise_bank(corpus, rows, self.rng) if augment else None
        self.queue = Queue(2)
        threading.Thread(target=self._fill, daemon=True).start()

    def __next__(self):
        return self.queue.get()

    def _fill(self):
        while True:
            order = self.rows[:]
            self.random.shuffle(order)
            for start in range(0, len(order), 1500):
                window = sorted(order[start:start + 1500], key=lambda row: row["samples"])
                groups, group, longest = [], [], 0
                for row in window:
                    longest = row["samples"] / SAMPLE_RATE + .7
                    group.append(row)
                    if longest * len(group) >= self.seconds:
                        groups.append(group)
                        group = []
                if group:
                    groups.append(group)
                self.random.shuffle(groups)
                for group in groups:
                    self.queue.put(self.make(group))

    def make(self, rows):
        """-> dict: wave (B, n), slots (B,) that count, tokens (B, U), lengths (B,)."""
        clips = [self.prepare(row) for row in rows]
        after = AFTER + (self.random.randint(0, 4 * CHUNK_SAMPLES) if self.augment else 0)
        longest = max(len(wave) + before for wave, before in clips) + after
        chunks = -(-longest // CHUNK_SAMPLES)
        wave, slots = torch.zeros(len(rows), chunks * CHUNK_SAMPLES), torch.zeros(len(rows), dtype=torch.long)
        lengths = torch.tensor([len(row["tokens"]) for row in rows])
        tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for i, (row, (clip, before)) in enumerate(zip(rows, clips)):
            wave[i, before:before + len(clip)] = torch.from_numpy(clip)
            slots[i] = CHUNK_SLOTS * -(-(before + len(clip) + after) // CHUNK_SAMPLES)
            tokens[i, :len(row["tokens"])] = torch.tensor(row["tokens"])
        if self.augment:
            self.add_noise(wave, wave.unflatten(1, (-1, FRAME)).square().mean(-1).sqrt())
        return dict(wave=wave, slots=slots, tokens=tokens, lengths=lengths)

    def prepare(self, row):
        """-> clip with its gain, samples of quiet before it."""
        wave = self.corpus.wave(row)
        if not self.augment:
            return wave, CHUNK_SAMPLES
        if self.random.random() < self.speed_share:
            wave = resample(wave, self.random.uniform(.85, 1.18))
        if self.random.random() < self.microphone_share:
            wave = other_microphone(wave, self.rng, self.random)
        if self.random.random() < self.room_share:
            wave = other_room(wave, self.rng, self.random)
        level = float(np.sqrt(np.mean(wave ** 2))) + 1e-5
        wanted = 10 ** (self.random.gauss(-24, 5) / 20)
        gain = (wanted / level) ** .7                                                    # most of the way
        return np.clip(wave * gain, -1, 1), FRAME * self.random.choice((0, 0, 1, 1, 2, 3, 4, 8))

    def add_noise(self, wave, energy):
        n = wave.shape[1]
        for i in range(len(wave)):
            if self.random.random() < CLEAN:
                continue
            start = int(self.rng.integers(0, len(self.noise) - n))
            level = energy[i][energy[i] > energy[i].max() * .06].mean()
            ratio_db = self.random.uniform(3, 30) if self.random.random() < self.noise_share else self.random.uniform(35, 75)
            wave[i] += torch.from_numpy(self.noise[start:start + n]) * (level * 10 ** (-ratio_db / 20))
