"""Who speaks and over what line, in 30 numbers: the online i-vector that Vosk's small model was trained with (Kaldi's
OnlineIvectorFeature), made a step of 100 ms over explicit state.

    log-mel ─ splice of 7, cepstra and LDA: one product ─┬─ less the running mean ─ 512 Gaussians ─ best 5, their shares
                                                         └─ as it is, times its shares ─ statistics ─ i-vector, solved from the last

Deviations from Kaldi: beyond 600 frames the mean forgets exponentially instead of at once, it is taken once a chunk and a stream starts after
silence instead of a repeated first frame; every EVERYth frame stands for its neighbours; the statistics forget beyond REMEMBER; the
linear system is solved by a few conjugate gradients a chunk that start from the last i-vector.
"""
import struct
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from frontend import Frontend, MEL_BINS, STARTS, cepstra

IVECTOR = 30
GAUSSIANS, SIDE, FRAMES = 512, 3, len(STARTS)       # of the UBM, frames that the splice takes on each side, frames a chunk
SPLICE = 2 * SIDE + 1
MEAN_FRAMES, GLOBAL_FRAMES = 600, 200               # Kaldi's cmn_window and global_frames: what the running mean spans, and starts from
BEST, MIN_SHARE = 5, .025                           # Kaldi's num_gselect and min_post
COUNT, MAX_COUNT = .1, 100.                         # what a frame counts (posterior_scale), and where the prior starts to grow along (Vosk's)
REMEMBER = 500.                                     # count (5000 frames, 56 s) beyond which old statistics fade
EVERY, ITERATIONS = 3, 4                            # frames that one stands for, conjugate gradients a chunk
GATE, SILENT, LEAST_PEAK, FADE = 5., 1e-3, 8., .02  # nats below the peak where silence starts, its weight (Vosk's), and the peak's fall a chunk
PACKED = IVECTOR * (IVECTOR + 1) // 2               # a symmetric matrix: its diagonal, then what lies below it, row by row
WIDE, PACKED_WIDE = 32, 480                         # the same, filled up with zeros to whole vectors: sums are taken in an order that depends on where in memory rows begin
SIZES = (2 * SIDE * MEL_BINS, SIDE, MEL_BINS + 1, 1, PACKED + IVECTOR + 1, IVECTOR)     # frames, weights due, mean, peak, statistics, i-vector
STATE = sum(SIZES)


class Parts(NamedTuple):
    """What a Kaldi i-vector folder holds, float64."""
    lda: np.ndarray             # (40, 281), the offset last
    constants: np.ndarray       # (512,) of the Gaussians, log weights included
    means: np.ndarray           # (512, 40) times the inverse variances
    inverse: np.ndarray         # (512, 40) inverse variances
    loadings: np.ndarray        # (512, 40, 30) Kaldi's M: a Gaussian's mean is M times the i-vector
    precision: np.ndarray       # (512, 40, 40) Kaldi's SigmaInv
    offset: float               # of the prior's mean, along the first dimension
    mean: np.ndarray            # (40,) cepstra, over Kaldi's training data


def read_array(data, at):
    """A binary matrix (FM, DM), vector (FV, DV) or packed symmetric matrix (DP) at `at` -> (float64 array, where it ends)."""
    kind, shape = data[at:at + 3].decode(), []
    at += 3
    for _ in range(2 if kind[1] == "M" else 1):
        shape.append(struct.unpack_from("<xi", data, at)[0])
        at += 5
    if kind not in ("FM ", "DM ", "FV ", "DV ", "DP "):
        raise ValueError(f"no Kaldi array: {kind!r}")
    count = shape[0] * (shape[0] + 1) // 2 if kind[1] == "P" else int(np.prod(shape))
    values = np.frombuffer(data, "<" + {"F": "f4", "D": "f8"}[kind[0]], count, at).astype(np.float64)
    at += count * (4 if kind[0] == "F" else 8)
    if kind[1] != "P":
        return values.reshape(shape), at
    square = np.zeros((shape[0], shape[0]))
    square[np.tril_indices(shape[0])] = values
    return square + np.tril(square, -1).T, at


