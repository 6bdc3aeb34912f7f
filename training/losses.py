"""Sequence losses in plain PyTorch (CPU or CUDA): CTC alignment and a transducer loss on a band around it.

The full transducer lattice has T x (U + 1) nodes, each with a joiner output. Here every frame keeps BAND label
positions around the CTC head's own Viterbi alignment, so the joiner sees T x BAND nodes (k2's pruned loss does the
same with bounds from a trivial joiner). Inside the band the sum over paths is exact.

        u ▲            ░ band: emissions up to EARLY tokens ahead of
          │        ░░█░░      the alignment or the rest behind it
          │    ░░█░░
          │░█░░
          └──────────────▶ t
"""
import torch
import torch.nn.functional as F

from common import BLANK, SLOTS

BAND, BEHIND = 6, 3
IMPOSSIBLE = -1e30


def ctc_loss(logp, frames, targets, lengths, early=0.):
    """(B,) CTC losses of logp (B, T, V). With `early`, a path scores that much less for each frame that a token comes later (k2's delay
    penalty, here for CTC): a causal network otherwise learns to wait for more context. The figure keeps the penalty's part."""
    if not early:
        return F.ctc_loss(logp.transpose(0, 1), targets, frames, lengths, BLANK, "none", zero_infinity=True)
    t = torch.arange(logp.shape[1], device=logp.device)
    bonus = early * ((frames[:, None] - 1) / 2 - t)[..., None] * (torch.arange(logp.shape[2], device=logp.device) != BLANK)
    moved = logp + bonus
    loss = F.ctc_loss(moved.transpose(0, 1), targets, frames, lengths, BLANK, "none", zero_infinity=True)
    # PyTorch's gradient takes its input for normalised: exp(input) less occupancies. What it adds for that comes off again.
    inside = (t[None] < frames[:, None])[..., None] & torch.isfinite(loss.detach())[:, None, None] & (loss.detach() != 0)[:, None, None]
    surplus = (moved.detach().exp() * logp * inside).sum((1, 2))
    return loss - surplus + surplus.detach()


