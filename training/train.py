"""Train the acoustic network by lattice-free MMI and the wall clock: the learning rate falls to zero at --minutes, so each leg ends annealed.

    python train.py --work $WORK_DIR/data --words words.pt --start init.pt --out leg1.pt --minutes 40
    python train.py --work $WORK_DIR/data --words words.pt --start leg1.pt --out leg2.pt --minutes 50 --seed 2   # next leg
    python train.py ... --resume                       # go on from --out after an interruption, optimiser and clock too
    RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29511 python train.py ... --threads 1 &   # and RANK=1: README
    python train.py ... --device cuda --bf16 --batch-seconds 600

On a busy machine one single-threaded process a core, gradients averaged once a step, goes much faster than one process
of two threads: those meet at hundreds of barriers a step, and each waits until the scheduler has let the other run.

Loss = MMI in nats a slot, and with --keep so many times the mean squared difference between what comes out and what came out of --start.
"""
import argparse
import copy
import json
import math
import os
import random
import time

import numpy as np
import torch
from torch import distributed

import sweep
from acoustic import OUTPUTS
from common import CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, SAMPLE_RATE, edit_counts
from data import AFTER, Batches, load_rows
from frontend import MEL_BINS, STARTS
from lexicon import LABELS, Lexicon
from losses import MMI, chances
from model import Model, weights_of
from search import Weights, Words

