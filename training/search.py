"""The search inside the step: a beam over a prefix tree of words spelled in phones, with a word trigram.

    slot of 25 ms, for every hypothesis (place in the tree, history of the trigram):
      stay     by blank, or by holding the phone that won the slot before
      advance  to the children of its place that are among the likeliest phones of the slot; the tree anticipates the best word
               below by its unigram
      end      where words end: back to the root, the anticipation replaced by the trigram

Everything is a row of a table (Gather), whatever the stream is in, so a batch of streams takes one pass. Of the candidates
of a slot the BEAM best live on, those with the same place and history once. What a server says it cannot take back: the oldest
unsaid word of the best hypothesis is said when it is DELAY slots old, and hypotheses that disagree are dropped.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn

from common import BLANK
from lexicon import LABELS

BEAM, LIKELY, ENDS = 64, 5, 24        # hypotheses; labels that they may advance by in a slot, words ended in it
WIDTH = 16.                          # nats behind the best: further back, none advances
DELAY, SURE_DELAY, SURE = 32, 4, .995      # slots until a word is said; the same where hypotheses of this share of the probability agree on it
SETTLED = 20                         # or so many slots of blanks behind it
QUEUE = 6                            # words a hypothesis may have unsaid
FIELDS = 4                           # of a hypothesis: its node, its last label, since when, its history
REST = 3                             # more of them: where its word began, where in a hotword it is, what it owes; then its queue of words, first and last slots
NEVER = -1e30
BUCKETS = 8192                       # of the table that finds candidates with the same place and history
OF_HISTORY, OF_HOTWORD = 40503, 69069      # their shares of the key
PATIENCE, PAUSE = 8, 24              # blanks inside a word that cost nothing; blanks that end a sentence
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
    word: float = -1.                # nats that a word earns where it begins: earned at its end, they would put ends off
    phone: float = .8                # nats that each of its phones earns
    usual: float = .3                # times the nats that a phone is likely by after the one before it, which it loses: the network counts on them, and the trigram again
    joiner: float = .6               # times what the joiner adds to the CTC logits, for the same reason
    blank: float = 2.5               # nats that a blank's logit loses
    waiting: float = 1.              # nats that a late blank inside a word loses


class Words(nn.Module):
    """Tables of the tree and the trigram (words.py) with the weights of the search."""

    def __init__(self, tables, weights):
        super().__init__()
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)
        self.buckets, self.roots = len(self.marks) // PLACES, int(self.first[1])          # of the tree's nodes, the root and its children come first
        self.weights = weights

    @property
    def discount(self):
        """(labels, labels): what the logit of each label after each loses."""
        return self.follows * self.weights.usual + (torch.arange(LABELS) == BLANK) * self.weights.blank

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


def advance(words, heard, likely, now, base, beam, hotwords=None):
    """One slot. heard (B, labels, labels): log-probability of each label after each; likely (B, LIKELY): labels that a hypothesis may
    advance by; now (B, 1): the slot's number; base (B, 1): BEAM times the stream's place in the batch; beam: what `unpack` gives -> beam,
    best first. A word completed in the slot before ends here."""
    by_blank, by_label, node, last, since, history, rest = beam
    labels, nothing, arcs = heard.shape[-1], torch.tensor(NEVER), BEAM * LIKELY
    best, rows, before_last = torch.maximum(by_blank, by_label), heard.flatten(1), last * labels
    anticipated, key = words.ahead[node].float() * (words.weights.trigram * STEP), history * OF_HISTORY + rest[..., 1].long() * OF_HOTWORD
    # stay
    blank, held = rows.gather(1, before_last), rows.gather(1, before_last + last)
    stay_blank = best + blank - words.weights.waiting * ((node > 0) & (now - since > PATIENCE)).float()
    stay_label, kind = by_label + held, words.kind[node].long()
    stay_blank, stay_label = (torch.where(kind > 0, stay, nothing) for stay in (stay_blank, stay_label))       # at a leaf a word ends at once or never
    # advance: a row of hypotheses for each likely label
    label, first = likely[..., None], words.first[node].long() - 1
    rank = words.rank[(kind * LABELS)[:, None] + label].long()                  # (B, LIKELY, BEAM); 0: no such child
    used, child = ((rank > 0) & (best > best[:, :1] - WIDTH)[:, None]).flatten(1), (first[:, None] + rank).flatten(1)
    paid = anticipated + (node == 0).float() * words.weights.word + words.weights.phone
    before = torch.where(label == last[:, None], (by_blank + paid)[:, None], (best + paid)[:, None]).flatten(1)
    moved = before + rows.gather(1, (before_last[:, None] + label).flatten(1)) - words.ahead[child].float() * (words.weights.trigram * STEP)
    # end
    entries, room = words.ends[node].long(), rest[..., REST + QUEUE - 1] == 0
    whose, entry, ends = spread(entries, (words.ends[node + 1].long() - entries) * ((since == now - 1) & room & (by_label > NEVER / 2)), ENDS)
    word = words.word[entry].long()
    gained, following = words.trigram(history.gather(1, whose), word)
    ended_key = following * OF_HISTORY
    ended = (by_label + anticipated).gather(1, whose) + gained * words.weights.trigram
    if hotwords:
        change, hot, owed = hotwords.follow(*(rest[..., i].long().gather(1, whose) for i in (1, 2)), word)
        ended, ended_key = ended + change, ended_key + hot * OF_HOTWORD
    end_blank, end_label = ended + blank.gather(1, whose), ended + held.gather(1, whose)
    # the best of each place and history
    keys = torch.cat([node + key, ((first + key)[:, None] + rank).flatten(1), ended_key], 1)
    scores = torch.cat([torch.maximum(stay_blank, stay_label), torch.where(used, moved, nothing),
                        torch.where(ends, torch.maximum(end_blank, end_label), nothing)], 1)
    scores, kept = once(scores, keys).topk(BEAM)
    dead = (scores < NEVER / 2).float() * NEVER - scores[:, :1]
    by_blank = (torch.cat([stay_blank, moved * 0 + NEVER, end_blank], 1).gather(1, kept) + dead).clamp(min=NEVER)
    by_label = (torch.cat([stay_label, moved, end_label], 1).gather(1, kept) + dead).clamp(min=NEVER)
    over = kept >= BEAM + arcs
    fresh, which = (kept >= BEAM) & ~over, (kept - BEAM - arcs).clamp(min=0)
    parents = torch.cat([torch.arange(BEAM), torch.arange(BEAM).repeat(LIKELY), torch.zeros(ENDS, dtype=torch.long)])
    parent = torch.where(over, whose.gather(1, which), parents[kept])
    last = torch.where(fresh, label.expand(-1, -1, BEAM).flatten(1).gather(1, (kept - BEAM).clamp(0, arcs - 1)), last.gather(1, parent))
    node = torch.cat([node, child, following * 0], 1).gather(1, kept)
    rest, since = pick(rest, base, parent), since.gather(1, parent)
    # what ended joins the queue of words; what began is marked
    begun, queue = rest[..., :1], rest[..., REST:].reshape(-1, BEAM, 3, QUEUE)
    place = torch.arange(QUEUE) == (queue[..., :1, :] > 0).sum(-1, keepdim=True)
    grown = torch.stack([word.gather(1, which).int(), begun[..., 0], since.int()], -1)
    queue = torch.where(place & over[..., None, None], grown[..., None], queue).reshape(-1, BEAM, 3 * QUEUE)
    history = torch.where(over, following.gather(1, which), history.gather(1, parent))
    history = history * ((node > 0) | (now - since != PAUSE))
    begun = torch.where((fresh & (node < words.roots))[..., None], now[..., None].int(), begun)
    hotness = rest[..., 1:REST]
    if hotwords:
        hotness = torch.where(over[..., None], torch.stack([hot.gather(1, which), owed.gather(1, which)], -1).int(), hotness)
    return by_blank, by_label, node, last, torch.where(fresh, now, since), history, torch.cat([begun, hotness, queue], -1)


def say(now, beam):
    """What is due after slot `now` (B, 1): -> beam, word (B,) or -1, its log-probability, [slots since its end, slots it lasted] (B, 2), and what the
    best hypothesis then has not said: (B, QUEUE, 3) of word or -1, slots since its end, slots it lasted; its log-probabilities (B, QUEUE)."""
    by_blank, by_label, node, last, since, history, rest = beam
    scores, nothing = torch.maximum(by_blank, by_label), torch.tensor(NEVER)
    queue = rest[..., REST:].reshape(-1, BEAM, 3, QUEUE)
    words, best = queue[:, :, 0], queue[:, 0].long()
    agrees = words == words[:, :1]
    logps = torch.where(agrees, scores[..., None], nothing).logsumexp(1) - scores.logsumexp(1, keepdim=True)
    times = torch.stack([now - best[:, 2], best[:, 2] - best[:, 1]], -1)                          # (B, QUEUE, 2)
    waited = torch.where(logps[:, :1] > math.log(SURE), SURE_DELAY, DELAY)
    quiet = (node[:, :1] == 0) & (now - since[:, :1] >= SETTLED)
    due = (words[:, 0, :1] > 0) & ((times[:, :1, 0] >= waited) | quiet | (words[:, 0, -2:-1] > 0))       # (B, 1)
    lost = (due & ~agrees[..., 0]).float() * NEVER
    later = torch.cat([queue[..., 1:], queue[..., :1] * 0], -1)
    rest = torch.cat([rest[..., :REST], torch.where(due[..., None, None], later, queue).reshape(-1, BEAM, 3 * QUEUE)], -1)
    unsaid = torch.cat([torch.where(best[:, 0] > 0, best[:, 0], -1)[..., None], times], -1)
    none = torch.tensor([-1, 0, 0]).expand(1, 1, 3) + unsaid[:, :1] * 0
    after = torch.where(due[..., None], torch.cat([unsaid[:, 1:], none], 1), unsaid)
    after_logps = torch.where(due, torch.cat([logps[:, 1:], logps[:, :1] * 0], 1), logps)
    beam = ((by_blank + lost).clamp(min=NEVER), (by_label + lost).clamp(min=NEVER), node, last, since, history, rest)
    return beam, torch.where(due[:, 0], words[:, 0, 0], -1), logps[:, 0], times[:, 0], after, after_logps


def unpack(floats, ints):
    """(B, BEAM * 2) float, (B, BEAM * INT_STATE) int -> scores ended by a blank and by a label, node, last, since, history (B, BEAM) each, and the
    rest (B, BEAM, REST + 3 QUEUE) in int32, half the bytes to copy."""
    ints = ints.reshape(-1, BEAM, INT_STATE)
    return (*floats.reshape(-1, 2, BEAM).unbind(1), *ints[..., :FIELDS].long().unbind(-1), ints[..., FIELDS:].int())


def pack(beam):
    return torch.cat(beam[:2], 1), torch.cat([torch.stack(beam[2:-1], -1).int(), beam[-1]], -1).flatten(1)


def once(scores, key):
    """scores (B, N) with NEVER for all but the best of each bucket that `key` (B, N) falls into."""
    bucket = key & (BUCKETS - 1)
    best = (scores[:, :1] * 0 + NEVER).expand(-1, BUCKETS).scatter_reduce(1, bucket, scores, "amax")
    return torch.where(scores >= best.gather(1, bucket), scores, torch.tensor(NEVER))
