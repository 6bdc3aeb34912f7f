"""Train the streaming transducer by wall clock: the learning rate falls to zero at --minutes, so each leg ends annealed.

    python train.py --work $WORK_DIR/data --start init.pt --out leg1.pt --minutes 40
    python train.py --work $WORK_DIR/data --start leg1.pt --out leg2.pt --minutes 50                 # next leg
    python train.py ... --resume                       # go on from --out after an interruption, optimiser and clock too
    RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29511 python train.py ... --threads 1 &   # and RANK=1: README
    python train.py ... --device cuda --bf16 --batch-seconds 600

On a busy machine one single-threaded process a core, gradients averaged once a step, goes much faster than one process
of two threads: those meet at hundreds of barriers a step, and each waits until the scheduler has let the other run.

Loss = ctc * CTC + rnnt * band transducer + speech * VAD, each per frame or per token. The transducer joins at --rnnt-from of
the leg (its band needs a CTC head that can align).
"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import distributed

import acoustic
from common import BLANK, CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, SAMPLE_RATE, SLOTS, edit_counts
from data import Batches, load_rows
from lexicon import Lexicon
from losses import ctc_align, ctc_loss, transducer_loss
from model import Model, greedy

WARMUP_STEPS = 40
FRESH = ("ctc.", "vad.", "encoder_out.", "embed.", "predictor_out.", "joiner_out.")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--start", help="checkpoint to start from (weights alone)")
    parser.add_argument("--out", required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps, the schedule counted in steps")
    parser.add_argument("--batch-seconds", type=float, default=60)
    parser.add_argument("--lr", type=float, default=4e-4, help="weights that came trained")
    parser.add_argument("--fresh-lr", type=float, default=1.5e-3, help="weights that started at random, and biases")
    parser.add_argument("--ctc", type=float, default=.3)
    parser.add_argument("--rnnt", type=float, default=.5)
    parser.add_argument("--speech", type=float, default=.1)
    parser.add_argument("--rnnt-from", type=float, default=0., help="share of the leg before the transducer joins")
    parser.add_argument("--rnnt-joins", type=float, default=0., help="share of the leg before its gradient reaches the encoder")
    parser.add_argument("--fast-emit", type=float, default=.01)
    parser.add_argument("--early", type=float, default=0., help="what a frame of delay costs a token in CTC, nats")
    parser.add_argument("--noise", type=float, default=.3, help="share of clips at 3-30 dB")
    parser.add_argument("--speed", type=float, default=0., help="share of clips played 0.85-1.18 times as fast")
    parser.add_argument("--microphone", type=float, default=0., help="share of clips with another frequency response")
    parser.add_argument("--room", type=float, default=0., help="share of clips with reverberation")
    parser.add_argument("--bands", type=int, default=0, help="bands masked in each clip's log-mel, up to 8 of 40 wide")
    parser.add_argument("--gaps", type=float, default=0., help="gaps masked there a second, up to 120 ms long")
    parser.add_argument("--pseudo", default="", help="pseudo.jsonl")
    parser.add_argument("--heads-first", type=int, default=0, help="steps before the heads' gradients reach the encoder")
    parser.add_argument("--only", help="file of clip ids, one a line: train on these alone")
    parser.add_argument("--fixed-layers", type=int, default=0, help="keep so many of the ear's 12 layers as they are")
    parser.add_argument("--ema", type=float, default=.99, help="share of the running mean of the weights kept each step")
    parser.add_argument("--rnnt-every", type=int, default=1, help="transducer loss on every n-th step only")
    parser.add_argument("--every", type=float, default=8, help="minutes between checkpoints")
    parser.add_argument("--dev", type=int, default=120, help="dev clips decoded at each checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="a new one for every leg: it fixes the order of the clips")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    return parser.parse_args()


def groups(model, args):
    """Two learning rates; no weight decay on vectors and tables."""
    parts = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        fresh = any(name.startswith(key) for key in FRESH)
        parts.setdefault((fresh, weight.dim() > 1), []).append(weight)
    return [dict(params=weights, lr=0., peak=args.fresh_lr if fresh else args.lr, weight_decay=.01 if matrix else 0.)
            for (fresh, matrix), weights in parts.items()]


def mask(wave, args, generator):
    """wave (B, n) -> (B, frames, 40) of ones, zeros where SpecAugment hides the log-mel; None where it hides nothing."""
    if not args.bands and not args.gaps:
        return None
    frames = (wave.shape[1] // CHUNK_SAMPLES + 1) * len(acoustic.STARTS)          # `Model.encode` lets the ear hear a chunk more
    kept = torch.ones(len(wave), frames, acoustic.MEL_BINS)
    for clip in kept:
        for _ in range(args.bands):
            width = int(generator.integers(0, 9))
            start = int(generator.integers(0, acoustic.MEL_BINS - width))
            clip[:, start:start + width] = 0
        for _ in range(generator.poisson(args.gaps * frames / 90)):
            start = int(generator.integers(0, frames))
            clip[start:start + int(generator.integers(1, 12))] = 0
    return kept.to(wave.device)


def losses(model, batch, args, progress, step, generator, heads_only=False):
    frames, lengths, out = batch["frames"], batch["lengths"], {}
    with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
        encoded = model.encode(batch["wave"], mask(batch["wave"], args, generator))
    encoded = encoded.float()
    encoded = encoded.detach() if heads_only else encoded
    total_tokens = lengths.sum().clamp(min=1)
    logp, slots = model.labels(encoded).log_softmax(-1), SLOTS * frames
    out["ctc"] = ctc_loss(logp, slots, batch["tokens"], lengths, args.early).sum() / total_tokens
    if progress >= args.rnnt_from and step % args.rnnt_every == 0:
        first = ctc_align(logp.detach(), slots, batch["tokens"], lengths)
        heard = encoded if progress >= args.rnnt_joins else encoded.detach()     # a weak encoder is harmed by a raw joiner
        out["rnnt"] = transducer_loss(model, heard, slots, batch["tokens"], lengths, first, args.fast_emit).sum() / total_tokens
    inside = torch.arange(encoded.shape[1], device=frames.device)[None] < frames[:, None]
    out["speech"] = F.binary_cross_entropy_with_logits(model.vad(encoded)[..., 0], batch["speech"], weight=inside.float())
    return out


@torch.no_grad()
def dev_errors(model, corpus, lexicon, count, device):
    """(transducer, CTC) phone error rates in per cent on a fixed sample of dev clips."""
    rows = [dict(row, tokens=tokens) for row in corpus.split("dev") if (tokens := lexicon.encode(row["text"]))]
    random.Random(5).shuffle(rows)
    errors, words = [0, 0], 0
    rows = sorted(rows[:count], key=lambda row: row["samples"])
    for start in range(0, len(rows), 16):
        part = rows[start:start + 16]
        chunks = [-(-(row["samples"] + 9600) // 1600) for row in part]
        wave = torch.zeros(len(part), max(chunks) * 1600)
        for i, row in enumerate(part):
            wave[i, 1600:1600 + row["samples"]] = torch.from_numpy(corpus.wave(row))
        encoded, frames = model.encode(wave.to(device)).float(), torch.tensor(chunks, device=device) * CHUNK_SLOTS
        best = model.labels(encoded).argmax(-1).cpu()
        for i, tokens in enumerate(greedy(model, encoded, frames)):
            path = torch.unique_consecutive(best[i, :frames[i]]).tolist()
            for kind, ids in enumerate((tokens, [p for p in path if p != BLANK])):
                wrong, n = edit_counts(" ".join(map(str, part[i]["tokens"])), " ".join(map(str, ids)))
                errors[kind] += wrong
            words += n
    return [100 * e / words for e in errors]


def average(model, progress):
    """Gradients and progress, averaged over the processes in place -> progress."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)      # a step without the transducer, say
    flat = torch.cat([weight.grad.flatten() for weight in weights] + [torch.tensor([progress], device=weights[0].device)])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for weight, part in zip(weights, flat[:-1].split([weight.numel() for weight in weights])):
        weight.grad.copy_(part.view_as(weight))
    return float(flat[-1])