WARMUP_STEPS = 40


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--start", required=True, help="checkpoint to start from (weights alone, their running mean where there is one)")
    parser.add_argument("--out", required=True)
    parser.add_argument("--words", required=True, help="tables of words.py: outputs of each pair of labels, and the search for dev clips")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps, the schedule counted in steps")
    parser.add_argument("--batch-seconds", type=float, default=60)
    parser.add_argument("--lr", type=float, default=1e-5, help="ten times as much forgets what Vosk learned")
    parser.add_argument("--keep", type=float, default=0., help="times the mean squared difference from the outputs of --start")
    parser.add_argument("--noise", type=float, default=.3, help="share of clips at 3-30 dB")
    parser.add_argument("--speed", type=float, default=0., help="share of clips played 0.85-1.18 times as fast")
    parser.add_argument("--microphone", type=float, default=0., help="share of clips with another frequency response")
    parser.add_argument("--room", type=float, default=0., help="share of clips with reverberation")
    parser.add_argument("--bands", type=int, default=0, help="bands masked in each clip's log-mel, up to 8 of 40 wide")
    parser.add_argument("--gaps", type=float, default=0., help="gaps masked there a second, up to 120 ms long")
    parser.add_argument("--pseudo", default="", help="pseudo.jsonl")
    parser.add_argument("--only", help="file of clip ids, one a line: train on these alone")
    parser.add_argument("--fixed-layers", type=int, default=0, help="keep so many of the ear's 12 layers as they are")
    parser.add_argument("--ema", type=float, default=.99, help="share of the running mean of the weights kept each step")
    parser.add_argument("--every", type=float, default=8, help="minutes between checkpoints")
    parser.add_argument("--dev", type=int, default=120, help="dev clips decoded at each checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="a new one for every leg: it fixes the order of the clips")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    return parser.parse_args()


def groups(model):
    """No weight decay on biases."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return [dict(params=[weight for weight in weights if (weight.dim() > 1) == matrices], weight_decay=.01 if matrices else 0.) for matrices in (True, False)]


def mask(wave, args, generator):
    """wave (B, n) -> (B, frames, 40) of ones, zeros where SpecAugment hides the log-mel; None where it hides nothing."""
    if not args.bands and not args.gaps:
        return None
    frames = (wave.shape[1] // CHUNK_SAMPLES + 1) * len(STARTS)          # `Model.encode` lets the ear hear a chunk more
    kept = torch.ones(len(wave), frames, MEL_BINS)
    for clip in kept:
        for _ in range(args.bands):
            width = int(generator.integers(0, 9))
            start = int(generator.integers(0, MEL_BINS - width))
            clip[:, start:start + width] = 0
        for _ in range(generator.poisson(args.gaps * frames / 90)):
            start = int(generator.integers(0, frames))
            clip[start:start + int(generator.integers(1, 12))] = 0
    return kept.to(wave.device)


def read_mmi(tables, texts):
    """Tables of words.py, labels of the texts -> MMI; pairs of labels that no word has are impossible."""
    onset, hold = (tables[name].view(LABELS, LABELS).numpy() for name in ("onset", "hold"))
    return MMI(onset, hold, chances(texts, hold > 0), OUTPUTS)


def losses(model, mmi, before, batch, args, generator):
    """-> parts of the loss by name. before: the model that --keep keeps to, or None."""
    with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
        outputs = model.encode(batch["wave"], mask(batch["wave"], args, generator)).float()
        if before:
            with torch.no_grad():
                wanted = before.encode(batch["wave"]).float()
    slots = batch["slots"]
    parts = dict(mmi=mmi(outputs, slots, batch["tokens"], batch["lengths"]).sum() / slots.sum())
    if before:
        inside = torch.arange(outputs.shape[1], device=slots.device) < slots[:, None]
        parts["kept"] = ((outputs - wanted).square().mean(-1) * inside).sum() / slots.sum()
    return parts


class Judge:
    """Reads the running mean's dev clips as the step would: MMI in nats a slot, word errors in per cent. On the CPU, whatever trains."""

    def __init__(self, corpus, lexicon, mmi, model, words):
        self.corpus, self.mmi, self.model = corpus, mmi, model.eval()
        self.model.words, self.vocabulary = Words(words["tables"], Weights()), words["words"]
        self.rows = [dict(row, tokens=tokens) for row in corpus.split("dev") if (tokens := lexicon.encode(row["text"]))]
        random.Random(5).shuffle(self.rows)

    @torch.no_grad()
    def read(self, weights, count):
        self.model.load_state_dict(weights)
        nats = slots = errors = words = 0
        rows = sorted(self.rows[:count], key=lambda row: row["samples"])
        for part, outputs, chunks in sweep.encode(self.model, self.corpus, rows):
            lengths = torch.tensor([len(row["tokens"]) for row in part])
            tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(row["tokens"]) for row in part], True)
            counted = torch.tensor([CHUNK_SLOTS * -(-(row["samples"] + AFTER) // CHUNK_SAMPLES) for row in part])
            nats, slots = nats + float(self.mmi(outputs, counted, tokens, lengths).sum()), slots + int(counted.sum())
            for row, said in zip(part, sweep.search(self.model, outputs, chunks)):
                wrong, spoken = edit_counts(row["text"], " ".join(self.vocabulary[word] for word in said))
                errors, words = errors + wrong, words + spoken
        return dict(mmi=nats / slots, errors=100 * errors / words)


def average(model, progress):
    """Gradients and progress, averaged over the processes in place -> progress."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
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


def report(judge, weights, count, state, log):
    """count: of dev clips, None: all."""
    found = judge.read(weights, count)
    print(f"after {state['hours']:.2f} h, on dev: {found['mmi']:.4f} nats a slot, {found['errors']:.2f} % word errors", flush=True)
    log.write(json.dumps(dict(state, **found, full_dev=count is None)) + "\n")
    log.flush()


def main():
    args = parse()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        distributed.init_process_group("gloo")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    corpus, lexicon = Corpus(args.work), Lexicon(f"{args.work}/lexicon.txt")
    rows, words = load_rows(corpus, lexicon, args.pseudo), torch.load(args.words)
    mmi = read_mmi(words["tables"], [row["tokens"] for row in rows])
    if args.only:
        wanted = set(open(args.only).read().split())
        rows = [row for row in rows if row["id"] in wanted]
    print(f"{len(rows)} clips, {sum(row['samples'] for row in rows) / SAMPLE_RATE / 3600:.2f} h", flush=True)
    resume = args.resume and os.path.exists(args.out)
    checkpoint = torch.load(args.start, map_location=args.device)
    model = Model(weights_of(checkpoint)).to(args.device)
    before = copy.deepcopy(model).requires_grad_(False) if args.keep else None
    if resume:
        checkpoint = torch.load(args.out, map_location=args.device)
        model.load_state_dict(checkpoint["model"])
    judge = None if rank else Judge(corpus, lexicon, copy.deepcopy(mmi), copy.deepcopy(model).cpu(), words)
    mmi = mmi.to(args.device)
    for layer in (model.ear.speech, *(model.ear.first, *model.ear.layers)[:args.fixed_layers]):          # speech.py trains the first
        layer.requires_grad_(False)
    running = Mean(model, args.ema)
    optimiser = torch.optim.AdamW(groups(model), betas=(.9, .98), fused=True)
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
            group["lr"] = args.lr * factor
        batch = {key: value.to(args.device) for key, value in next(batches).items()}
        parts = losses(model, mmi, before, batch, args, generator)
        loss = parts["mmi"] + args.keep * parts.get("kept", 0)
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
                  + ", ".join(f"{key} {np.mean(values):.4f}" for key, values in mean.items()), flush=True)
            mean = {}
        if rank == 0 and time.time() - saved > args.every * 60:
            saved = time.time()
            save(args.out, model, optimiser, state, running)
            if args.dev:
                report(judge, running.state_dict(model), args.dev, state, log)
    if rank:
        return
    save(args.out, model, optimiser, state, running)
    report(judge, running.state_dict(model), None, state, log)


if __name__ == "__main__":
    main()
