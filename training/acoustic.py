"""The acoustic network of Vosk's small English model (Kaldi, factored TDNN), made to stream in 100 ms chunks: the ear.

    PCM 1600 ─ 9 log-mel frames, hop 11.1 ms ─ layer over 5 ─ factored layers 2, 3 ─ layer 4 takes every third frame ─
    3 frames of 33.3 ms ─ factored layers 5-12 ─ waist of 192 before Vosk's own output

The hop is 1600 / 9 samples where it was trained with 160: it hears speech 1.11 times faster, which its training did too (speed
perturbation), and a chunk becomes a whole number of frames. Every layer is causal: one that looks ahead answers a frame late.
The last of a chunk's three frames is centred on the chunk's start, so what comes out belongs to the chunk before.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common import CHUNK_SAMPLES
from kaldi import batch_norm

WINDOW, MEL_BINS = 400, 40
STARTS = tuple(round(i * CHUNK_SAMPLES / 9) for i in range(9))          # of a chunk's windows, in tail and chunk
TAIL = STARTS[-1] + WINDOW - CHUNK_SAMPLES                              # samples kept from the previous chunk
CONTEXT = 4                                                             # log-mel frames kept: the first layer spans 5
STREAM, NARROW = 640, 96                                                # widths of the factored layers and of their waists
KEEP = .75                                                              # share of its input that a factored layer passes on
THIRD = 2                                                               # the factored layer that takes every third frame: layer 4
AHEAD = (True, True, True, False, True, False, False, False, False, False, False)       # which of layers 2-12 look one frame ahead
VOSK_AHEAD = (True, True, True, False, True, True, True, False, False, False, False)    # the same as Vosk trained them
FEATURES, FRAMES = 192, 3                                               # what comes out, frames a chunk
IVECTOR, LIFTER = 30, 22
STATE = TAIL + CONTEXT * MEL_BINS + NARROW * (len(AHEAD) - 2) + (STREAM + NARROW) * (sum(AHEAD) - 1)


def mel_filters(low=20., high=7600.):
    """(256, 40): Kaldi's triangles, evenly spaced on its mel scale."""
    mel = lambda hz: 1127 * torch.log(1 + hz / 700)
    edges = torch.linspace(float(mel(torch.tensor(low))), float(mel(torch.tensor(high))), MEL_BINS + 2, dtype=torch.float64)
    at = mel(torch.arange(256, dtype=torch.float64) * 16000 / 512)[:, None]
    return torch.minimum((at - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - at) / (edges[2:] - edges[1:-1])).clamp(min=0).float()


def povey_window():
    return (.5 - .5 * torch.cos(2 * math.pi * torch.arange(WINDOW, dtype=torch.float64) / (WINDOW - 1))) ** .85


def spectrum_matrix():
    """(400, 512): mean taken out, pre-emphasis, Povey's window and the first 256 bins of a DFT of 512, cosines then sines."""
    n = torch.arange(WINDOW, dtype=torch.float64)
    centre = torch.eye(WINDOW, dtype=torch.float64) - 1 / WINDOW
    emphasis = torch.eye(WINDOW, dtype=torch.float64) - .97 * torch.diag(torch.ones(WINDOW - 1, dtype=torch.float64), -1)
    emphasis[0, 0] -= .97
    angle = 2 * math.pi * n[:, None] * torch.arange(256, dtype=torch.float64) / 512
    return ((emphasis @ centre).T * povey_window() @ torch.cat([torch.cos(angle), torch.sin(angle)], 1) * 32768).float()


