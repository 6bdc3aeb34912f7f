"""The search inside the step: a beam over a prefix tree of words spelled in phones, with a word trigram.

    slot of 33.3 ms, for every hypothesis (place in the tree, history of the trigram):
      end      at a leaf: back to the root, the anticipation replaced by the trigram
      stay     in the label that it is in
      advance  to the children of its place that are among the likeliest labels of the slot, silence between words among them;
               the tree anticipates the best word below by its unigram

A label is a phone in its place in the word, so every word ends at a leaf. What a label scores depends on the one before: the network has an output for
where the second of two labels begins and one for while it lasts.

Everything is a row of a table (Gather), whatever the stream is in, so a batch of streams takes one pass. Of the candidates
of a slot the BEAM best live on, those with the same place and history once. What a server says it cannot take back: the oldest
unsaid word of the best hypothesis is said when it is DELAY slots old, and hypotheses that disagree are dropped.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn

from lexicon import IN_WORD, LABELS, SILENCE

BEAM, LIKELY, ENDS = 64, 8, 32         # hypotheses; phones that they may advance by in a slot, words ended in it
WIDTH = 16.                          # nats behind the best: further back, none advances
DELAY, SURE_DELAY, SURE = 24, 3, .995      # slots until a word is said; the same where hypotheses of this share of the probability agree on it
SETTLED = 15                         # or so many slots of silence behind it
QUEUE = 6                            # words a hypothesis may have unsaid
FIELDS = 5                           # of a hypothesis: its node, the label before, its label, since when, its history
REST = 3                             # more of them: where its word began, where in a hotword it is, what it owes; then its queue of words, first and last slots
NEVER = -1e30
BUCKETS = 2048                       # of each of two tables that find candidates with the same place and history
OF_HISTORY, OF_HOTWORD = 40503, 69069      # their shares of the key
PAUSE = 18                           # slots of silence that end a sentence
ROOT, QUIET = 0, 1                   # nodes: between words, and in the silence there
WAYS = (("internal", "begin"), ("end", "singleton"))        # places of a phone in a word and where one begins: more follow, none does
PIECES = 3                           # word pieces that a word stands for where a hotword's boost is in nats a piece
PLACES, MARKS = 4, 65521             # in a bucket of the trigram's table; marks there are below
VOCABULARY = 2 ** 18                 # more than there are words
STEP = .1                            # nats a unit of the stored scores
INT_STATE = FIELDS + REST + 3 * QUEUE


def pick(rows, base, which):
    """rows (B, K, F), base (B, 1) the first of each stream's rows in all of them, which (B, M) -> (B, M, F): one copy a row."""
    return rows.reshape(-1, rows.shape[-1])[base + which]


def spread(first, counts, room):
    """first, counts (B, K): a range of numbers each -> (B, room): whose each number is when they are laid in a row, the numbers, used
    or not."""
    ends = counts.cumsum(1)
    starts, place = ends - counts, torch.arange(room)
    marks = (counts[:, :1] * 0).expand(-1, room + 1).scatter_add(1, starts.clamp(max=room), counts * 0 + 1)
    owner, used = marks[:, :room].cumsum(1) - 1, place < ends[:, -1:]
    return owner, ((first - starts).gather(1, owner) + place) * used, used


def find(history, word, buckets):
    """Arrays or tensors of int64 -> the two buckets where the trigram's table may hold a pair, the mark that tells it from its neighbours."""
    return ((history * 40503 + word * 69069) % buckets, (history * 30011 + word * 86969 + 7) % buckets), (history * 9973 + word * 48271) % MARKS


@dataclass
class Weights:
    """What counts how much; sweep.py finds them."""
    trigram: float = .9              # times its nats
    word: float = -1.3               # nats that a word earns where it begins: earned at its end, they would put ends off


