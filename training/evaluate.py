"""Word error rate per held-out set, through the exported streaming graph exactly as served.

    python evaluate.py --work $WORK_DIR/data --model ../models/en-tiny-streaming [--split test] [--noise 20 10 5] [--out results.json] [--keep heard.jsonl]

Prints and writes, for each set and for all together: clips, words, errors, rate, and a 95 % interval by bootstrap over
clips. `--keep` appends every clean result (tokens, frames, steps, log-probabilities) for calibrate.py. `--noise` repeats the evaluation with white-to-babble noise at those signal-to-noise ratios (seeded).
"""
import argparse
import json
import zlib

import numpy as np

from common import Corpus, edit_counts, read_librivox
from streaming import Recogniser

BOOTSTRAPS = 1000


def interval(errors, words, seed=0):
    """95 % interval of sum(errors) / sum(words) in per cent, resampling clips."""
    errors, words = np.asarray(errors), np.asarray(words)
    picks = np.random.default_rng(seed).integers(0, len(errors), (BOOTSTRAPS, len(errors)))
    rates = 100 * errors[picks].sum(1) / np.maximum(words[picks].sum(1), 1)
    return [round(float(value), 1) for value in np.percentile(rates, [2.5, 97.5])]


def score(rows, texts):
    """Rows and hypotheses -> {set: figures}, "all" last."""
    sets = {}
    for row, text in zip(rows, texts):
        counts = edit_counts(row["text"], text)
        sets.setdefault(row["source"], []).append(counts)
        sets.setdefault("all", []).append(counts)
    sets["all"] = sets.pop("all")
    out = {}
    for name, counts in sorted(sets.items(), key=lambda item: item[0] == "all"):
        errors, words = zip(*counts)
        out[name] = dict(clips=len(counts), words=sum(words), errors=sum(errors),
                         wer=round(100 * sum(errors) / max(sum(words), 1), 1), interval=interval(errors, words))
    return out


def add_noise(wave, ratio_db, seed, speakers):
    """Pink noise and, for every second clip, babble of the given waves, at ratio_db below the clip's active level."""
    rng = np.random.default_rng(seed)
    n = len(wave)
    if seed % 2:
        noise = sum(np.resize(speakers[i] / (speakers[i].std() + 1e-6), n) for i in rng.integers(0, len(speakers), 5))
    else:
        spectrum = np.fft.rfft(rng.standard_normal(n)) * (np.arange(n // 2 + 1) + 20.) ** -.5
        noise = np.fft.irfft(spectrum, n)
    active = wave[np.abs(wave) > np.abs(wave).max() * .05]
    level = np.sqrt(np.mean(active ** 2)) * 10 ** (-ratio_db / 20)
    return np.clip(wave + noise / (noise.std() + 1e-9) * level, -1, 1).astype(np.float32)


def noisy(rows, waves, ratio_db):
    speakers = waves[::17]
    return [add_noise(wave, ratio_db, zlib.crc32(row["id"].encode()), speakers) for row, wave in zip(rows, waves)]


def table(results):
    lines = ["| set | clips | words | WER % | 95 % interval |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {r['clips']} | {r['words']} | {r['wer']} | {r['interval'][0]}-{r['interval'][1]} |" for name, r in results.items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--librivox", help="librivox folder of pocketsphinx-testdata: five more test clips")
    parser.add_argument("--noise", type=float, nargs="*", default=[])
    parser.add_argument("--noise-every", type=int, default=1, help="take every n-th clip for the noisy passes")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--keep", help="JSON lines, one clip each, appended")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out")
    parser.add_argument("--show", type=int, default=0, help="print this many references and hypotheses")
    args = parser.parse_args()
    corpus, graph = Corpus(args.work), Recogniser(args.model, args.threads)
    extra = read_librivox(args.librivox) if args.librivox and args.split == "test" else []
    rows = sorted(corpus.split(args.split) + extra, key=lambda row: -row["samples"])
    waves = [corpus.wave(row) for row in rows]
    results = {}
    for level in [None] + args.noise:
        name = "clean" if level is None else f"{level:g} dB"
        if level is None:
            chosen, heard = rows, waves
        else:
            chosen = rows[::args.noise_every]
            heard = noisy(chosen, waves[::args.noise_every], level)
        found = graph.transcribe(heard, args.batch)
        texts = [graph.text(result.tokens) for result in found]
        results[name] = score(chosen, texts)
        if level is None and args.keep:
            with open(args.keep, "a") as file:
                for row, result in zip(rows, found):
                    file.write(json.dumps(dict(id=row["id"], split=args.split, tokens=result.tokens, frames=result.frames,
                                               steps=result.steps, shown=result.shown, logps=[round(value, 4) for value in result.logps],
                                               speech=[round(value, 2) for value in result.speech])) + "\n")
        print(f"\n{args.split}, {name}\n{table(results[name])}", flush=True)
        if level is None:
            for row, text in list(zip(rows, texts))[::max(1, len(rows) // max(1, args.show))][:args.show]:
                print(f"{row['source']}\n  ref: {row['text']}\n  hyp: {text}")
    if args.out:
        json.dump(results, open(args.out, "w"), indent=1)


if __name__ == "__main__":
    main()