class Frontend(nn.Module):
    """Log-mel energies above the floor that Kaldi's dither makes: silence is 0, the value an empty state holds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", povey_window().float(), persistent=False)
        self.register_buffer("dft", spectrum_matrix(), persistent=False)
        self.register_buffer("filters", mel_filters(), persistent=False)
        dither = (self.dft / 32768).square().sum(0)
        self.register_buffer("floor", (dither[:256] + dither[256:]) @ self.filters, persistent=False)

    def forward(self, wave):
        """(B, TAIL + 1600 n) -> (B, 9 n, 40)."""
        chunks = wave.unfold(1, TAIL + CHUNK_SAMPLES, CHUNK_SAMPLES)
        windows = torch.stack([chunks[..., start:start + WINDOW] for start in STARTS], 2)
        windows = (windows - windows.mean(-1, keepdim=True)) * 32768
        windows = (windows - .97 * torch.cat([windows[..., :1], windows[..., :-1]], -1)) * self.window
        spectrum = torch.fft.rfft(windows, 512)[..., :256]
        return self.log_mel(spectrum.real, spectrum.imag).flatten(1, 2)

    def step(self, wave):
        """The same by one matrix product: (B, TAIL + 1600) -> (B, 9, 40)."""
        windows = torch.stack([wave[:, start:start + WINDOW] for start in STARTS], 1)
        return self.log_mel(*(windows @ self.dft).split(256, -1))

    def log_mel(self, cosines, sines):
        return torch.log1p((cosines * cosines + sines * sines) @ self.filters / self.floor)


class Factored(nn.Module):
    """A factored TDNN layer: a waist over this frame and the one before, then ReLU over the waist here and, looking ahead, one frame
    on; added to KEEP of its input. One that looks ahead answers one frame late."""

    def __init__(self, ahead, before=True):
        super().__init__()
        self.ahead, self.before = ahead, before
        self.waist = nn.Linear(STREAM, NARROW * (1 + before), bias=False)       # what the next frame takes from here, then what this one takes
        self.wide = nn.Linear(NARROW * (1 + ahead), STREAM)

    @property
    def state_size(self):
        return NARROW * self.before + (STREAM + NARROW) * self.ahead

    def run(self, x, state):
        """x (B, n, 640), state (B, state_size) -> (B, n, 640), next state."""
        after, waist, nexts = None, self.waist(x), []
        past, late, held = state.split([NARROW * self.before, STREAM * self.ahead, NARROW * self.ahead], 1)
        if self.before:
            after, waist = waist.split(NARROW, -1)
            waist = waist + torch.cat([past[:, None], after[:, :-1]], 1)
            nexts.append(after[:, -1])
        if self.ahead:
            nexts += [x[:, -1], waist[:, -1]]
            x = torch.cat([late[:, None], x[:, :-1]], 1)
            waist = torch.cat([torch.cat([held[:, None], waist[:, :-1]], 1), waist], -1)
        return KEEP * x + F.relu(self.wide(waist)), nexts

    def every_third(self, x):
        """Of each three frames the middle one, which sees the other two: no state. (B, 3 n, 640) -> (B, n, 640)."""
        after, waist = self.waist(x).unflatten(1, (-1, 3)).split(NARROW, -1)
        waist = waist[..., 1:, :] + after[..., :2, :]
        return KEEP * x.unflatten(1, (-1, 3))[..., 1, :] + F.relu(self.wide(waist.flatten(2)))


class Acoustic(nn.Module):
    """The whole ear: `forward` hears utterances (training), `step` one chunk with explicit state (serving)."""

    def __init__(self, ahead=AHEAD):
        super().__init__()
        self.frontend = Frontend()
        self.first = nn.Linear((CONTEXT + 1) * MEL_BINS, STREAM)
        self.layers = nn.ModuleList(Factored(late, before=i != THIRD + 1) for i, late in enumerate(ahead))
        self.senone = nn.Sequential(nn.Linear(STREAM, FEATURES), nn.Linear(FEATURES, STREAM), nn.ReLU(), nn.Linear(STREAM, FEATURES))

    def state_sizes(self):
        """Of the factored layers: what each keeps of earlier frames."""
        return [layer.state_size for i, layer in enumerate(self.layers) if i != THIRD]

    def layered(self, mel, states):
        """mel (B, CONTEXT + 9 n, 40) -> (B, 3 n, 192), next states in pieces, in order."""
        length, states, nexts = mel.shape[1] - CONTEXT, iter(states), []
        x = F.relu(self.first(torch.cat([mel[:, i:i + length] for i in range(CONTEXT + 1)], -1)))
        for i, layer in enumerate(self.layers):
            if i == THIRD:
                x = layer.every_third(x)
            else:
                x, after = layer.run(x, next(states))
                nexts += after
        return self.senone(x), nexts

    def forward(self, wave, mask=None):
        """(B, 1600 n) -> (B, 3 n, 192). mask (B, 9 n, 40): 0 where the log-mel is to be replaced by its mean."""
        mel = self.frontend(F.pad(wave, (TAIL, 0)))
        if mask is not None:
            mel = mel * mask + mel.mean((1, 2), keepdim=True) * (1 - mask)
        return self.layered(F.pad(mel, (0, 0, CONTEXT, 0)), [mel.new_zeros(len(mel), size) for size in self.state_sizes()])[0]

    def step(self, pcm, state):
        """pcm (B, 1600), state (B, STATE), zero at the start -> (B, 3, 192), next state."""
        tail, mel, *states = state.split([TAIL, CONTEXT * MEL_BINS, *self.state_sizes()], 1)
        wave = torch.cat([tail, pcm], 1)
        mel = torch.cat([mel.unflatten(1, (CONTEXT, MEL_BINS)), self.frontend.step(wave)], 1)
        found, nexts = self.layered(mel, states)
        return found, torch.cat([wave[:, -TAIL:], mel[:, -CONTEXT:].flatten(1), *nexts], 1)


def cepstra():
    """(40, 40): Kaldi's DCT and lifter, natural log-mel -> MFCC."""
    k, j = np.arange(MEL_BINS)[:, None], np.arange(MEL_BINS)[None]
    dct = np.sqrt(2 / MEL_BINS) * np.cos(np.pi / MEL_BINS * (j + .5) * k)
    dct[0] = np.sqrt(1 / MEL_BINS)
    return dct * (1 + LIFTER / 2 * np.sin(np.pi * k / LIFTER))