def read_fields(path, names):
    """A Kaldi object whose fields stand in the order of `names` -> its arrays; a field with a count before it gives a stack of them."""
    data, at, fields = open(path, "rb").read(), 0, []
    for name in names:
        token = f"<{name}> ".encode()
        at = data.index(token, at) + len(token)
        if data[at] == 8:
            fields.append(struct.unpack_from("<xd", data, at)[0])
        elif data[at] == 4 or fields and isinstance(fields[-1], list):             # <SigmaInv> repeats <M>'s count silently
            count = struct.unpack_from("<xi", data, at)[0] if data[at] == 4 else len(fields[-1])
            at += 5 * (data[at] == 4)
            fields.append([])
            for _ in range(count):
                array, at = read_array(data, at)
                fields[-1].append(array)
        else:
            array, at = read_array(data, at)
            fields.append(array)
    return fields


def read_parts(folder):
    """Vosk's `ivector` folder -> Parts; ValueError where it isn't what Kaldi writes for this model."""
    constants, weights, means, inverse = read_fields(f"{folder}/final.dubm", ("GCONSTS", "WEIGHTS", "MEANS_INVVARS", "INV_VARS"))
    _, _, loadings, precision, offset = read_fields(f"{folder}/final.ie", ("w", "w_vec", "M", "SigmaInv", "IvectorOffset"))
    lda, _ = read_array(open(f"{folder}/final.mat", "rb").read(), 2)
    sums = np.array(open(f"{folder}/global_cmvn.stats").read().strip(" []\n").split("\n")[0].split(), np.float64)
    parts = Parts(lda, constants, means, inverse, np.stack(loadings), np.stack(precision), offset, sums[:-1] / sums[-1])
    wanted = ((MEL_BINS, SPLICE * MEL_BINS + 1), (GAUSSIANS,), (GAUSSIANS, MEL_BINS), (GAUSSIANS, MEL_BINS),
              (GAUSSIANS, MEL_BINS, IVECTOR), (GAUSSIANS, MEL_BINS, MEL_BINS), (), (MEL_BINS,))
    for name, value, shape in zip(Parts._fields, parts, wanted):
        if np.shape(value) != shape or not np.isfinite(value).all():
            raise ValueError(f"{name}: {np.shape(value)} where {shape} finite numbers are wanted")
    log_weights = constants + .5 * (means ** 2 / inverse - np.log(inverse / (2 * np.pi))).sum(1)       # they must give the weights again
    if abs(weights.sum() - 1) > 1e-3 or not np.allclose(np.exp(log_weights), weights, 1e-2) or np.linalg.eigvalsh(precision).min() <= 0:
        raise ValueError("weights that don't sum to one, or a covariance that is none")
    return parts


def packed_places():
    """-> (rows, columns) of the packed numbers, (32, 32) where each number of the whole matrix is packed, PACKED for zeros."""
    rows, columns = np.tril_indices(IVECTOR, -1)
    rows, columns = (np.concatenate([np.arange(IVECTOR), part]) for part in (rows, columns))
    square = np.full((WIDE, WIDE), PACKED)
    square[rows, columns] = square[columns, rows] = np.arange(PACKED)
    return rows, columns, square


