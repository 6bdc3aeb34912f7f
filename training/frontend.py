"""Log-mel energies as Kaldi takes them, in chunks of 100 ms, and its way from there to cepstra."""
import math

import numpy as np
import torch
from torch import nn

from common import CHUNK_SAMPLES

WINDOW, MEL_BINS, LIFTER = 400, 40, 22
STARTS = tuple(round(i * CHUNK_SAMPLES / 9) for i in range(9))          # of a chunk's windows, in tail and chunk
TAIL = STARTS[-1] + WINDOW - CHUNK_SAMPLES                              # samples kept from the previous chunk


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


def cepstra():
    """(40, 40): Kaldi's DCT and lifter, natural log-mel -> MFCC."""
    k, j = np.arange(MEL_BINS)[:, None], np.arange(MEL_BINS)[None]
    dct = np.sqrt(2 / MEL_BINS) * np.cos(np.pi / MEL_BINS * (j + .5) * k)
    dct[0] = np.sqrt(1 / MEL_BINS)
    return dct * (1 + LIFTER / 2 * np.sin(np.pi * k / LIFTER))