def first_layer(parts, floor):
    """Log-mel above `floor` of five frames -> the first affine product: (640, 200) weights, (640,) bias."""
    eye, nought = np.eye(MEL_BINS), np.zeros((MEL_BINS, MEL_BINS))
    deltas = np.block([[nought, nought, eye, nought, nought],                # the frame, its slope, its curvature: Kaldi's input nodes
                       [nought, -eye, nought, eye, nought],
                       [eye, nought, -2 * eye, nought, eye]])
    scale, offset = batch_norm(parts["delta"])
    affine = parts["tdnn1.affine"]
    weight = affine["LinearParams"][:, :-IVECTOR]
    from_mel = (weight * scale) @ deltas @ np.kron(np.eye(5), cepstra())
    bias = affine["BiasParams"] + weight @ offset + from_mel @ np.tile(np.log(floor), 5)
    return from_mel, bias


@torch.no_grad()
def convert(parts, ahead=AHEAD):
    """kaldi.read_components of Vosk's final.mdl -> Acoustic. Folded on the way: cepstra and deltas into the first layer (it reads
    log-mel), batch normalisation into the products around it. The i-vector is left at zero, what Vosk's own decoder starts a
    recording with. Layers 7 and 8 looked one frame ahead there; with AHEAD that frame's share goes to the frame itself, and
    training makes up for it."""
    model = Acoustic(ahead)

    def put(linear, weight, bias=None):
        linear.weight.copy_(torch.from_numpy(np.array(weight)))
        if bias is not None:
            linear.bias.copy_(torch.from_numpy(np.array(bias)))

    scale, constant = batch_norm(parts["tdnn1.batchnorm"])           # a stream here lacks Kaldi's constant: silence would not be zero
    weight, bias = first_layer(parts, model.frontend.floor.double().numpy())
    put(model.first, weight * scale[:, None], bias * scale)
    for number, layer in enumerate(model.layers, 2):
        linear, affine = parts[f"tdnnf{number}.linear"]["LinearParams"], parts[f"tdnnf{number}.affine"]
        taps = np.split(linear, linear.shape[1] // STREAM, 1)
        put(layer.waist, np.concatenate(taps))
        from_constant = sum(taps) @ constant
        weight, narrow = affine["LinearParams"], linear.shape[0]
        bias = affine["BiasParams"] + sum(np.split(weight, weight.shape[1] // narrow, 1)) @ from_constant
        if weight.shape[1] > layer.wide.in_features:
            weight = weight[:, :narrow] + weight[:, narrow:]
        scale, offset = batch_norm(parts[f"tdnnf{number}.batchnorm"])
        put(layer.wide, weight * scale[:, None], bias * scale)
        constant = KEEP * constant + offset
    narrow, wide, last = parts["prefinal-l"]["Params"], parts["prefinal-chain.affine"], parts["prefinal-chain.linear"]["Params"]
    put(model.senone[0], narrow, narrow @ constant)
    put(model.senone[1], wide["LinearParams"], wide["BiasParams"])
    (scale, offset), (outer, outer_offset) = batch_norm(parts["prefinal-chain.batchnorm1"]), batch_norm(parts["prefinal-chain.batchnorm2"])
    put(model.senone[3], last * scale * outer[:, None], last @ offset * outer + outer_offset)
    return model
