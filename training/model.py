"""The streaming transducer of phones: the acoustic network of Vosk's small English model (acoustic.py) and behind it a search for words.

One step is 100 ms (1600 samples). Two code paths share the weights: `Model.encode` sees whole utterances (training),
`Model.step` sees one chunk and explicit state (export, serving); test_training.py holds them equal.

    PCM 1600 ─ ear: 3 slots of 33.3 ms, 2192 outputs each ─ search for words (search.py)

A transducer without blanks whose predictor is the last two labels and whose joiner is a table: what a label scores in a slot is the
output that stands for its beginning after the label before, or for its going on. The ear looks ahead by answering late: no extra arithmetic.
"""
import torch
import torch.nn.functional as F
from torch import nn

import acoustic
import search
from common import CHUNK_SAMPLES, CHUNK_SLOTS
from search import BEAM, INT_STATE

LOOKAHEAD_CHUNKS = 1                 # the ear's answer belongs to the chunk before
SMALL_STATE = acoustic.STATE + 1 + BEAM


def weights_of(checkpoint):
    """The running mean, where a checkpoint has one."""
    return checkpoint.get("mean", checkpoint["model"])


def read_weights(paths):
    """Checkpoints -> {name: tensor}: the mean of their weights."""
    weights = [weights_of(torch.load(path, map_location="cpu")) for path in paths]
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}


class Model(nn.Module):
    def __init__(self, weights=None):
        super().__init__()
        self.words = None                             # search.Words: what `step` needs and training does not
        self.ear = acoustic.Acoustic()
        if weights is not None:
            self.load_state_dict(weights)

    def hear(self, wave, mask=None):
        """(B, 1600 n) -> (B, 3 n, 640). mask: training alone, see Acoustic."""
        # the ear answers a chunk late; here each answer is put in its own place
        return self.ear(F.pad(wave, (0, CHUNK_SAMPLES)), mask)[:, CHUNK_SLOTS:]

    def encode(self, wave, mask=None):
        """(B, 1600 n) -> (B, 3 n, 2192)."""
        return self.ear.outputs(self.hear(wave, mask))

    def step(self, pcm, small, last, hotwords=None):
        """pcm (B, 1600); small (B, SMALL_STATE) float32; last (B, BEAM * INT_STATE) int; hotwords (B, edges, 5)
        int, see `search.Hotwords`, is no state and may differ from stream to stream. All zero at the start of a stream.
        -> words (B, 3) with -1 = nothing, their log-probabilities, [age, span] of each (B, 3, 2), unsaid words (B, QUEUE, 3), their
        log-probabilities, speech probability (B, 3), next state. Everything in slots of 33.3 ms."""
        state, age, beam = small.split([acoustic.STATE, 1, BEAM], 1)
        heard, state = self.ear.step(pcm, state)
        words, logps, times, preview, preview_logps, beam, last = self.search(self.ear.outputs(heard), beam, last, age, hotwords)
        small = torch.cat([state, age + 1, beam], 1)
        return words, logps, times, preview, preview_logps, self.speech(heard), small, last

    def speech(self, heard):
        """(B, n, 640) -> (B, n): probability of speech."""
        return torch.sigmoid(self.ear.speech(heard)[..., 0])

    def search(self, outputs, beam, last, age, hotwords=None):
        """outputs (B, 3, 2192), search state -> what `step` returns of it."""
        # an empty state holds one hypothesis; the first LOOKAHEAD_CHUNKS steps answer for audio before the stream's start, and say nothing
        beam = beam + (age == 0).float() * (torch.arange(BEAM) > 0) * search.NEVER
        unheard = (torch.arange(acoustic.OUTPUTS) != self.words.quiet) * search.NEVER
        outputs = torch.where((age < LOOKAHEAD_CHUNKS)[..., None], unheard, outputs)
        hotwords = search.Hotwords(hotwords) if hotwords is not None else None
        now = age.long() * CHUNK_SLOTS
        likely = outputs[..., self.words.begins.long()].amax(-1).topk(search.LIKELY).indices
        base, found = ((age * 0 + 1).cumsum(0).long() - 1) * BEAM, search.unpack(beam, last)
        for slot in range(CHUNK_SLOTS):
            found = search.advance(self.words, outputs[:, slot], likely[:, slot], now + slot, base, found, hotwords)
        found, word, logp, times, preview, preview_logps = search.say(now + slot, found)
        words, logps, times = F.pad(word[:, None], (slot, 0), value=-1), F.pad(logp[:, None], (slot, 0)), F.pad(times[:, None], (0, 0, slot, 0))
        return words, logps, times, preview, preview_logps, *search.pack(found)

    @staticmethod
    def empty_state(batch):
        return torch.zeros(batch, SMALL_STATE), torch.zeros(batch, BEAM * INT_STATE, dtype=torch.int32)
