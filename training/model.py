"""The streaming transducer of phones: the acoustic network of Vosk's small English model (acoustic.py), three attention blocks, a
stateless predictor, a joiner that adds to the CTC head's logits, and behind them a search for words.

One step is 100 ms (1600 samples). Two code paths share the weights: `Model.encode` sees whole utterances (training),
`Model.step` sees one chunk and explicit state (export, serving); test_training.py holds them equal.

    PCM 1600 ─ ear: 3 frames of 33.3 ms ─ join_ear ─ 2 frames of 50 ms ─ attention blocks ─ norm ─
    2 slots of 25 ms a frame: phones - joiner ⟵ predictor(last phone) - search for words (search.py)

Attention is full inside a chunk and reaches back a fixed number of cached frames; a learned bias for each head and distance
tells order. The ear alone looks ahead (89 ms), by answering a chunk late: no extra arithmetic.
"""
import torch
import torch.nn.functional as F
from torch import nn

import acoustic
import search
from common import BLANK, CHUNK_SAMPLES, CHUNK_SLOTS, FRAMES_PER_CHUNK, SLOTS
from lexicon import LABELS
from search import BEAM, INT_STATE

WIDTH, HEADS, BLOCKS = 384, 6, 3
HEAD_DIM = WIDTH // HEADS
CACHE = 40                           # frames of left context: 2 s
LOOKAHEAD_CHUNKS = 1                 # the ear's answer belongs to the chunk before
JOINT = 256
SMALL_STATE = acoustic.STATE + 1 + 2 * BEAM


