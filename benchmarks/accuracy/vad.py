"""Voice activity: frame error on speech with pauses and noise, this model against an energy detector and Silero.

    python vad.py --work $WORK_DIR/data --alignment alignment.jsonl --model ../../models/en-tiny-streaming \
        --silero silero_vad_v5.onnx --out results/vad.json [--clips 40]

Aligned clips of one split are joined with pauses of 0.3-2 s and mixed with pink noise or babble; a 50 ms frame is speech
when its centre lies in a word of the reference alignment, or in a gap shorter than 0.2 s. Each detector's threshold is
chosen on dev and its error (misses plus false alarms over all frames) reported on test. silero_vad_v5.onnx is in the npm
package @ricky0123/vad-web 0.0.31.
"""
import argparse
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "training"))
from common import Corpus, SAMPLE_RATE  # noqa: E402
from evaluate import add_noise  # noqa: E402
from model import LOOKAHEAD_CHUNKS  # noqa: E402

FRAME = 800
BRIDGE_S = .2


def build(corpus, references, split, clips, seed):
    """-> wave (n,), labels (n // FRAME,) of 0 or 1."""
    rng, rows = np.random.default_rng(seed), {row["id"]: row for row in corpus.split(split)}
    chosen = sorted((ref for ref in references if ref["split"] == split), key=lambda ref: ref["id"])
    chosen = [chosen[i] for i in rng.permutation(len(chosen))[:clips]]
    parts, spans, at = [], [], 0
    for ref in chosen:
        pause = np.zeros(int(rng.uniform(.3, 2) * SAMPLE_RATE), np.float32)
        wave = corpus.wave(rows[ref["id"]])
        wave = wave * (.08 / (np.sqrt(np.mean(wave ** 2)) + 1e-6))
        at += len(pause)
        for _, start, end in ref["words"]:
            start, end = at / SAMPLE_RATE + start, at / SAMPLE_RATE + end
            if spans and start - spans[-1][1] < BRIDGE_S:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        parts += [pause, wave]
        at += len(wave)
    wave = np.concatenate(parts)
    centres = (np.arange(len(wave) // FRAME) + .5) * FRAME / SAMPLE_RATE
    labels = np.zeros(len(centres), int)
    for start, end in spans:
        labels[(centres >= start) & (centres < end)] = 1
    return wave, labels


def by_model(folder):
    from streaming import Recogniser
    graph = Recogniser(folder)
    slot = graph.chunk / graph.per_chunk

    def run(wave):
        speech = np.array(graph.transcribe([wave])[0].speech)[LOOKAHEAD_CHUNKS * graph.per_chunk:]      # so much later it answers
        centres = (np.arange(len(wave) // FRAME) + .5) * FRAME
        return speech[np.minimum((centres // slot).astype(int), len(speech) - 1)]

    return run


def by_energy(wave):
    """Level of the frame over the tenth percentile of the last 3 s, in dB; causal."""
    frames = wave[:len(wave) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames ** 2, 1) + 1e-9)
    floor = np.array([np.percentile(level[max(0, i - 60):i + 1], 10) for i in range(len(level))])
    return level - floor


def by_silero(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)

    def run(wave):
        state, context, out = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
        for start in range(0, len(wave) - 511, 512):
            chunk = wave[start:start + 512]
            p, state = session.run(None, {"input": np.concatenate([context, chunk])[None], "state": state,
                                          "sr": np.array(SAMPLE_RATE, np.int64)})
            context = chunk[-64:]
            out.append(float(p[0, 0]))
        centres = (np.arange(len(wave) // FRAME) + .5) * FRAME
        return np.array(out)[np.minimum((centres // 512).astype(int), len(out) - 1)]

    return run


def frame_error(scores, labels, threshold):
    n = min(len(scores), len(labels))
    return float(((scores[:n] > threshold) != labels[:n]).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--alignment", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--silero")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    corpus, references = Corpus(args.work), [json.loads(line) for line in open(args.alignment)]
    detectors = {"this model": by_model(args.model), "energy": by_energy}
    if args.silero:
        detectors["Silero v5"] = by_silero(args.silero)
    clean = {split: build(corpus, references, split, args.clips, 1) for split in ("dev", "test")}
    talkers = [corpus.wave(row) for row in corpus.split("dev")[:40]]
    results = {name: {} for name in detectors}
    for condition, ratio_db in (("clean", 60), ("20 dB", 20), ("10 dB", 10), ("5 dB", 5)):
        for name, detect in detectors.items():
            scores = {}
            for split, (wave, labels) in clean.items():
                parts = [add_noise(wave[i:i + 160000], ratio_db, i // 160000, talkers) for i in range(0, len(wave), 160000)]
                scores[split] = detect(np.concatenate(parts))
            choices = np.unique(np.round(np.quantile(scores["dev"], np.linspace(0, 1, 200)), 5))
            best = min(choices, key=lambda threshold: frame_error(scores["dev"], clean["dev"][1], threshold))
            results[name][condition] = round(100 * frame_error(scores["test"], clean["test"][1], best), 1)
        print(condition, {name: values[condition] for name, values in results.items()}, flush=True)
    results["speech share"] = round(100 * float(clean["test"][1].mean()), 1)
    results["seconds"] = round(len(clean["test"][0]) / SAMPLE_RATE)
    json.dump(results, open(args.out, "w"), indent=1)


if __name__ == "__main__":
    main()
