"""The streaming transducer: Whisper tiny.en's encoder made causal, a stateless predictor and a joiner
that adds to the CTC head's logits.

One step is 100 ms (1600 samples). Two code paths share the weights: `Model.encode` sees whole utterances (training),
`Model.step` sees one chunk and explicit state (export, serving); test_model.py holds them equal.

    PCM 1600 ─ 8 log-mel frames, hop 12.5 ms ─ conv, conv/2 ─ 4 frames of 25 ms ─ block 1 ─ merge ─
    2 frames of 50 ms ─ blocks 2, 3, 4 ─ norm ─ joiner ⟵ predictor(last two tokens)

The hop is 12.5 ms where Whisper was trained with 10: it hears speech 1.25 times faster, which it takes well, and a
100 ms step becomes a whole number of frames. Attention is full inside a chunk and reaches back a fixed number of
cached frames. Block 2 alone also sees the next chunk (LOOKAHEAD_CHUNKS): in a stream it works on the residual of the
previous chunk, so look-ahead costs 100 ms of delay and no extra arithmetic.
Behind block 2 a second ear (acoustic.py) adds what it heard of the same chunk; the shipped weights (1.2.0) are from before it.
Whisper's absolute positions cannot serve an endless stream: a constant (their mean) stays in the residual, and a
learned bias for each head and distance takes over in the attention scores.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

import acoustic
from common import BLANK, CHUNK_SAMPLES, FRAMES_PER_CHUNK
from language import SCALE
from whisper import Block, FFT, HEADS, MEL_BINS, WIDTH, heads, mel_filters

HOP = 200
TAIL = FFT - HOP                     # samples kept from the previous chunk
FLOOR = -6.0                         # log10 of mel power: silence, in place of Whisper's per-clip maximum - 8
FRAMES = (4, 2, 2, 2)                # frames a chunk, per block
CACHE = (32, 40, 40, 40)             # frames of left context, per block: 0.8 s, then 2 s
AHEAD = (0, 1, 0, 0)                 # chunks of look-ahead, per block
LOOKAHEAD_CHUNKS = sum(AHEAD)
MERGE_AFTER = 1
LATE = FRAMES[AHEAD.index(1)] * WIDTH                       # residual of the chunk that waits for its look-ahead
HEAD_DIM = WIDTH // HEADS
JOINT = 256
BEAM, DELAY = 8, 3                   # hypotheses; frames until the best one's token is said and the others must agree
FIELDS = 6                           # of a hypothesis, before its unsaid tokens: last token, the one before, held token, n-gram state, hash,
                                     # and how far it is in a hotword
SMALL_STATE = TAIL + 2 * MEL_BINS + WIDTH + LATE + 1 + BEAM * (1 + DELAY) + acoustic.STATE
HASH, HASH_MODULUS = 1_000_003, 2 ** 31 - 1
NEVER = -1e30


class Frontend(nn.Module):
    """Log-mel and Whisper's two convolutions, every tap inside the chunk or behind it."""

    def __init__(self):
        super().__init__()
        window = torch.hann_window(FFT)
        angle = 2 * math.pi * torch.arange(FFT // 2 + 1)[:, None] * torch.arange(FFT)[None] / FFT
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("dft", torch.cat([torch.cos(angle), torch.sin(angle)]).mul(window).T.contiguous(), persistent=False)
        self.register_buffer("filters", mel_filters().T.contiguous(), persistent=False)
        self.conv1, self.conv2 = nn.Conv1d(MEL_BINS, WIDTH, 3), nn.Conv1d(WIDTH, WIDTH, 3, 2)
        self.register_buffer("offset", torch.zeros(WIDTH))     # what was added to the residual: the mean position

    def compress(self, power):
        """Mel power -> Whisper's scale, shifted so that silence is 0, the value an empty state holds."""
        return (torch.log10(torch.clamp(power @ self.filters, min=10 ** FLOOR)) - FLOOR) / 4

    def log_mel(self, wave):
        """(B, TAIL + 200 n) -> (B, n, 80)."""
        spectrum = torch.fft.rfft(wave.unfold(-1, FFT, HOP) * self.window)
        return self.compress(spectrum.real.square() + spectrum.imag.square())

    def log_mel_step(self, wave):
        """The same numbers by matrix products alone: (B, TAIL + 1600) -> (B, 8, 80)."""
        halves = wave.unflatten(1, (-1, HOP))
        spectrum = torch.cat([halves[:, :-1], halves[:, 1:]], -1) @ self.dft
        real, imaginary = spectrum.split(FFT // 2 + 1, -1)
        return self.compress(real * real + imaginary * imaginary)

    def convolve_step(self, mel, last):
        """mel (B, 10, 80), last (B, 1, 384) -> (B, 4, 384), (B, 1, 384). As matrix products: a Conv node over so few
        frames is four times slower."""
        taps = torch.cat([mel[:, :-2], mel[:, 1:-1], mel[:, 2:]], -1)
        first = F.gelu(taps @ self.conv1.weight.permute(2, 1, 0).reshape(-1, WIDTH) + self.conv1.bias)
        x = torch.cat([last, first], 1)
        taps = torch.cat([x[:, 0:7:2], x[:, 1:8:2], x[:, 2:9:2]], -1)
        return F.gelu(taps @ self.conv2.weight.permute(2, 1, 0).reshape(-1, WIDTH) + self.conv2.bias), first[:, -1:]

    def forward(self, wave):
        """(B, 1600 n) -> (B, 4 n, 384)."""
        mel = self.log_mel(F.pad(wave, (TAIL, 0))).transpose(1, 2)
        first = F.gelu(self.conv1(F.pad(mel, (2, 0))))
        return F.gelu(self.conv2(F.pad(first, (1, 0)))).transpose(1, 2) + self.offset


class StreamingBlock(Block):
    def __init__(self, index):
        super().__init__()
        self.frames, self.cache, self.ahead = FRAMES[index], CACHE[index], AHEAD[index]
        # distance key - query, from -(cache + frames - 1) to what the look-ahead allows
        self.nearest = self.cache + self.frames * (1 - self.ahead) - 1
        self.bias = nn.Parameter(torch.zeros(HEADS, self.cache + 2 * self.frames - 1))

    def distance_index(self, queries, keys):
        """queries (Q,), keys (K,) frame numbers -> (Q, K) columns of `bias`."""
        return (keys[None] - queries[:, None] + self.nearest).clamp(0, self.bias.shape[1] - 1)

    def scores_bias(self, length, device):
        """(6, T, T): learned distance bias, -inf outside the chunk window."""
        t = torch.arange(length, device=device)
        chunk = t // self.frames
        gap = chunk[None] - chunk[:, None]                      # key's chunk - query's chunk
        seen = (gap <= self.ahead) & (gap >= self.ahead - self.cache // self.frames)
        return self.bias[:, self.distance_index(t, t)].masked_fill(~seen, -1e4)

    def forward(self, x):
        q, k, v = (heads(part) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) * HEAD_DIM ** -.5 + self.scores_bias(x.shape[1], x.device)
        return self.feed(x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2)))

    def step_bias(self):
        """(6, frames, cache + frames): the same table for one step."""
        queries = torch.arange(self.frames) + self.cache - self.frames * self.ahead
        return self.bias[:, self.distance_index(queries, torch.arange(self.cache + self.frames))]

    def step(self, x, late, keys, values, blocked):
        """x (B, f, 384) this chunk; late (B, f, 384) the chunk to answer for (x itself without look-ahead); the cache:
        keys and values (B, 6, cache, 64), fp16 or fp32; blocked (B, 1, 1, cache + f) 0 or -1e4.
        -> output (B, f, 384), next keys, next values. The cache moves on in its own type, half the bytes to copy, and is
        never joined with the new frames in fp32: scores and mixtures of the two are."""
        if self.ahead:
            w, b = self.qkv.weight, self.qkv.bias
            q = F.linear(self.norm1(late), w[:WIDTH], b[:WIDTH])
            k, v = F.linear(self.norm1(x), w[WIDTH:], b[WIDTH:]).chunk(2, -1)
        else:
            q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        q, k, v = heads(q) * HEAD_DIM ** -.5, heads(k), heads(v)
        scores = torch.cat([q @ keys.float().transpose(2, 3), q @ k.transpose(2, 3)], -1) + (self.step_bias() + blocked)
        old, new = scores.softmax(-1).split([self.cache, self.frames], -1)
        mixed = old @ values.float() + new @ v
        late = late + self.out(mixed.transpose(1, 2).flatten(2))
        return (self.feed(late), torch.cat([keys[:, :, self.frames:], k.to(keys.dtype)], 2),
                torch.cat([values[:, :, self.frames:], v.to(values.dtype)], 2))


class Language:
    """The n-gram of language.py with its weight in the search, and what a token more earns (deletions cost nothing otherwise)."""

    def __init__(self, pieces, scores=None, following=None, weight=0., bonus=0.):
        self.scores = torch.zeros(1, pieces, dtype=torch.int8) if scores is None else scores
        self.following = torch.zeros(1, pieces, dtype=torch.int16) if following is None else following
        self.scale = weight * SCALE
        self.bonus = torch.full((pieces,), float(bonus)) * (torch.arange(pieces) != BLANK)


class Hotwords:
    """Phrases that a stream wants heard, as edges of a trie over pieces: (B, edges, 5) int of from node, piece, to node, gain of
    taking the edge, debt at its end; gain and debt in thousandths of a nat. Node 0 is the root; unused edges are all zero.

    A hypothesis gains on its way through a phrase and pays the debt where it leaves the trie before a phrase's end, so
    nothing is won by almost saying one. Where a phrase ends there is no debt.
    """

    def __init__(self, edges, pieces):
        self.source, self.piece, self.target = (edges[..., i].long()[:, None] for i in range(3))        # (B, 1, edges)
        self.gain, self.debt = (edges[..., i].float()[:, None] / 1000 for i in (3, 4))
        self.starts = (self.source == 0) & (self.piece > 0)
        self.pieces = pieces

    def owed(self, node):
        """node (B, N) -> (B, N, 1)."""
        return (self.debt * ((self.target == node[..., None]) & (node > 0)[..., None]).float()).amax(-1, keepdim=True)

    def worth(self, node):
        """(B, N) -> (B, N, edges): what taking an edge changes, NEVER where it cannot be taken. Every phrase may start anywhere."""
        fresh = torch.where(self.starts, self.gain - self.owed(node), torch.tensor(NEVER))
        return torch.where((self.source == node[..., None]) & (self.piece > 0), self.gain, fresh)

    def changes(self, node):
        """(B, N) -> (B, N, pieces): what each next piece changes, BLANK nothing."""
        nothing = (-self.owed(node)).expand(-1, -1, self.pieces)
        found = nothing.scatter_reduce(2, self.piece.expand(-1, node.shape[1], -1), self.worth(node), "amax")
        return found * (torch.arange(self.pieces) != BLANK)

    def follow(self, node, piece):
        """(B, N), (B, N) -> the node that follows, the root where no edge does."""
        worth, edge = torch.where(self.piece == piece[..., None], self.worth(node), torch.tensor(NEVER)).max(-1)
        target = torch.gather(self.target.expand(-1, node.shape[1], -1), 2, edge[..., None])[..., 0]
        return torch.where(worth > NEVER / 2, target, torch.zeros_like(target))


class Model(nn.Module):
    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces
        self.language = Language(pieces)
        self.frontend = Frontend()
        self.blocks = nn.ModuleList(StreamingBlock(i) for i in range(len(FRAMES)))
        self.merge = nn.Linear(2 * WIDTH, WIDTH)
        self.ear = acoustic.Acoustic()
        self.join_ear = nn.Linear(acoustic.FRAMES * acoustic.FEATURES, FRAMES_PER_CHUNK * WIDTH)
        nn.init.zeros_(self.join_ear.weight)          # at first the model is what it was without its second ear
        nn.init.zeros_(self.join_ear.bias)
        self.norm = nn.LayerNorm(WIDTH)
        self.ctc, self.vad = nn.Linear(WIDTH, pieces), nn.Linear(WIDTH, 1)
        self.encoder_out = nn.Linear(WIDTH, JOINT)
        self.embed = nn.ModuleList(nn.Embedding(pieces, JOINT) for _ in range(2))   # last token, the one before
        self.predictor_out = nn.Linear(JOINT, JOINT)
        self.joiner_out = nn.Linear(JOINT, pieces)
        nn.init.zeros_(self.joiner_out.weight)        # at first the transducer is the CTC head
        nn.init.zeros_(self.joiner_out.bias)

    # ---- whole utterances

    def encode(self, wave, deaf=None, mask=None):
        """(B, 1600 n) -> (B, 2 n, 384), frame k centred on 50 k ms of the audio. Training alone: deaf (B, 1, 1), 0 where all that the
        first ear found is to be hidden, 1 elsewhere; mask, see Acoustic."""
        x = self.frontend(wave)
        for i, block in enumerate(self.blocks):
            if i == MERGE_AFTER:
                x = self.merge(x.unflatten(1, (-1, 2)).flatten(2))
            x = block(x)
            if block.ahead:
                x = x if deaf is None else x * deaf
                x = x + self.second(self.ear(F.pad(wave, (0, CHUNK_SAMPLES)), mask)[:, acoustic.FRAMES:])
        return self.norm(x)

    def second(self, heard):
        """(B, 3 n, 192) -> (B, 2 n, 384): what the second ear adds behind the block that looks ahead, where both speak of one chunk."""
        return self.join_ear(heard.unflatten(1, (-1, acoustic.FRAMES)).flatten(2)).unflatten(2, (FRAMES_PER_CHUNK, WIDTH)).flatten(1, 2)

    def predict(self, last, before):
        """Token ids (...) each, BLANK where there is none yet -> (..., JOINT)."""
        return self.predictor_out(F.relu(self.embed[0](last) + self.embed[1](before)))

    def project(self, encoded):
        """(..., 384) -> (..., JOINT + pieces): what the joiner takes from a frame, computed once for all its symbols."""
        return torch.cat([self.encoder_out(encoded), self.ctc(encoded)], -1)

    def join(self, projected, predicted):
        """CTC logits plus what the history has to say about them. A joiner that starts from nothing learns for hours and
        meanwhile harms the encoder; this one starts where CTC already is."""
        hidden, logits = projected.split([JOINT, self.pieces], -1)
        return logits + self.joiner_out(torch.tanh(hidden + predicted))

    # ---- one chunk

    def step(self, pcm, small, caches, last, hotwords=None):
        """pcm (B, 1600); small (B, SMALL_STATE) float32; caches: keys and values (B, 6, cache, 64) of each block in turn, fp16
        or fp32, tensors of their own: stacking them costs copies; last (B, BEAM * (FIELDS + DELAY)) int; hotwords (B, edges, 5)
        int, see `Hotwords`, is no state and may differ from stream to stream. All zero at the start of a stream.
        -> tokens (B, 2) with -1 = nothing, their log-probabilities, speech probability (B, 2), next state."""
        tail, mel, first, late, age, beam, heard = small.split([TAIL, 2 * MEL_BINS, WIDTH, LATE, 1, BEAM * (1 + DELAY), acoustic.STATE], 1)
        wave = torch.cat([tail, pcm], 1)
        mel = torch.cat([mel.unflatten(1, (2, MEL_BINS)), self.frontend.log_mel_step(wave)], 1)
        x, first = self.frontend.convolve_step(mel, first[:, None])
        x = x + self.frontend.offset
        found, heard = self.ear.step(pcm, heard)
        late, next_late, next_caches = late.unflatten(1, (-1, WIDTH)), None, []
        for i, block in enumerate(self.blocks):
            if i == MERGE_AFTER:
                x = self.merge(x.unflatten(1, (-1, 2)).flatten(2))
            if block.ahead:
                next_late = x
            keys, values = caches[2 * i:2 * i + 2]
            x, keys, values = block.step(x, late if block.ahead else x, keys, values, self.blocked(block, age, i))
            next_caches += [keys, values]
            if block.ahead:
                x = x + self.second(found)
        x = self.norm(x)
        tokens, logps, beam, last = self.search(self.project(x), beam, last, age, hotwords)
        vad = torch.sigmoid(self.vad(x))[..., 0]
        small = torch.cat([wave[:, -TAIL:], mel[:, -2:].flatten(1), first[:, 0], next_late.flatten(1),
                           torch.clamp(age + 1, max=1000.), beam, heard], 1)
        return tokens, logps, vad, small, next_caches, last

    def blocked(self, block, age, index):
        """(B, 1, 1, cache + frames): -1e4 on cache frames that no audio has filled. age (B, 1): steps done so far.
        Blocks above the look-ahead are a step behind: their first chunk is empty."""
        filled = torch.clamp(age - sum(AHEAD[:index]), min=0.) * block.frames
        vacant = torch.arange(block.cache + block.frames, dtype=torch.float32) < block.cache - filled
        return (vacant.float() * -1e4)[:, None, None]

    def search(self, projected, beam, last, age, hotwords=None):
        """Beam search with the n-gram, one token a frame at most. projected (B, 2, JOINT + pieces); beam (B, BEAM * (1 + DELAY)):
        scores and the log-probabilities of unsaid tokens; last: the hypotheses' fields and unsaid tokens.

        What a server says it cannot take back, so a token waits DELAY frames: then the best hypothesis' token of that
        frame is said, and hypotheses that disagree are dropped. The winner of a frame that already won the frame before is
        held, not said again: the joiner stands on CTC logits, whose peaks can be two frames wide. Hypotheses with the same
        text are merged by a hash of it."""
        scores, unsaid_logps = beam.split([BEAM, BEAM * DELAY], 1)
        unsaid_logps = unsaid_logps.unflatten(1, (BEAM, DELAY))
        hypotheses = last.long().unflatten(1, (BEAM, FIELDS + DELAY))
        hotwords = Hotwords(hotwords, self.pieces) if hotwords is not None else None
        others = (torch.arange(BEAM) > 0).float() * NEVER
        scores = scores + (age == 0).float() * others                          # an empty state holds one hypothesis, not four
        # the first LOOKAHEAD_CHUNKS steps answer for audio before the stream's start: nothing may be said there
        silent = (age < LOOKAHEAD_CHUNKS).float()[..., None] * (torch.arange(self.pieces) != BLANK) * NEVER
        tokens, logps = [], []
        for frame in range(FRAMES_PER_CHUNK):
            scores, unsaid_logps, hypotheses = self.advance(projected[:, frame, None], scores, unsaid_logps, hypotheses, silent, hotwords)
            said = hypotheses[..., FIELDS]
            tokens.append(said[:, 0])
            logps.append(unsaid_logps[:, 0, 0])
            scores = torch.where(said == said[:, :1], scores - scores[:, :1], torch.tensor(NEVER))
            hypotheses = torch.cat([hypotheses[..., :FIELDS], hypotheses[..., FIELDS + 1:]], -1)
            unsaid_logps = unsaid_logps[..., 1:]
        tokens = torch.stack(tokens, 1)
        beam = torch.cat([scores, unsaid_logps.flatten(1)], 1)
        return torch.where(tokens == BLANK, torch.tensor(-1), tokens), torch.stack(logps, 1), beam, hypotheses.flatten(1).to(last.dtype)

    def advance(self, frame, scores, unsaid_logps, hypotheses, silent, hotwords=None):
        """One frame: every hypothesis by every piece, the 2 BEAM best, merged, the BEAM best of those -> the same three, best
        first, one unsaid token (BLANK: none) longer."""
        one, two, held, state = (hypotheses[..., i] for i in range(4))
        heard = self.join(frame, self.predict(one, two)).log_softmax(-1)                          # (B, BEAM, pieces)
        text = self.language.scores[state].float() * self.language.scale + self.language.bonus
        if hotwords:
            text = text + hotwords.changes(hypotheses[..., 5])
        text = torch.where(torch.arange(self.pieces) == held[..., None], torch.tensor(0.), text)
        scores, index = (scores[..., None] + heard + text + silent).flatten(1).topk(2 * BEAM)
        parent, token = index // self.pieces, index % self.pieces
        hypotheses = pick(hypotheses, parent)
        one, two, held, state, key, node = (hypotheses[..., i] for i in range(FIELDS))
        said = (token != BLANK) & (token != held)
        key = torch.where(said, (key * HASH + token) % HASH_MODULUS, key)
        state = torch.where(said, self.language.following.flatten()[state * self.pieces + token].long(), state)
        node = torch.where(said, hotwords.follow(node, token), node) if hotwords else node
        fields = torch.stack([torch.where(said, token, one), torch.where(said, one, two), token, state, key, node], -1)
        hypotheses = torch.cat([fields, hypotheses[..., FIELDS:], torch.where(said, token, torch.tensor(BLANK))[..., None]], -1)
        logps = heard.flatten(1).gather(1, index) * said.float()
        unsaid_logps = torch.cat([pick(unsaid_logps, parent), logps[..., None]], -1)
        key = key * self.pieces + token
        same = key[:, :, None] == key[:, None]
        twin = (same & torch.ones(2 * BEAM, 2 * BEAM).tril(-1).bool()).any(-1)                    # of a better one
        merged = torch.logsumexp(torch.where(same, scores[:, None], torch.tensor(NEVER)), -1)
        scores, best = torch.where(twin, torch.tensor(NEVER), merged).topk(BEAM)
        return scores, pick(unsaid_logps, best), pick(hypotheses, best)

    @staticmethod
    def empty_state(batch, dtype=torch.float32):
        caches = [torch.zeros(batch, HEADS, cache, HEAD_DIM, dtype=dtype) for cache in CACHE for _ in ("keys", "values")]
        return torch.zeros(batch, SMALL_STATE), caches, torch.zeros(batch, BEAM * (FIELDS + DELAY), dtype=torch.int32)


def pick(values, rows):
    """values (B, N, F), rows (B, M) -> (B, M, F)."""
    return values.gather(1, rows[..., None].expand(-1, -1, values.shape[-1]))


@torch.no_grad()
def greedy(model, encoded, frames):
    """encoded (B, T, 384), frames (B,) -> token lists: the best token a frame, held ones once. For a look while training."""
    batch = encoded.shape[0]
    projected = model.project(encoded)
    one = torch.zeros(batch, dtype=torch.long, device=encoded.device)
    two, held, out = one.clone(), one.clone(), [[] for _ in range(batch)]
    for t in range(encoded.shape[1]):
        live = frames > t
        choice = model.join(projected[:, t], model.predict(one, two)).argmax(-1)
        said = live & (choice != BLANK) & (choice != held)
        held = torch.where(live, choice, held)
        for b in said.nonzero()[:, 0].tolist():
            out[b].append(int(choice[b]))
        two, one = torch.where(said, one, two), torch.where(said, choice, one)
    return out