def heads(x):
    """(B, T, 384) -> (B, 6, T, 64)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class Block(nn.Module):
    """A pre-norm transformer block with a window of whole chunks."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        # by distance key - query, from -(CACHE + FRAMES_PER_CHUNK - 1) to FRAMES_PER_CHUNK - 1
        self.bias = nn.Parameter(torch.zeros(HEADS, CACHE + 2 * FRAMES_PER_CHUNK - 1))

    def feed(self, x):
        return x + self.down(F.gelu(self.up(self.norm2(x))))

    def distance_index(self, queries, keys):
        """queries (Q,), keys (K,) frame numbers -> (Q, K) columns of `bias`."""
        return (keys[None] - queries[:, None] + CACHE + FRAMES_PER_CHUNK - 1).clamp(0, self.bias.shape[1] - 1)

    def scores_bias(self, length, device):
        """(6, T, T): learned distance bias, -inf outside the chunk window."""
        t = torch.arange(length, device=device)
        chunk = t // FRAMES_PER_CHUNK
        gap = chunk[None] - chunk[:, None]                      # key's chunk - query's chunk
        seen = (gap <= 0) & (gap >= -(CACHE // FRAMES_PER_CHUNK))
        return self.bias[:, self.distance_index(t, t)].masked_fill(~seen, -1e4)

    def forward(self, x):
        q, k, v = (heads(part) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) * HEAD_DIM ** -.5 + self.scores_bias(x.shape[1], x.device)
        return self.feed(x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2)))

    def step_bias(self):
        """(6, 2, CACHE + 2): the same table for one step."""
        return self.bias[:, self.distance_index(torch.arange(FRAMES_PER_CHUNK) + CACHE, torch.arange(CACHE + FRAMES_PER_CHUNK))]

    def step(self, x, keys, values, blocked):
        """x (B, 2, 384) this chunk; the cache: keys and values (B, 6, CACHE, 64), fp16 or fp32; blocked (B, 1, 1, CACHE + 2)
        0 or -1e4. -> output (B, 2, 384), next keys, next values. The cache moves on in its own type, half the bytes to copy, and
        is never joined with the new frames in fp32: scores and mixtures of the two are."""
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        q, k, v = heads(q) * HEAD_DIM ** -.5, heads(k), heads(v)
        scores = torch.cat([q @ keys.float().transpose(2, 3), q @ k.transpose(2, 3)], -1) + (self.step_bias() + blocked)
        old, new = scores.softmax(-1).split([CACHE, FRAMES_PER_CHUNK], -1)
        mixed = old @ values.float() + new @ v
        x = self.feed(x + self.out(mixed.transpose(1, 2).flatten(2)))
        return (x, torch.cat([keys[:, :, FRAMES_PER_CHUNK:], k.to(keys.dtype)], 2),
                torch.cat([values[:, :, FRAMES_PER_CHUNK:], v.to(values.dtype)], 2))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = None                             # search.Words: what `step` needs and training does not
        self.ear = acoustic.Acoustic()
        self.join_ear = nn.Linear(acoustic.FRAMES * acoustic.FEATURES, FRAMES_PER_CHUNK * WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.ctc, self.vad = nn.Linear(WIDTH, SLOTS * LABELS), nn.Linear(WIDTH, 1)
        self.encoder_out = nn.Linear(WIDTH, SLOTS * JOINT)
        self.embed = nn.Embedding(LABELS, JOINT)                 # the last label
        self.predictor_out = nn.Linear(JOINT, JOINT)
        self.joiner_out = nn.Linear(JOINT, LABELS)
        nn.init.zeros_(self.joiner_out.weight)        # at first the transducer is the CTC head
        nn.init.zeros_(self.joiner_out.bias)

    # ---- whole utterances

    def encode(self, wave, mask=None):
        """(B, 1600 n) -> (B, 2 n, 384), frame k centred on 50 k ms of the audio. mask: training alone, see Acoustic."""
        # the ear answers a chunk late; here each answer is put in its own place
        x = self.joined(self.ear(F.pad(wave, (0, CHUNK_SAMPLES)), mask)[:, acoustic.FRAMES:])
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def joined(self, heard):
        """(B, 3 n, 192) -> (B, 2 n, 384): from the ear's frames to those of the blocks, chunk by chunk."""
        return self.join_ear(heard.unflatten(1, (-1, acoustic.FRAMES)).flatten(2)).unflatten(2, (FRAMES_PER_CHUNK, WIDTH)).flatten(1, 2)

    def predict(self, last):
        """Label ids (...), BLANK where there is none yet -> (..., JOINT)."""
        return self.predictor_out(F.relu(self.embed(last)))

    def labels(self, encoded):
        """(B, T, 384) -> CTC logits (B, SLOTS T, labels)."""
        return self.ctc(encoded).unflatten(-1, (SLOTS, -1)).flatten(1, 2)

    def project(self, encoded):
        """(B, T, 384) -> (B, SLOTS T, JOINT + labels): what the joiner takes from a slot, computed once for all labels before it."""
        return torch.cat([self.encoder_out(encoded).unflatten(-1, (SLOTS, -1)).flatten(1, 2), self.labels(encoded)], -1)

    def join(self, projected, predicted, weight=1.):
        """CTC logits plus what the history has to say about them. A joiner that starts from nothing learns for hours and
        meanwhile harms the encoder; this one starts where CTC already is."""
        hidden, logits = projected.split([JOINT, LABELS], -1)
        return logits + weight * self.joiner_out(torch.tanh(hidden + predicted))

    # ---- one chunk

    def step(self, pcm, small, caches, last, hotwords=None):
        """pcm (B, 1600); small (B, SMALL_STATE) float32; caches: keys and values (B, 6, CACHE, 64) of each block in turn, fp16
        or fp32, tensors of their own: stacking them costs copies; last (B, BEAM * INT_STATE) int; hotwords (B, edges, 5)
        int, see `search.Hotwords`, is no state and may differ from stream to stream. All zero at the start of a stream.
        -> words (B, 4) with -1 = nothing, their log-probabilities, [age, span] of each (B, 4, 2), unsaid words (B, QUEUE, 3), their
        log-probabilities, speech probability (B, 4), next state. Everything in slots of 25 ms."""
        heard, age, beam = small.split([acoustic.STATE, 1, 2 * BEAM], 1)
        found, heard = self.ear.step(pcm, heard)
        x, blocked, next_caches = self.joined(found), self.blocked(age), []
        for block, keys, values in zip(self.blocks, caches[::2], caches[1::2]):
            x, keys, values = block.step(x, keys, values, blocked)
            next_caches += [keys, values]
        x = self.norm(x)
        words, logps, times, preview, preview_logps, beam, last = self.search(self.project(x), beam, last, age, hotwords)
        vad = torch.sigmoid(self.vad(x)).expand(-1, -1, SLOTS).flatten(1)
        small = torch.cat([heard, age + 1, beam], 1)
        return words, logps, times, preview, preview_logps, vad, small, next_caches, last

    @staticmethod
    def blocked(age):
        """(B, 1, 1, CACHE + 2): -1e4 on cache frames that no audio has filled. age (B, 1): steps done so far, the first of which
        answered for audio before the stream's start."""
        filled = torch.clamp(age - LOOKAHEAD_CHUNKS, min=0.) * FRAMES_PER_CHUNK
        vacant = torch.arange(CACHE + FRAMES_PER_CHUNK, dtype=torch.float32) < CACHE - filled
        return (vacant.float() * -1e4)[:, None, None]

    def after_each(self, projected, predicted):
        """projected (B, JOINT + labels), predicted (labels, JOINT) -> (B, labels, labels): log-probability of each label after each."""
        return (self.join(projected[:, None], predicted, self.words.weights.joiner) - self.words.discount).log_softmax(-1)

    def search(self, projected, beam, last, age, hotwords=None):
        """projected (B, 4, JOINT + labels), search state -> what `step` returns of it."""
        # an empty state holds one hypothesis; the first LOOKAHEAD_CHUNKS steps answer for audio before the stream's start
        beam = beam + (age == 0).float() * (torch.arange(2 * BEAM) > 0) * search.NEVER
        silent = (age < LOOKAHEAD_CHUNKS).float()[..., None] * (torch.arange(LABELS) != BLANK) * search.NEVER
        hotwords = search.Hotwords(hotwords) if hotwords is not None else None
        predicted, now = self.predict(torch.arange(LABELS)), age.long() * CHUNK_SLOTS
        likely = 1 + projected[..., JOINT + 1:].topk(search.LIKELY).indices
        base, found = ((age * 0 + 1).cumsum(0).long() - 1) * BEAM, search.unpack(beam, last)
        for slot in range(CHUNK_SLOTS):
            found = search.advance(self.words, self.after_each(projected[:, slot], predicted) + silent, likely[:, slot], now + slot, base, found, hotwords)
        found, word, logp, times, preview, preview_logps = search.say(now + slot, found)
        words, logps, times = F.pad(word[:, None], (slot, 0), value=-1), F.pad(logp[:, None], (slot, 0)), F.pad(times[:, None], (0, 0, slot, 0))
        return words, logps, times, preview, preview_logps, *search.pack(found)

    @staticmethod
    def empty_state(batch, dtype=torch.float32):
        caches = [torch.zeros(batch, HEADS, CACHE, HEAD_DIM, dtype=dtype) for _ in range(2 * BLOCKS)]
        return torch.zeros(batch, SMALL_STATE), caches, torch.zeros(batch, BEAM * INT_STATE, dtype=torch.int32)


@torch.no_grad()
def greedy(model, encoded, frames):
    """encoded (B, T, 384), frames (B,) of slots -> label lists: the best label a slot, held ones once. For a look while training."""
    batch = encoded.shape[0]
    projected = model.project(encoded)
    one = torch.zeros(batch, dtype=torch.long, device=encoded.device)
    held, out = one.clone(), [[] for _ in range(batch)]
    for t in range(projected.shape[1]):
        live = frames > t
        choice = model.join(projected[:, t], model.predict(one)).argmax(-1)
        said = live & (choice != BLANK) & (choice != held)
        held = torch.where(live, choice, held)
        for b in said.nonzero()[:, 0].tolist():
            out[b].append(int(choice[b]))
        one = torch.where(said, choice, one)
    return out
