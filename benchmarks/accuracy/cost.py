"""How soon each recogniser of compare.py answers and what it takes to run, on one thread, each in a process of its own.

    python cost.py --work $WORK_DIR/data --model ../../models/en-tiny-streaming --vosk DIR --whisper DIR --moonshine DIR \
        --calibration results/calibration.json --out results [--per-set 3]

after the end  from a clip's last sample to its whole text: a recogniser of whole clips starts only there, a streaming one flushes
memory         that loading the model and hearing the clips adds to a process that has everything imported
"""
import argparse
import importlib
import json
import os
import re
import time
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # noqa: E402

from compare import RECOGNISERS, SAMPLE_RATE, Corpus, choose  # noqa: E402

IMPORTS = ("torch", "onnxruntime", "vosk", "ctranslate2", "pocketsphinx", "streaming", "pseudo_label")
STREAMING = ("this model", "Vosk small")
TOGETHER = 64


def megabytes(name):
    """VmRSS or VmHWM of this process."""
    return int(re.search(name + r":\s+(\d+) kB", open("/proc/self/status").read()).group(1)) / 1024


def after_end(graph, wave):
    """Share of the steps of a clip that come with its last samples or behind them; one costs what another does."""
    steps = len(graph.transcribe([wave])[0].speech) // graph.per_chunk
    return (steps - (len(wave) - 1) // graph.chunk) / steps


def measure(name, folder, waves):
    import torch
    torch.set_num_threads(1)
    for module in IMPORTS:
        importlib.import_module(module)
    before = megabytes("VmRSS")
    run, took, after, last = RECOGNISERS[name](folder), [], [], []
    watched = dict(at_last=lambda: last.append(time.process_time())) if name == "Vosk small" else {}
    run(waves[0])
    for wave in waves:
        began = time.process_time()
        run(wave, **watched)
        ended = time.process_time()
        took.append(ended - began)
        after.append(ended - (last[-1] if watched else began))
    audio = sum(map(len, waves)) / SAMPLE_RATE
    found = dict(memoryMb=round(megabytes("VmHWM") - before), timesRealTime=round(audio / sum(took), 1))
    if name == "this model":
        from streaming import Recogniser
        graph, many = Recogniser(folder), [waves[i % len(waves)] for i in range(4 * TOGETHER)]
        after = [seconds * after_end(graph, wave) for seconds, wave in zip(took, waves)]
        began = time.process_time()
        graph.transcribe(many, TOGETHER)
        found["timesRealTimeTogether"] = round(sum(map(len, many)) / SAMPLE_RATE / (time.process_time() - began), 1)
    found["afterEndMs"] = dict(median=round(1000 * float(np.median(after))), p95=round(1000 * float(np.percentile(after, 95))))
    return found


def markdown(results, report):
    ours = "this model"
    shown = {ours: f"{report['emissionDelayMs']['mean']} on average", "Vosk small": "in partials, not measured"}
    times = {ours: f"{100 * report['startsWithin100Ms']:.0f} % of starts, {100 * report['endsWithin100Ms']:.0f} % of ends within 100 ms",
             "Vosk small": "yes, not measured", "pocketsphinx": "the reference that this model's are measured by"}
    rows = {
        "a word shows, ms after its end": lambda name: shown.get(name, "with the whole text"),
        "whole text, ms after the clip's end, median (95th percentile)": lambda name: "{median} ({p95})".format(**results[name]["afterEndMs"]),
        "x real time, one thread": lambda name: str(results[name]["timesRealTime"]) + (f"; {TOGETHER} streams together {results[name]['timesRealTimeTogether']}" if name == ours else ""),
        "memory, MB": lambda name: str(results[name]["memoryMb"]),
        "word times": lambda name: times.get(name, "none as run here"),
        "hears while one speaks": lambda name: "yes" if name in STREAMING else "no as run here",
    }
    lines = ["| | " + " | ".join(results) + " |", "|---" * (1 + len(results)) + "|"]
    return "\n".join(lines + [f"| {label} | " + " | ".join(map(cell, results)) + " |" for label, cell in rows.items()]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--vosk", required=True)
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--moonshine", required=True)
    parser.add_argument("--calibration", required=True, help="output of calibrate.py")
    parser.add_argument("--per-set", type=int, default=3)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    corpus = Corpus(args.work)
    waves = [corpus.wave(row) for row in choose(corpus, args.per_set, None)]
    folders, results = {"this model": args.model, "Vosk small": args.vosk, "Whisper tiny.en": args.whisper, "Moonshine tiny": args.moonshine, "pocketsphinx": ""}, {}
    for name, folder in folders.items():
        with get_context("spawn").Pool(1) as pool:
            results[name] = pool.apply(measure, (name, folder, waves))
        print(name, results[name], flush=True)
    text = markdown(results, json.load(open(args.calibration))["report"])
    print(text)
    json.dump(dict(clips=len(waves), seconds=round(sum(map(len, waves)) / SAMPLE_RATE, 1), results=results), open(os.path.join(args.out, "cost.json"), "w"), indent=1)
    with open(os.path.join(args.out, "cost.md"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