class Words(nn.Module):
    """Tables of the tree and the trigram (words.py) with the weights of the search."""

    def __init__(self, tables, weights):
        super().__init__()
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)
        self.buckets, self.roots = len(self.marks) // PLACES, int(self.first[ROOT + 2])          # of the tree's nodes, the root and its children come first
        self.weights = weights
        self.quiet = int(self.hold[SILENCE * LABELS + SILENCE])                  # the output for silence that a stream starts with

    def trigram(self, history, word):
        """(B, M) each -> nats of the word, the history that follows."""
        shorter = self.shorter[history].long()
        histories, words = torch.cat([history, shorter], 1), torch.cat([word, word], 1)
        buckets, mark = find(histories, words, self.buckets)
        places = torch.stack(buckets, -1)[..., None] * PLACES + torch.arange(PLACES)              # (B, 2 M, 2, PLACES)
        same = self.marks[places].long() == mark[..., None, None]
        place = (places * same).amax((-2, -1))                                                    # 0: not there
        back = self.backoff[histories].float()
        costs, nexts, known = self.scores[place].float(), self.nexts[place].long(), place > 0
        (high, low), (next_high, next_low), (long, short), (back_high, back_low) = (part.split(ENDS, 1) for part in (costs, nexts, known, back))
        cost = torch.where(long, high, back_high + torch.where(short, low, back_low + self.unigram[word].float()))
        return cost * -STEP, torch.where(long, next_high, torch.where(short, next_low, self.unigram_next[word].long()))


class Hotwords:
    """Phrases that a stream wants heard, as edges of a trie over words: (B, edges, 5) int of from node, word, to node, gain of
    taking the edge, debt at its end; gain and debt in thousandths of a nat a piece, for PIECES of which a word counts. Node 0 is the
    root; unused edges are all zero.

    A hypothesis gains on its way through a phrase and pays the debt where it leaves the trie before a phrase's end, so
    nothing is won by almost saying one. Where a phrase ends there is no debt.
    """

    def __init__(self, edges):
        edges = edges.long()
        self.target, self.gain, self.debt = (edges[..., i] for i in (2, 3, 4))
        self.key = (edges[..., 0] * VOCABULARY + edges[..., 1])[:, None]                                   # (B, 1, edges)

    def edge(self, node, word):
        """(B, M) each -> whether there is an edge from the node, which."""
        found, which = (self.key == (node * VOCABULARY + word)[..., None]).float().max(-1)
        return (found > 0) & (word > 0), which

    def follow(self, node, owed, word):
        """(B, M) each -> nats that the word changes, the node that follows, what is owed there. Every phrase may start anywhere."""
        onward, here = self.edge(node, word)
        afresh, root = self.edge(node * 0, word)
        stays = onward & ((self.gain.gather(1, here) >= self.gain.gather(1, root) - owed) | ~afresh)
        which, any_edge = torch.where(stays, here, root), onward | afresh
        gain = torch.where(any_edge, self.gain.gather(1, which), torch.tensor(0)) - torch.where(stays, torch.tensor(0), owed)
        target, debt = (torch.where(any_edge, values.gather(1, which), 0) for values in (self.target, self.debt))
        return gain.float() * (PIECES / 1000), target, debt