class Extractor(nn.Module):
    """Parts folded into five products; without them empty buffers, to be loaded. The i-vector is Kaldi's less the prior's offset: zero
    for a stream that has said nothing. `gate` (GATE, say; None: every frame counts): frames whose mean log-mel lies that many nats below
    its running peak count SILENT times, besides the `weight` given."""

    def __init__(self, parts=None, every=EVERY, iterations=ITERATIONS, gate=GATE):
        super().__init__()
        self.every, self.iterations, self.gate = every, iterations, gate
        _, _, square = packed_places()
        self.register_buffer("square", torch.from_numpy(square.ravel()), persistent=False)
        self.register_buffer("diagonal", (torch.arange(PACKED) < IVECTOR).float(), persistent=False)
        for name, shape in dict(splice=(SPLICE * MEL_BINS, MEL_BINS + 1), splice_bias=(MEL_BINS + 1,), centre=(MEL_BINS, MEL_BINS),
                                centre_bias=(MEL_BINS,), mean=(MEL_BINS,), gaussians=(2 * MEL_BINS, GAUSSIANS), constants=(GAUSSIANS,),
                                projection=(GAUSSIANS, (MEL_BINS + 1) * WIDE), precision=(GAUSSIANS, PACKED_WIDE)).items():
            self.register_buffer(name, torch.zeros(shape))
        if parts is not None:
            self.fold(parts)

    @classmethod
    def read(cls, folder, **options):
        return cls(read_parts(folder), **options)

    def fold(self, parts):
        """Cepstra go into the LDA, which then reads log-mel above the floor and centres its answer on the Gaussians' average; the prior's
        offset goes into the projection, by way of a dimension that is always 1."""
        log_floor, cepstrum = np.log(Frontend().floor.double().numpy()), cepstra()
        mean = np.linalg.solve(cepstrum, parts.mean) - log_floor                            # Kaldi's global mean, above the floor
        taps = np.stack([tap @ cepstrum for tap in np.split(parts.lda[:, :-1], SPLICE, 1)])         # (7, out, mel)
        default = parts.offset * parts.loadings[..., 0]                                     # (512, 40) the Gaussians' means for the prior's mean
        middle = default.mean(0)
        weighed = parts.precision @ parts.loadings                                          # Sigma^-1 M
        projection = np.concatenate([weighed, ((middle - default)[:, None] @ weighed)], 1)
        quadratic = np.swapaxes(parts.loadings, 1, 2) @ weighed
        rows, columns, _ = packed_places()
        bias = parts.lda[:, -1] + taps.sum(0) @ log_floor - middle
        folded = dict(splice=np.pad(taps.transpose(0, 2, 1).reshape(-1, MEL_BINS), ((0, 0), (0, 1))), splice_bias=np.append(bias, 1),
                      centre=taps.sum(0).T, centre_bias=bias - parts.lda[:, -1], mean=mean,
                      gaussians=np.concatenate([parts.means.T, -.5 * parts.inverse.T]), constants=parts.constants - parts.constants.mean(),
                      projection=np.pad(projection, ((0, 0), (0, 0), (0, WIDE - IVECTOR))).reshape(GAUSSIANS, -1),
                      precision=np.pad(quadratic[:, rows, columns], ((0, 0), (0, PACKED_WIDE - PACKED))))
        for name, value in folded.items():
            getattr(self, name).copy_(torch.from_numpy(value))

    def forward(self, mel, weight=None):
        """Utterances, chunk by chunk: mel (B, 9 n, 40), weight (B, 9 n) -> (B, n, 30)."""
        state, found = mel.new_zeros(len(mel), STATE), []
        weights = [None] * (mel.shape[1] // FRAMES) if weight is None else weight.split(FRAMES, 1)
        for chunk, share in zip(mel.split(FRAMES, 1), weights):
            ivector, state = self.step(chunk, state, share)
            found.append(ivector)
        return torch.stack(found, 1)

    def step(self, mel, state, weight=None):
        """mel (B, 9, 40) above the floor, weight (B, 9) with which its frames count (None: 1), state (B, STATE), zero at the start
        -> i-vector (B, 30), next state. A frame counts with its own weight once the splice has heard SIDE frames more: the chunk's
        last three with the next chunk."""
        tail, due, mean, peak, statistics, ivector = state.split(SIZES, 1)
        mel = torch.cat([tail.unflatten(1, (2 * SIDE, MEL_BINS)), mel], 1)
        if self.gate:
            passed, peak = self.loud(mel[:, -FRAMES:], peak)
            weight = passed if weight is None else weight * passed
        due = F.pad(due, (0, FRAMES), value=1.) if weight is None else torch.cat([due, weight], 1)
        mean = mean + F.pad(sum(mel[:, -FRAMES:].unbind(1)), (0, 1), value=float(FRAMES))           # not `sum(1)`, whose order depends on the batch
        mean = mean * (MEAN_FRAMES / mean[:, -1:].clamp(min=MEAN_FRAMES))
        statistics = self.gather(mel, due[:, :FRAMES], mean, statistics)
        ivector = self.solve(statistics, ivector)
        return ivector, torch.cat([mel[:, -2 * SIDE:].flatten(1), due[:, FRAMES:], mean, peak, statistics, ivector], 1)

    def loud(self, mel, peak):
        """(B, 9, 40), (B, 1) -> weights (B, 9) that tell speech from pauses by the mean log-mel, and the peak it is measured by."""
        level = mel.mean(2)
        peak = torch.maximum(peak - FADE, level.amax(1, keepdim=True)).clamp(min=LEAST_PEAK)
        return (level - peak + self.gate + .5).clamp(SILENT, 1), peak

    def gather(self, mel, weight, mean, statistics):
        """mel (B, 15, 40), weight (B, 9) of the nine in the middle, mean (B, 41): sums and count of frames
        -> statistics (B, 496): packed quadratic term, linear term less its part from the prior's offset, count."""
        sums, seen = mean.split([MEL_BINS, 1], 1)
        fill = (MEAN_FRAMES - seen).clamp(0, GLOBAL_FRAMES)
        mean = (sums + fill * self.mean) / (seen + fill)
        spliced = torch.stack([mel[:, i:i + SPLICE].flatten(1) for i in range(self.every // 2, FRAMES, self.every)], 1)
        x = spliced @ self.splice + self.splice_bias
        # once a frame, see `Acoustic.layered`
        centred = x[..., :-1] - mean[:, None].expand(-1, x.shape[1], -1) @ self.centre - self.centre_bias
        likelihood, best = (torch.cat([centred, centred * centred], -1) @ self.gaussians + self.constants).topk(BEST)
        share = likelihood.softmax(-1)
        share = share * (share >= MIN_SHARE)
        counted = sum(weight.unflatten(1, (-1, self.every)).unbind(2))[..., None] * COUNT
        share = share / sum(share.unbind(-1))[..., None] * counted
        best, moment = best.flatten(1), (share[..., None] * x[:, :, None]).flatten(1)[:, None]
        linear = moment @ F.embedding(best, self.projection).view(-1, moment.shape[2], WIDE)
        quadratic = share.flatten(1)[:, None] @ F.embedding(best, self.precision)
        statistics = statistics + torch.cat([quadratic[:, 0, :PACKED], linear[:, 0, :IVECTOR], sum(counted.unbind(1))], 1)
        return statistics * (REMEMBER / statistics[:, -1:].clamp(min=REMEMBER))

    def solve(self, statistics, ivector):
        """A few conjugate gradients, preconditioned by the diagonal, from the last i-vector on: (B, 496), (B, 30) -> (B, 30)."""
        quadratic, linear, count = statistics.split([PACKED, IVECTOR, 1], 1)
        quadratic = quadratic + count.clamp(min=MAX_COUNT) / MAX_COUNT * self.diagonal          # the prior
        matrix = F.pad(quadratic, (0, 1))[:, self.square].view(-1, WIDE, WIDE)
        scale, linear, ivector = (F.pad(part, (0, WIDE - IVECTOR))[:, None] for part in (1 / quadratic[:, :IVECTOR], linear, ivector))
        residual = linear - ivector @ matrix
        step = scale * residual
        power = (residual * step).sum(2, keepdim=True)
        for i in range(self.iterations):
            image = step @ matrix
            length = power / ((step * image).sum(2, keepdim=True) + 1e-20)
            ivector = ivector + length * step
            if i + 1 < self.iterations:
                residual = residual - length * image
                scaled, before = scale * residual, power
                power = (residual * scaled).sum(2, keepdim=True)
                step = scaled + power / (before + 1e-20) * step
        return ivector[:, 0, :IVECTOR]
