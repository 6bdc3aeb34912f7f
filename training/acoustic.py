"""The acoustic network of Vosk's small English model (Kaldi, factored TDNN), made to stream in 100 ms chunks: the ear.

    PCM 1600 ─ 9 log-mel frames, hop 11.1 ms ─ layer over 5 ─ factored layers 2, 3 ─ layer 4 takes every third frame ─
    3 frames of 33.3 ms ─ factored layers 5-12 ─ 2192 outputs: for each pair of labels, one where the second begins, one while it lasts

The hop is 1600 / 9 samples where it was trained with 160: it hears speech 1.11 times faster, which its training did too (speed
perturbation), and a chunk becomes a whole number of frames. Every layer is causal: one that looks ahead answers a frame late.
The last of a chunk's three frames is centred on the chunk's start, so what comes out belongs to the chunk before.
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import ivector
from common import CHUNK_SAMPLES, SLOT_MS
from frontend import Frontend, MEL_BINS, STARTS, TAIL, cepstra
from ivector import Extractor, IVECTOR
from kaldi import batch_norm

CONTEXT = 4                                                             # log-mel frames kept: the first layer spans 5
STREAM, NARROW = 640, 96                                                # widths of the factored layers and of their waists
KEEP = .75                                                              # share of its input that a factored layer passes on
THIRD = 2                                                               # the factored layer that takes every third frame: layer 4
AHEAD = (True, True, True, False, True, True, True, False, False, False, False)         # which of layers 2-12 look one frame ahead
# audio beyond a frame that its outputs hear: half of what the first layer spans, and a frame for each layer that looks ahead, before and after the third are taken
RIGHT_CONTEXT_MS = SLOT_MS / 3 * (CONTEXT // 2 + sum(AHEAD[:THIRD + 1])) + SLOT_MS * sum(AHEAD[THIRD + 1:])
MAX_RIGHT_CONTEXT_MS = 160                                              # what this project allows itself
FEATURES, OUTPUTS = 192, 2192                                           # before what comes out, what does
STATE = TAIL + ivector.STATE + CONTEXT * MEL_BINS + NARROW * (len(AHEAD) - 2) + (STREAM + NARROW) * (sum(AHEAD) - 1)


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

    def __init__(self):
        super().__init__()
        self.frontend, self.extractor = Frontend(), Extractor()
        self.first = nn.Linear((CONTEXT + 1) * MEL_BINS, STREAM)
        self.speaker = nn.Linear(IVECTOR, STREAM, bias=False)
        self.layers = nn.ModuleList(Factored(looks, before=i != THIRD + 1) for i, looks in enumerate(AHEAD))
        self.outputs = nn.Sequential(nn.Linear(STREAM, FEATURES), nn.Linear(FEATURES, STREAM), nn.ReLU(), nn.Linear(STREAM, FEATURES), nn.Linear(FEATURES, OUTPUTS))
        self.speech = nn.Linear(STREAM, 1)                # log-odds of speech, ours (speech.py)

    def state_sizes(self):
        """What each factored layer keeps of earlier frames; the one that takes every third frame keeps nothing."""
        return [layer.state_size for i, layer in enumerate(self.layers) if i != THIRD]

    def layered(self, mel, speaker, states=None):
        """mel (B, CONTEXT + 9 n, 40), i-vectors (B, n, 30), pieces of state in order or, where a stream starts, nothing
        -> (B, 3 n, 640), next states in pieces."""
        if states is None:
            states = [mel.new_zeros(len(mel), size) for size in self.state_sizes()]
        length, states, nexts = mel.shape[1] - CONTEXT, iter(states), []
        x = self.first(torch.cat([mel[:, i:i + length] for i in range(CONTEXT + 1)], -1))
        # once a frame, not once a chunk: a product of one row is rounded otherwise than one of many, and results must not depend on the batch
        x = F.relu(x + self.speaker(speaker.repeat_interleave(len(STARTS), 1)))
        for i, layer in enumerate(self.layers):
            if i == THIRD:
                x = layer.every_third(x)
            else:
                x, after = layer.run(x, next(states))
                nexts += after
        return x, nexts

    def forward(self, wave, mask=None):
        """(B, 1600 n) -> (B, 3 n, 640), what `outputs` and `speech` read. mask (B, 9 n, 40): 0 where the log-mel is to be replaced by its mean."""
        mel = self.frontend(F.pad(wave, (TAIL, 0)))
        with torch.no_grad(), torch.autocast(mel.device.type, enabled=False):            # its squares need all their digits
            speaker = self.extractor(mel.float())
        if mask is not None:
            mel = mel * mask + mel.mean((1, 2), keepdim=True) * (1 - mask)
        return self.layered(F.pad(mel, (0, 0, CONTEXT, 0)), speaker)[0]

    def step(self, pcm, state):
        """pcm (B, 1600), state (B, STATE), zero at the start -> (B, 3, 640), next state."""
        tail, heard, mel, *states = state.split([TAIL, ivector.STATE, CONTEXT * MEL_BINS, *self.state_sizes()], 1)
        wave = torch.cat([tail, pcm], 1)
        fresh = self.frontend.step(wave)
        speaker, heard = self.extractor.step(fresh, heard)
        mel = torch.cat([mel.unflatten(1, (CONTEXT, MEL_BINS)), fresh], 1)
        found, nexts = self.layered(mel, speaker[:, None], states)
        return found, torch.cat([wave[:, -TAIL:], heard, mel[:, -CONTEXT:].flatten(1), *nexts], 1)


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
def convert(parts, speakers=None):
    """kaldi.read_components of Vosk's final.mdl, ivector.read_parts of its i-vector folder -> Acoustic.
    Folded on the way: cepstra and deltas into the first layer (it reads log-mel), batch normalisation into the products around it.
    Without `speakers` i-vectors are zero, what Vosk's own decoder starts a recording with."""
    model = Acoustic()
    if speakers is not None:
        model.extractor.fold(speakers)

    def put(linear, weight, bias=None):
        linear.weight.copy_(torch.from_numpy(np.array(weight)))
        if bias is not None:
            linear.bias.copy_(torch.from_numpy(np.array(bias)))

    scale, constant = batch_norm(parts["tdnn1.batchnorm"])           # a stream here lacks Kaldi's constant: silence would not be zero
    weight, bias = first_layer(parts, model.frontend.floor.double().numpy())
    put(model.first, weight * scale[:, None], bias * scale)
    put(model.speaker, parts["tdnn1.affine"]["LinearParams"][:, -IVECTOR:] * scale[:, None])
    for number, layer in enumerate(model.layers, 2):
        linear, affine = parts[f"tdnnf{number}.linear"]["LinearParams"], parts[f"tdnnf{number}.affine"]
        taps = np.split(linear, linear.shape[1] // STREAM, 1)
        put(layer.waist, np.concatenate(taps))
        weight, narrow = affine["LinearParams"], linear.shape[0]
        bias = affine["BiasParams"] + sum(np.split(weight, weight.shape[1] // narrow, 1)) @ sum(taps) @ constant
        scale, offset = batch_norm(parts[f"tdnnf{number}.batchnorm"])
        put(layer.wide, weight * scale[:, None], bias * scale)
        constant = KEEP * constant + offset
    narrow, wide, last = parts["prefinal-l"]["Params"], parts["prefinal-chain.affine"], parts["prefinal-chain.linear"]["Params"]
    put(model.outputs[0], narrow, narrow @ constant)
    put(model.outputs[1], wide["LinearParams"], wide["BiasParams"])
    (scale, offset), (outer, outer_offset) = batch_norm(parts["prefinal-chain.batchnorm1"]), batch_norm(parts["prefinal-chain.batchnorm2"])
    put(model.outputs[3], last * scale * outer[:, None], last @ offset * outer + outer_offset)
    model.speech.weight.zero_()
    model.speech.bias.zero_()
    put(model.outputs[4], parts["output.affine"]["LinearParams"], parts["output.affine"]["BiasParams"])
    return model