def advance(words, outputs, likely, now, base, beam, hotwords=None):
    """One slot. outputs (B, outputs) of the network; likely (B, LIKELY): phones, from 1, and silence, 0, that a hypothesis may advance by; now (B, 1): the slot's
    number; base (B, 1): BEAM times the stream's place in the batch; beam: what `unpack` gives -> beam, best first. A word whose last label
    began in the slot before ends here."""
    score, node, before, last, since, history, rest = beam
    nothing, lm = torch.tensor(NEVER), words.weights.trigram * STEP
    anticipated, hotness = words.ahead[node].float() * lm, rest[..., 1:REST].long()
    # end: ENDS more rows, and leaves no longer
    entries, room = words.ends[node].long(), rest[..., REST + QUEUE - 1] == 0
    whose, entry, ends = spread(entries, (words.ends[node + 1].long() - entries) * (room & (score > NEVER / 2)), ENDS)
    word = words.word[entry].long()
    gained, following = words.trigram(history.gather(1, whose), word)
    ended = (score + anticipated).gather(1, whose) + gained * words.weights.trigram
    hot, owed = (hotness[..., i].gather(1, whose) for i in (0, 1))
    if hotwords:
        change, hot, owed = hotwords.follow(hot, owed, word)
        ended = ended + change
    kind = words.kind[node].long()
    score = torch.cat([torch.where(kind > 0, score, nothing), torch.where(ends, ended, nothing)], 1)
    begins = torch.cat([node, whose * 0], 1)
    last, before, since = (torch.cat([values, values.gather(1, whose)], 1) for values in (last, before, since))
    history, anticipated = torch.cat([history, following], 1), torch.cat([anticipated, ended * 0], 1)
    hot, owed = torch.cat([hotness[..., 0], hot], 1), torch.cat([hotness[..., 1], owed], 1)
    kind, first = words.kind[begins].long(), words.first[begins].long() - 1
    # stay
    rows, key = BEAM + ENDS, history * OF_HISTORY + hot * OF_HOTWORD
    stay = score + outputs.gather(1, words.hold[before * LABELS + last].long())
    # advance: a row of hypotheses for each likely phone that begins or goes on with a word, and one for each that ends one
    between, sound = (begins <= QUIET)[:, None], likely[..., None] * len(IN_WORD) - (len(IN_WORD) - 1)
    inner, final = (torch.where(sound > 0, sound + torch.where(between, IN_WORD.index(outside), IN_WORD.index(inside)), SILENCE) for inside, outside in WAYS)
    label, spoken = torch.cat([inner, final], 1), (torch.cat([sound, sound], 1) > 0).float()
    rank = words.rank[(kind * LABELS)[:, None] + label].long()                  # (B, 2 LIKELY, rows); 0: no such child
    near, once_each = (score > score.amax(1, keepdim=True) - WIDTH)[:, None], torch.cat([sound == sound, sound > 0], 1)         # silence is not tried in both places
    used, child = (rank > 0) & near & once_each, first[:, None] + rank
    onset = outputs.gather(1, words.onset[(last * LABELS)[:, None] + label].long().flatten(1)).unflatten(1, (2 * LIKELY, rows))
    bonus = spoken * between.float() * words.weights.word
    moved = (score + anticipated)[:, None] + bonus + onset - words.ahead[child].float() * lm
    # the best of each place and history
    keys = torch.cat([begins + key, (child + key[:, None]).flatten(1)], 1)
    scores, kept = once(torch.cat([stay, torch.where(used, moved, nothing).flatten(1)], 1), keys).topk(BEAM)
    dead = (scores < NEVER / 2).float() * NEVER - scores[:, :1]
    row, fresh = kept % rows, kept >= rows
    over = row >= BEAM
    which = (row - BEAM).clamp(min=0)
    node = torch.cat([begins, child.flatten(1)], 1).gather(1, kept)
    old, old_since = last.gather(1, row), since.gather(1, row)
    before = torch.where(fresh, old, before.gather(1, row))
    last = torch.where(fresh, label.flatten(1).gather(1, (kept - rows).clamp(min=0)), old)
    rest = pick(rest, base, torch.where(over, whose.gather(1, which), row))
    # what ended joins the queue of words; what began is marked
    begun, queue = rest[..., :1], rest[..., REST:].reshape(-1, BEAM, 3, QUEUE)
    place = torch.arange(QUEUE) == (queue[..., :1, :] > 0).sum(-1, keepdim=True)
    grown = torch.stack([word.gather(1, which).int(), begun[..., 0], old_since.int()], -1)
    queue = torch.where(place & over[..., None, None], grown[..., None], queue).reshape(-1, BEAM, 3 * QUEUE)
    since = torch.where(fresh, now, old_since)
    history = history.gather(1, row) * ((node != QUIET) | (now - since != PAUSE))
    begun = torch.where((fresh & (node < words.roots) & (node > QUIET))[..., None], now[..., None].int(), begun)
    if hotwords:
        hotness = torch.stack([hot.gather(1, row), owed.gather(1, row)], -1).int()
    else:
        hotness = rest[..., 1:REST]
    return (scores + dead).clamp(min=NEVER), node, before, last, since, history, torch.cat([begun, hotness, queue], -1)


