"""The streaming transducer: the acoustic network of Vosk's small English model (acoustic.py), three attention blocks, a
stateless predictor and a joiner that adds to the CTC head's logits.

One step is 100 ms (1600 samples). Two code paths share the weights: `Model.encode` sees whole utterances (training),
`Model.step` sees one chunk and explicit state (export, serving); test_training.py holds them equal.

    PCM 1600 ─ ear: 3 frames of 33.3 ms ─ join_ear ─ 2 frames of 50 ms ─ attention blocks ─ norm ─
    joiner ⟵ predictor(last two tokens)

Attention is full inside a chunk and reaches back a fixed number of cached frames; a learned bias for each head and distance
tells order. The ear alone looks ahead (89 ms), by answering a chunk late: no extra arithmetic.
"""
import torch
import torch.nn.functional as F
from torch import nn

import acoustic
from common import BLANK, CHUNK_SAMPLES, FRAMES_PER_CHUNK
from language import SCALE

WIDTH, HEADS, BLOCKS = 384, 6, 3
HEAD_DIM = WIDTH // HEADS
CACHE = 40                           # frames of left context: 2 s
LOOKAHEAD_CHUNKS = 1                 # the ear's answer belongs to the chunk before
JOINT = 256
BEAM, DELAY = 8, 3                   # hypotheses; frames until the best one's token is said and the others must agree
FIELDS = 6                           # of a hypothesis, before its unsaid tokens: last token, the one before, held token, n-gram state, hash,
                                     # and how far it is in a hotword
SMALL_STATE = acoustic.STATE + 1 + BEAM * (1 + DELAY)
HASH, HASH_MODULUS = 1_000_003, 2 ** 31 - 1
NEVER = -1e30


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
        self.ear = acoustic.Acoustic()
        self.join_ear = nn.Linear(acoustic.FRAMES * acoustic.FEATURES, FRAMES_PER_CHUNK * WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.ctc, self.vad = nn.Linear(WIDTH, pieces), nn.Linear(WIDTH, 1)
        self.encoder_out = nn.Linear(WIDTH, JOINT)
        self.embed = nn.ModuleList(nn.Embedding(pieces, JOINT) for _ in range(2))   # last token, the one before
        self.predictor_out = nn.Linear(JOINT, JOINT)
        self.joiner_out = nn.Linear(JOINT, pieces)
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
        """pcm (B, 1600); small (B, SMALL_STATE) float32; caches: keys and values (B, 6, CACHE, 64) of each block in turn, fp16
        or fp32, tensors of their own: stacking them costs copies; last (B, BEAM * (FIELDS + DELAY)) int; hotwords (B, edges, 5)
        int, see `Hotwords`, is no state and may differ from stream to stream. All zero at the start of a stream.
        -> tokens (B, 2) with -1 = nothing, their log-probabilities, speech probability (B, 2), next state."""
        heard, age, beam = small.split([acoustic.STATE, 1, BEAM * (1 + DELAY)], 1)
        found, heard = self.ear.step(pcm, heard)
        x, blocked, next_caches = self.joined(found), self.blocked(age), []
        for block, keys, values in zip(self.blocks, caches[::2], caches[1::2]):
            x, keys, values = block.step(x, keys, values, blocked)
            next_caches += [keys, values]
        x = self.norm(x)
        tokens, logps, beam, last = self.search(self.project(x), beam, last, age, hotwords)
        vad = torch.sigmoid(self.vad(x))[..., 0]
        return tokens, logps, vad, torch.cat([heard, torch.clamp(age + 1, max=1000.), beam], 1), next_caches, last

    @staticmethod
    def blocked(age):
        """(B, 1, 1, CACHE + 2): -1e4 on cache frames that no audio has filled. age (B, 1): steps done so far, the first of which
        answered for audio before the stream's start."""
        filled = torch.clamp(age - LOOKAHEAD_CHUNKS, min=0.) * FRAMES_PER_CHUNK
        vacant = torch.arange(CACHE + FRAMES_PER_CHUNK, dtype=torch.float32) < CACHE - filled
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
        caches = [torch.zeros(batch, HEADS, CACHE, HEAD_DIM, dtype=dtype) for _ in range(2 * BLOCKS)]
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