@torch.no_grad()
def ctc_align(logp, frames, targets, lengths):
    """Viterbi. logp (B, T, V), frames (B,), targets (B, U), lengths (B,) -> first frame of each token (B, U), T where padded."""
    batch, total, _ = logp.shape
    width = targets.shape[1]
    states = torch.full((batch, 2 * width + 1), BLANK, device=logp.device, dtype=torch.long)
    states[:, 1::2] = targets
    scores = logp.gather(2, states[:, None].expand(-1, total, -1))                       # (B, T, 2U+1)
    skip = torch.zeros_like(states, dtype=torch.bool)
    skip[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    best = torch.full_like(scores[:, 0], IMPOSSIBLE)
    best[:, :2] = scores[:, 0, :2]
    moves = torch.zeros(batch, total, states.shape[1], dtype=torch.int8, device=logp.device)
    pad = torch.full_like(best[:, :2], IMPOSSIBLE)
    for t in range(1, total):
        wide = torch.cat([pad, best], 1)
        options = torch.stack([best, wide[:, 1:-1], wide[:, :-2].masked_fill(~skip, IMPOSSIBLE)])
        value, move = options.max(0)
        moves[:, t] = move
        running = (frames > t)[:, None]
        best = torch.where(running, value + scores[:, t], best)
    rows = torch.arange(batch, device=logp.device)
    ends = 2 * lengths
    finals = torch.stack([best[rows, ends], best[rows, (ends - 1).clamp(min=0)]])
    state = torch.where((finals[1] > finals[0]) & (lengths > 0), ends - 1, ends)
    first = torch.full_like(targets, total)
    for t in range(total - 1, -1, -1):
        here, token = frames > t, (state - 1) // 2
        on_token = here & (state % 2 == 1)
        first[rows[on_token], token[on_token]] = t
        state = torch.where(here, state - moves[rows, t, state].long(), state).clamp(min=0)
    return first


def band_starts(first, total, lengths):
    """(B, U) token frames -> (B, T) lowest label position kept at each frame; rises by at most BAND - 1 a frame."""
    t = torch.arange(total, device=first.device)
    done = (first[:, None] < t[None, :, None]).sum(-1)
    return torch.minimum(done - BEHIND, (lengths + 1 - BAND)[:, None]).clamp(min=0)


class _BandSum(torch.autograd.Function):
    """-log P over the band. blank, emit (B, T, BAND) log-probabilities; shift (B, T) rise of the band at each frame."""

    @staticmethod
    def forward(ctx, blank, emit, shift, start, frames, lengths, fast_emit):
        batch, total, _ = blank.shape
        dead = torch.full((batch, BAND), IMPOSSIBLE, device=blank.device)
        columns = torch.arange(BAND, device=blank.device)[None]
        alpha, beta = torch.full_like(blank, IMPOSSIBLE), torch.full_like(blank, IMPOSSIBLE)
        entry = dead.clone()
        entry[:, 0] = 0
        for t in range(total):
            if t:
                entry = torch.cat([alpha[:, t - 1] + blank[:, t - 1], dead], 1).gather(1, columns + shift[:, t, None])
            row = list(entry.unbind(1))
            for k in range(1, BAND):
                row[k] = torch.logaddexp(row[k], row[k - 1] + emit[:, t, k - 1])
            alpha[:, t] = torch.stack(row, 1)
        last = frames - 1
        rows = torch.arange(batch, device=blank.device)
        final = lengths - start[rows, last]
        score = alpha[rows, last, final] + blank[rows, last, final]
        onward = torch.zeros_like(blank)                       # log weight of leaving frame t by blank from column k
        leaving = dead.clone()
        for t in range(total - 1, -1, -1):
            if t + 1 < total:
                source = columns - shift[:, t + 1, None]
                leaving = torch.where(source >= 0, beta[:, t + 1].gather(1, source.clamp(min=0)), dead)
            at_end = (last == t)[:, None]
            leaving = torch.where(at_end, torch.where(columns == final[:, None], 0., IMPOSSIBLE), leaving)
            onward[:, t] = leaving
            row = list((blank[:, t] + leaving).unbind(1))
            for k in range(BAND - 2, -1, -1):
                row[k] = torch.logaddexp(row[k], emit[:, t, k] + row[k + 1])
            beta[:, t] = torch.stack(row, 1)
        alive = (torch.arange(total, device=blank.device)[None] < frames[:, None])[..., None]
        total_score = score[:, None, None]
        by_blank = torch.exp((alpha + blank + onward - total_score).clamp(-80, 0)) * alive
        by_emit = torch.zeros_like(blank)
        by_emit[..., :-1] = torch.exp((alpha[..., :-1] + emit[..., :-1] + beta[..., 1:] - total_score).clamp(-80, 0)) * alive
        ctx.save_for_backward(by_blank, by_emit * (1 + fast_emit))
        return -score

    @staticmethod
    def backward(ctx, grad):
        by_blank, by_emit = ctx.saved_tensors
        return -by_blank * grad[:, None, None], -by_emit * grad[:, None, None], None, None, None, None, None


def transducer_loss(model, encoded, frames, targets, lengths, first, fast_emit=.01):
    """encoded (B, T, 384); first from ctc_align -> (B,) negative log-likelihoods."""
    batch, total = encoded.shape[0], encoded.shape[1] * SLOTS
    start = band_starts(first, total, lengths)
    shift = torch.cat([start[:, :1], start[:, 1:] - start[:, :-1]], 1)
    predicted = model.predict(torch.cat([targets.new_full((batch, 1), BLANK), targets], 1))      # (B, U + 1, J)
    position = (start[..., None] + torch.arange(BAND, device=start.device)).clamp(max=targets.shape[1])
    rows = torch.arange(batch, device=start.device)[:, None, None]
    logits = model.join(model.project(encoded)[:, :, None], predicted[rows, position])
    logp = logits.log_softmax(-1)
    wanted = torch.cat([targets, targets.new_zeros(batch, 1)], 1)[rows, position]
    emit = logp.gather(-1, wanted[..., None])[..., 0].masked_fill(position >= lengths[:, None, None], IMPOSSIBLE)
    return _BandSum.apply(logp[..., BLANK], emit, shift, start, frames, lengths, fast_emit)