def say(now, beam):
    """What is due after slot `now` (B, 1): -> beam, word (B,) or -1, its log-probability, [slots since its end, slots it lasted] (B, 2), and what the
    best hypothesis then has not said: (B, QUEUE, 3) of word or -1, slots since its end, slots it lasted; its log-probabilities (B, QUEUE)."""
    scores, node, before, last, since, history, rest = beam
    nothing = torch.tensor(NEVER)
    queue = rest[..., REST:].reshape(-1, BEAM, 3, QUEUE)
    words, best = queue[:, :, 0], queue[:, 0].long()
    agrees = words == words[:, :1]
    # along the last axis: sums along another are taken in an order that depends on the batch
    logps = torch.where(agrees, scores[..., None], nothing).transpose(1, 2).logsumexp(-1) - scores.logsumexp(1, keepdim=True)
    times = torch.stack([now - best[:, 2], best[:, 2] - best[:, 1]], -1)                          # (B, QUEUE, 2)
    waited = torch.where(logps[:, :1] > math.log(SURE), SURE_DELAY, DELAY)
    quiet = (node[:, :1] == QUIET) & (now - since[:, :1] >= SETTLED)
    due = (words[:, 0, :1] > 0) & ((times[:, :1, 0] >= waited) | quiet | (words[:, 0, -2:-1] > 0))       # (B, 1)
    lost = (due & ~agrees[..., 0]).float() * NEVER
    later = torch.cat([queue[..., 1:], queue[..., :1] * 0], -1)
    rest = torch.cat([rest[..., :REST], torch.where(due[..., None, None], later, queue).reshape(-1, BEAM, 3 * QUEUE)], -1)
    unsaid = torch.cat([torch.where(best[:, 0] > 0, best[:, 0], -1)[..., None], times], -1)
    none = torch.tensor([-1, 0, 0]).expand(1, 1, 3) + unsaid[:, :1] * 0
    after = torch.where(due[..., None], torch.cat([unsaid[:, 1:], none], 1), unsaid)
    after_logps = torch.where(due, torch.cat([logps[:, 1:], logps[:, :1] * 0], 1), logps)
    beam = ((scores + lost).clamp(min=NEVER), node, before, last, since, history, rest)
    return beam, torch.where(due[:, 0], words[:, 0, 0], -1), logps[:, 0], times[:, 0], after, after_logps


def unpack(floats, ints):
    """(B, BEAM) float, (B, BEAM * INT_STATE) int -> scores, node, label before, label, since, history (B, BEAM) each, and the
    rest (B, BEAM, REST + 3 QUEUE) in int32, half the bytes to copy."""
    ints = ints.reshape(-1, BEAM, INT_STATE)
    return (floats, *ints[..., :FIELDS].long().unbind(-1), ints[..., FIELDS:].int())


def pack(beam):
    return beam[0], torch.cat([torch.stack(beam[1:-1], -1).int(), beam[-1]], -1).flatten(1)


def once(scores, key):
    """scores (B, N) with NEVER for all but the best of each `key` (B, N): candidates of the same key meet in two tables, and hardly any others do."""
    def wins(bucket):
        table = (scores[:, :1] * 0 + NEVER).expand(-1, BUCKETS).scatter_reduce(1, bucket, scores, "amax")
        return scores >= table.gather(1, bucket)

    return torch.where(wins(key & (BUCKETS - 1)) | wins(key * 69069 // 2048 & (BUCKETS - 1)), scores, torch.tensor(NEVER))