class Mean:
    """Running mean of the weights: what gets evaluated and exported. It takes out the noise that a falling rate would."""

    def __init__(self, model, keep):
        self.keep, self.count = keep, 0
        self.weights = list(model.parameters())
        self.means = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self):
        self.count += 1
        keep = min(self.keep, self.count / (self.count + 10))
        torch._foreach_lerp_(self.means, [weight.detach() for weight in self.weights], 1 - keep)

    def state_dict(self, model):
        return {**model.state_dict(), **dict(zip((name for name, _ in model.named_parameters()), self.means))}


def save(path, model, optimiser, state, mean):
    torch.save(dict(model=model.state_dict(), mean=mean.state_dict(model), optimiser=optimiser.state_dict(), **state), path + ".part")
    os.replace(path + ".part", path)


def main():
    args = parse()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        distributed.init_process_group("gloo")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    corpus, lexicon = Corpus(args.work), Lexicon(f"{args.work}/lexicon.txt")
    rows = load_rows(corpus, lexicon, args.pseudo)
    if args.only:
        wanted = set(open(args.only).read().split())
        rows = [row for row in rows if row["id"] in wanted]
    print(f"{len(rows)} clips, {sum(row['samples'] for row in rows) / SAMPLE_RATE / 3600:.2f} h", flush=True)
    model = Model().to(args.device)
    resume = args.resume and os.path.exists(args.out)
    checkpoint = torch.load(args.out if resume else args.start, map_location=args.device)
    model.load_state_dict(checkpoint["model"])
    for layer in (model.ear.first, *model.ear.layers)[:args.fixed_layers]:
        layer.requires_grad_(False)
    running = Mean(model, args.ema)
    optimiser = torch.optim.AdamW(groups(model, args), betas=(.9, .98), fused=True)
    state = dict(step=0, hours=checkpoint.get("hours", 0.), minutes=0.)
    if resume:
        optimiser.load_state_dict(checkpoint["optimiser"])
        state = {key: checkpoint[key] for key in state}
    seed = args.seed + state["step"] + 1000 * rank
    generator = np.random.default_rng(seed)
    batches = Batches(corpus, rows, args.batch_seconds, seed, args.noise, args.speed, args.microphone, args.room)
    began, earlier, shown, saved, mean = time.time(), state["minutes"], time.time(), time.time(), {}
    log = open(args.out + ".jsonl", "a") if rank == 0 else None
    progress = state["step"] / args.steps if args.steps else earlier / args.minutes
    while progress < 1:
        factor = min(1, (state["step"] + 1) / WARMUP_STEPS) * (.5 + .5 * math.cos(math.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        batch = {key: value.to(args.device) for key, value in next(batches).items()}
        parts = losses(model, batch, args, progress, state["step"], generator, state["step"] < args.heads_first)
        loss = sum(getattr(args, key) * value for key, value in parts.items())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        state["minutes"] = earlier + (time.time() - began) / 60
        progress = (state["step"] + 1) / args.steps if args.steps else state["minutes"] / args.minutes
        if world > 1:
            progress = average(model, progress)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 2.)
        if torch.isfinite(norm):
            optimiser.step()
            running.update()
        state["step"] += 1
        state["hours"] += batch["wave"].numel() / SAMPLE_RATE / 3600 * world
        for key, value in dict(parts, norm=norm).items():
            mean.setdefault(key, []).append(float(value.detach()))
        if rank == 0 and time.time() - shown > 30:
            shown = time.time()
            print(f"{state['minutes']:.1f} min, step {state['step']}, {state['hours']:.2f} h: "
                  + ", ".join(f"{key} {np.mean(values):.3f}" for key, values in mean.items()), flush=True)
            mean = {}
        if rank == 0 and time.time() - saved > args.every * 60:
            saved = time.time()
            save(args.out, model, optimiser, state, running)
            if not args.dev:
                continue
            trained = {name: value.clone() for name, value in model.state_dict().items()}
            model.load_state_dict(running.state_dict(model))
            rnnt, ctc = dev_errors(model, corpus, lexicon, args.dev, args.device)
            model.load_state_dict(trained)
            print(f"dev phone errors: transducer {rnnt:.1f} %, CTC {ctc:.1f} %", flush=True)
            log.write(json.dumps(dict(state, rnnt=rnnt, ctc=ctc)) + "\n")
            log.flush()
    if rank:
        return
    save(args.out, model, optimiser, state, running)
    model.load_state_dict(running.state_dict(model))
    rnnt, ctc = dev_errors(model, corpus, lexicon, 10 ** 6, args.device)
    print(f"end of leg after {state['hours']:.2f} h, dev phone errors: transducer {rnnt:.1f} %, CTC {ctc:.1f} %", flush=True)
    log.write(json.dumps(dict(state, rnnt=rnnt, ctc=ctc, full_dev=True)) + "\n")


if __name__ == "__main__":
    main()
