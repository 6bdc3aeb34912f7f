"""Teaches the network as it is served to answer as one that looks further ahead does. Needs no transcripts.

    python distil.py --work $WORK_DIR/data --teacher final.pt --shards $WORK_DIR/shards --hours 50 --out student.pt --minutes 6

First, once, --processes hear --hours of clips, untranscribed ones too, and keep what is the same in both networks and does not
change: what layers 1-4 make of a clip in its noise, and what the teacher makes of the clip without it, before its last product.
Then layers 5-12 and those behind learn, several times over what was kept. Loss = variance of the differences of a slot's 2192 outputs.
"""
import argparse
import glob
import os
import random
import time

import torch
from torch import multiprocessing, nn

from acoustic import THIRD, look_less_far
from common import CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, SAMPLE_RATE
from data import Batches, LONGEST, fewer_words
from model import Model, read_weights
from train import Mean, rate

SHARD_BATCHES, MIXED_SHARDS = 30, 4


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--teacher", required=True, nargs="+", help="of several the mean")
    parser.add_argument("--shards", required=True, help="folder of what was heard, 0.18 GB an hour; what lies there is used again")
    parser.add_argument("--start", help="student to start from; else the teacher, looking less far")
    parser.add_argument("--out", required=True)
    parser.add_argument("--hours", type=float, default=50, help="of audio to hear")
    parser.add_argument("--minutes", type=float, default=6, help="of learning; its rate falls to zero")
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps, the rate counted in steps")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch-seconds", type=float, default=40)
    parser.add_argument("--noise", type=float, default=.3)
    parser.add_argument("--speed", type=float, default=.4)
    parser.add_argument("--microphone", type=float, default=.1)
    parser.add_argument("--room", type=float, default=.05)
    parser.add_argument("--ema", type=float, default=.998)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def listeners(corpus):
    rows = fewer_words(corpus.split("train") + corpus.split("unlabelled"))
    return [dict(row, tokens=[]) for row in rows if row["samples"] < LONGEST * SAMPLE_RATE]


@torch.no_grad()
def hear(number, args):
    """One process: writes shards until its share of the hours is heard."""
    torch.set_num_threads(1)
    corpus, teacher = Corpus(args.work), Model(read_weights(args.teacher)).eval()
    seed = args.seed + 1000 * number
    batches = Batches(corpus, listeners(corpus), args.batch_seconds, seed, args.noise, args.speed, args.microphone, args.room, clean=True)
    hours, shard, share = 0., [], args.hours / args.processes
    while hours < share:
        batch = next(batches)
        early = teacher.ear.early(batch["wave"])
        wanted = teacher.ear.outputs[:4](teacher.ear.late(teacher.ear.early(batch["clean"])))
        shard.append(dict(early=early.half(), wanted=wanted.half()))
        hours += batch["wave"].numel() / SAMPLE_RATE / 3600
        if len(shard) == SHARD_BATCHES or hours >= share:
            path = f"{args.shards}/{seed}.{hours:08.3f}.pt"
            torch.save(shard, path + ".part")
            os.rename(path + ".part", path)
            shard = []
            print(f"process {number}: {hours:.1f} h", flush=True)


def stored(folder, chooser):
    """Endless batches from all shards, mixed among a few at a time."""
    while True:
        paths = sorted(glob.glob(folder + "/*.pt"))
        chooser.shuffle(paths)
        for start in range(0, len(paths), MIXED_SHARDS):
            batches = [batch for path in paths[start:start + MIXED_SHARDS] for batch in torch.load(path)]
            chooser.shuffle(batches)
            yield from batches


def of_outputs(product):
    """(192, 192) that takes a difference before the network's last product to one whose sum of squares is the outputs' variance after it:
    what all outputs of a slot have in common changes nothing in a search."""
    weight = product.weight.detach().double()
    weight = weight - weight.mean(0)
    values, vectors = torch.linalg.eigh(weight.T @ weight / len(weight))
    return (vectors * values.clamp(min=0).sqrt()).float()


def learn(student, later, batches, args):
    """-> the running mean of the student's weights, hours heard. `later`: slots by which the teacher's answers come after the student's."""
    learns = nn.ModuleList([*student.ear.layers[THIRD + 1:], *student.ear.outputs[:4]])
    student.requires_grad_(False)
    learns.requires_grad_(True)
    optimiser = torch.optim.Adam(learns.parameters(), betas=(.9, .98), fused=True)
    metric, running = of_outputs(student.ear.outputs[4]), Mean(student, args.ema)
    began, shown, steps, hours, progress, mean = time.time(), time.time(), 0, 0., 0., []
    while progress < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate(args.lr, steps, progress)
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16):
            found = student.ear.outputs[:4](student.ear.late(batch["early"].float())).float()
        kept = found.shape[1] - later
        loss = ((found[:, :kept] - batch["wanted"][:, later:].float()) @ metric).square().sum(-1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learns.parameters(), 2.)
        optimiser.step()
        running.update()
        steps, hours = steps + 1, hours + found.shape[0] * found.shape[1] / CHUNK_SLOTS * CHUNK_SAMPLES / SAMPLE_RATE / 3600
        progress = steps / args.steps if args.steps else (time.time() - began) / 60 / args.minutes
        mean.append(float(loss.detach()))
        if time.time() - shown > 30:
            shown = time.time()
            print(f"{(shown - began) / 60:.1f} min, step {steps}, {hours:.1f} h: {sum(mean) / len(mean):.4f}", flush=True)
            mean = []
    return running.state_dict(student), hours


def main():
    args = parse()
    os.makedirs(args.shards, exist_ok=True)
    if not glob.glob(args.shards + "/*.pt"):
        multiprocessing.spawn(hear, (args,), args.processes)
    torch.set_num_threads(args.processes)
    weights = read_weights(args.teacher)
    teacher = Model(weights)
    student = Model(read_weights([args.start]) if args.start else look_less_far(weights))
    weights, hours = learn(student, teacher.ear.slots_late - student.ear.slots_late, stored(args.shards, random.Random(args.seed)), args)
    torch.save(dict(model=weights, step=0, hours=hours), args.out)


if __name__ == "__main__":
    main()
