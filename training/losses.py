"""Lattice-free MMI (Povey et al., Interspeech 2016) in plain PyTorch (CPU or CUDA), gradients made by hand.

    loss of a clip = log of what all sequences of labels explain - log of what those of its text do: -log P(text | audio), in nats

A clip starts in silence. In each slot a label goes on, which scores hold[a, b], or the next begins, onset[b, c] + log P(c | b);
a is the label before b. The text's sequences are some of all sequences and weigh what they weigh there: its labels in order,
silence before, between and after words or not. The sums over alignments are exact.

    all: one state for each pair of labels             the text: three states for each label u
     (a, b) ──► (b, c)                                  [u after u-1] ──► [u+1 after u] ──►
       ⟲          ⟲                                        └─► [silence] ─► [u+1 after silence] ──►     where a word begins
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lexicon import IN_WORD, SILENCE, WORD_ENDS

IMPOSSIBLE = -1e30                   # log of nothing
SILENCE_ODDS = .5                    # of silence after a word
SMOOTHING = .5                       # times that each pair counts more often than it was seen
FAINT = 60.                          # nats below a slot's best output: fainter counts as much, so that no sum dies out
MOST = 1e30                          # of the backward sums, where the forward ones have died out


def place_of(label):
    return None if label == SILENCE else IN_WORD[(label - 1) % len(IN_WORD)]


def chances(texts, possible):
    """Labels of each text, possible (n, n): pairs that have outputs -> (n, n): P(b | a), zero where b cannot follow a."""
    size = len(possible)
    places = [place_of(label) for label in range(size)]
    begins, ends = (np.array([place in kinds for place in places]) for kinds in (("begin", "singleton"), WORD_ENDS))
    silent = np.arange(size) == SILENCE
    follows = np.where((ends | silent)[:, None], begins[None], ~begins[None] & ~silent[None]) & possible
    counts = follows * SMOOTHING
    for labels in texts:
        np.add.at(counts, (labels[:-1], labels[1:]), 1)
        starts = [label for label in labels if begins[label]]
        np.add.at(counts[SILENCE], starts, 1)
    counts = counts * follows
    found = counts / np.maximum(counts.sum(1, keepdims=True), 1e-9)
    found[ends] *= 1 - SILENCE_ODDS
    found[ends, SILENCE] = SILENCE_ODDS * possible[ends, SILENCE]
    return found


class _Given(torch.autograd.Function):
    """(B,) values with a gradient (B, T, O) that is known already."""

    @staticmethod
    def forward(ctx, outputs, values, gradient):
        ctx.save_for_backward(gradient)
        return values

    @staticmethod
    def backward(ctx, grad):
        gradient, = ctx.saved_tensors
        return gradient * grad[:, None, None], None, None


class Sums(nn.Module):
    """Sums of rows: (rows, B) -> (bags, B), `bag` (rows,) says which; -1: none."""

    def __init__(self, bag, bags):
        super().__init__()
        order = np.argsort(bag, kind="stable")[(bag < 0).sum():]
        self.register_buffer("order", torch.from_numpy(order))
        self.register_buffer("starts", torch.from_numpy(np.searchsorted(bag[order], np.arange(bags))))

    def forward(self, rows):
        return F.embedding_bag(self.order, rows, self.starts, mode="sum")


class MMI(nn.Module):
    """onset, hold (n, n): outputs as of lexicon.pair_outputs; chances (n, n) as above; `outputs`: how many the network has."""

    def __init__(self, onset, hold, chances, outputs):
        super().__init__()
        size = len(chances)
        places = [place_of(label) for label in range(size)]
        pairs = chances > 0
        pairs[SILENCE, SILENCE] = True                                  # what a clip starts in
        most = int(pairs.sum(0).max())
        first, known = np.zeros((size, most), np.int64), np.zeros((size, most), bool)      # the label before, for each pair: rows are those of a label
        for label in range(size):
            before = np.nonzero(pairs[:, label])[0]
            first[label, :len(before)], known[label, :len(before)] = before, True
        second = np.arange(size)[:, None].repeat(most, 1)
        reads = np.stack([hold[first, second], onset[first, second]]).astype(np.int64)
        leaves = 1 - chances[:, SILENCE]                                # the text ends where silence could have come
        self.size, self.start = size, int(np.nonzero(known[SILENCE] & (first[SILENCE] == SILENCE))[0][0]) + SILENCE * most
        self.by_output = Sums(np.where(known, reads, -1).ravel(), outputs)
        self.by_first = Sums(np.where(known, first, -1).ravel(), size)
        tables = dict(first=first.ravel(), reads=reads.ravel(), onset=onset.ravel().astype(np.int64), hold=hold.ravel().astype(np.int64),
                      begins=np.array([place in ("begin", "singleton") for place in places]))
        last = np.array([label == SILENCE or place in WORD_ENDS for label, place in enumerate(places)]) * leaves
        chance = np.where(known, chances[first, second], 0)
        floats = dict(chance=chance.reshape(-1, 1), final=(last[:, None] * known).reshape(-1, 1), last=np.log(np.maximum(last, 1e-30)),
                      entering=np.where(chances > 0, np.log(np.maximum(chances, 1e-30)), IMPOSSIBLE).ravel())
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table))
        for name, table in floats.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(table, np.float32)))

    def forward(self, outputs, slots, labels, lengths):
        """outputs (B, T, O) of the network, slots (B,): how many of T count; labels (B, U), lengths (B,) of the texts -> (B,) losses in nats,
        0 for a text that cannot be said in its slots."""
        with torch.no_grad():
            every, occupied = self.all_sequences(outputs.detach(), slots)
            text, wanted, _ = self.text_alone(outputs.detach(), slots, labels, lengths)
            possible = text > IMPOSSIBLE / 2
            gradient = (occupied - wanted) * possible[:, None, None]
        return _Given.apply(outputs, (every - text) * possible, gradient)

    def all_sequences(self, outputs, slots):
        """-> log of the sum over all sequences (B,), occupancy of each output (B, T, O). Sums are kept at 1 slot by slot."""
        batch, total, _ = outputs.shape
        chance, final = self.chance.to(outputs.dtype), self.final.to(outputs.dtype)
        top = outputs.amax(2, keepdim=True)
        likely = (outputs - top).clamp(min=-FAINT).exp().permute(1, 2, 0).contiguous()
        alive = torch.arange(total, device=slots.device)[:, None] < slots
        whole, alphas = alive.all(1).tolist(), likely.new_zeros(total + 1, len(self.first), batch)
        alphas[0, self.start] = 1
        scales = likely.new_ones(total, batch)
        for t in range(total):
            stays, moves = likely[t].index_select(0, self.reads).chunk(2)
            alpha, following = alphas[t], alphas[t + 1]
            torch.mul(moves, chance, out=following).mul_(self.arriving(alpha)).addcmul_(stays, alpha)
            if not whole[t]:
                following.copy_(torch.where(alive[t], following, alpha))
            torch.sum(following, 0, out=scales[t])
            following /= scales[t]
        ended = (alphas[-1] * final).sum(0)
        score = (scales.log() + top[..., 0].T * alive).sum(0) + ended.log()
        occupied, beta = torch.empty_like(likely), final / ended
        for t in range(total - 1, -1, -1):
            stays, moves = likely[t].index_select(0, self.reads).chunk(2)
            ahead = (beta / scales[t]).clamp_(max=MOST)
            stays, moves = stays.mul_(ahead), moves.mul_(ahead).mul_(chance)
            onward = self.by_first(moves)
            following = (stays.view(self.size, -1, batch) + onward[:, None]).flatten(0, 1)
            beta = following if whole[t] else torch.where(alive[t], following, beta)
            occupied[t] = self.by_output(torch.cat([stays.mul_(alphas[t]), moves.mul_(self.arriving(alphas[t]))]))
            if not whole[t]:
                occupied[t] *= alive[t]
        return score, occupied.permute(2, 0, 1)

    def arriving(self, alpha):
        """(pairs, B) -> (pairs, B): the sum over all pairs that end in the label with which a pair begins."""
        return alpha.view(self.size, -1, alpha.shape[1]).sum(1).index_select(0, self.first)

    def text_alone(self, outputs, slots, labels, lengths):
        """-> log of the sum over the text's alignments (B,), occupancy of each output (B, T, O) and of each state (B, T, 3, U + 1): label u after the
        one before, label u after silence, silence before label u; u = length stands for the end."""
        batch, total, _ = outputs.shape
        at = torch.arange(labels.shape[1] + 1, device=labels.device)
        inside, end = at < lengths[:, None], at == lengths[:, None]
        here, before = F.pad(labels, (0, 1)) * inside, F.pad(labels, (1, 0))
        start = inside & self.begins[here]
        pairs = torch.stack([before * self.size + here, here, before * self.size], 1)          # silence is label 0
        valid = torch.stack([inside, start, start | end], 1)
        entering = torch.where(valid, self.entering[pairs], IMPOSSIBLE).to(outputs.dtype)
        heard = lambda table: outputs.gather(2, table[pairs].flatten(1)[:, None].expand(-1, total, -1)).unflatten(2, pairs.shape[1:])
        hold, enter = heard(self.hold), heard(self.onset) + entering[:, None]
        alive = (torch.arange(total, device=slots.device)[:, None] < slots)[..., None, None]

        def source(alpha):
            """What each state is entered from: (B, 3, U + 1) of the slot before."""
            either = F.pad(torch.logaddexp(alpha[:, 0], alpha[:, 1])[:, :-1], (1, 0), value=IMPOSSIBLE)
            return torch.stack([either, alpha[:, 2], either], 1)

        alphas = outputs.new_full((total + 1, *pairs.shape), IMPOSSIBLE)
        alphas[0, :, 2, 0] = 0
        for t in range(total):
            following = torch.logaddexp(alphas[t] + hold[:, t], source(alphas[t]) + enter[:, t])
            alphas[t + 1] = torch.where(alive[t], following, alphas[t])
        spoken = torch.where(at == lengths[:, None] - 1, self.last[here], IMPOSSIBLE)
        beta = torch.stack([spoken, spoken, torch.where(end, 0., IMPOSSIBLE)], 1).to(outputs)
        score = (alphas[-1] + beta).flatten(1).logsumexp(1)
        held, entered = torch.zeros_like(hold), torch.zeros_like(enter)
        for t in range(total - 1, -1, -1):
            stays, moves = beta + hold[:, t], beta + enter[:, t]
            held[:, t] = (alphas[t] + stays - score[:, None, None]).exp() * alive[t]
            entered[:, t] = (source(alphas[t]) + moves - score[:, None, None]).exp() * alive[t]
            onward = F.pad(torch.logaddexp(moves[:, 0], moves[:, 2])[:, 1:], (0, 1), value=IMPOSSIBLE)
            following = torch.logaddexp(stays, torch.stack([onward, onward, moves[:, 1]], 1))
            beta = torch.where(alive[t], following, beta)
        occupied = torch.zeros_like(outputs)
        for table, share in ((self.hold, held), (self.onset, entered)):
            occupied.scatter_add_(2, table[pairs].flatten(1)[:, None].expand(-1, total, -1), share.flatten(2))
        return score, occupied, held + entered
