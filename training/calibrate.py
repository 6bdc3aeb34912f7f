r"""Word times, emission delay and word confidence of an exported model, against align.py's reference.

    python evaluate.py ... --split dev --keep heard.jsonl && python evaluate.py ... --split test --keep heard.jsonl
    python calibrate.py --work $WORK_DIR/data --alignment alignment.jsonl --model ../models/en-tiny-streaming \
        --heard heard.jsonl --out fit.json

Fits on dev (time shifts: medians; ends as much later, and the end of speech shifted so, as puts most ends within 100 ms; confidence: logistic regression of a word's
correctness on the logit of the mean token probability) and reports on test, words timed as the server times them: share
of word starts and ends within 100 ms, emission delay (end of the word in the audio -> end of the step that first
shows it for good, be it in the preview), settling delay (-> end of the step that says it), calibration error in ten bins. fit.json holds the fields for the manifest (`fields`) and the figures (`report`).
"""
import argparse
import json
import math

import numpy as np

from common import Corpus, SLOT_MS
from streaming import read_pieces

MAX_TAIL_MS = 300                    # as src/transcript/words.ts
SPEECH = .5                          # as the manifest's vadThreshold
LATER, SPEECH_END_SHIFTS = (0, 25, 50), (-100, -75, -50, -25, 0, 25, 50)


def match(reference, hypothesis):
    """Pairs (i, j) of equal words on a Levenshtein path."""
    rows, columns = len(reference) + 1, len(hypothesis) + 1
    cost = np.zeros((rows, columns), int)
    cost[:, 0], cost[0] = range(rows), range(columns)
    for i in range(1, rows):
        for j in range(1, columns):
            cost[i, j] = min(cost[i - 1, j] + 1, cost[i, j - 1] + 1, cost[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]))
    i, j, pairs = rows - 1, columns - 1, []
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            i, j = i - 1, j - 1
            if reference[i] == hypothesis[j]:
                pairs.append((i, j))
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs


def words_of(pieces, result):
    """A line of heard.jsonl -> [dict(text, first frame, last frame, step that said it, step that showed it, logp)], words opened by U+2581."""
    words = []
    for token, (first, last), logp, step, shown in zip(*(result[key] for key in ("tokens", "frames", "logps", "steps", "shown"))):
        piece = pieces[token]
        if piece.startswith("\u2581") or not words:
            words.append(dict(text="", first=first, logps=[]))
        words[-1]["text"] += piece.replace("\u2581", "")
        words[-1].update(last=last, step=step, shown=shown)
        words[-1]["logps"].append(logp)
    return words


def fit_logistic(x, y, rounds=50):
    """Newton's method for P(y) = sigmoid(a x + b)."""
    weights, design = np.zeros(2), np.stack([x, np.ones_like(x)], 1)
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        weights = weights - np.linalg.solve(hessian, design.T @ (p - y) + 1e-3 * (weights - [1, 0]))
    return weights


def calibration_error(p, y, bins=10):
    """Expected calibration error: mean over bins of |accuracy - confidence|, weighted by count."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(y[which == b].mean() - p[which == b].mean()) * (which == b).mean() for b in range(bins) if (which == b).any())


def confidence_points(rows, heard, pieces, split):
    """Every recognised word of the split: (logit of mean token probability, correct)."""
    x, y = [], []
    for result in heard.values():
        if result["split"] != split or result["id"] not in rows:
            continue
        words = words_of(pieces, result)
        right = {j for _, j in match(rows[result["id"]]["text"].split(), [word["text"] for word in words])}
        for j, word in enumerate(words):
            p = min(max(math.exp(np.mean(word["logps"])), 1e-4), 1 - 1e-4)
            x.append(math.log(p / (1 - p)))
            y.append(j in right)
    return np.array(x), np.array(y, float)


def time_points(references, heard, pieces, split):
    """Correct words: dicts of start, end (ms, reference), first, last (start of the first and end of the last token's frame),
    next (start of the next word's first frame, None after the last), said and shown (ends of the steps that said it for good and that showed it), and speech, the clip's frames."""
    points = []
    for reference in references:
        if reference["split"] != split or reference["id"] not in heard:
            continue
        line = heard[reference["id"]]
        words = words_of(pieces, line)
        for i, j in match([word for word, _, _ in reference["words"]], [word["text"] for word in words]):
            _, start, end = reference["words"][i]
            word = words[j]
            following = words[j + 1]["first"] * SLOT_MS if j + 1 < len(words) else None
            points.append(dict(start=start * 1000, end=end * 1000, first=word["first"] * SLOT_MS, last=(word["last"] + 1) * SLOT_MS,
                               next=following, said=(word["step"] + 1) * 100, shown=(word["shown"] + 1) * 100, speech=line["speech"]))
    return points


def word_end(point, start_shift, end_shift, speech_end_shift):
    """As `WordList` in src/transcript/words.ts: the shifted end of the last token's frame, moved on while the frames from there
    on are speech, by MAX_TAIL_MS at most, and never into the next word."""
    end = shifted = point["last"] + end_shift
    frame = math.ceil(max(shifted, 0) / SLOT_MS)
    while frame < len(point["speech"]) and point["speech"][frame] >= SPEECH and end < shifted + MAX_TAIL_MS:
        frame += 1
        end = min(max(end, frame * SLOT_MS + speech_end_shift), shifted + MAX_TAIL_MS)
    return end if point["next"] is None else min(end, point["next"] + start_shift)


def end_errors(points, *shifts):
    return np.array([word_end(point, *shifts) - point["end"] for point in points])


def delays(values):
    return dict(mean=round(float(values.mean())), median=round(float(np.median(values))), p90=round(float(np.percentile(values, 90))))


def column(points, minuend, subtrahend):
    return np.array([point[minuend] - point[subtrahend] for point in points])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--alignment", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--heard", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    rows = {row["id"]: row for row in Corpus(args.work).split("dev", "test")}
    pieces = read_pieces(args.model)
    references = [json.loads(line) for line in open(args.alignment)]
    heard = {line["id"]: line for line in map(json.loads, open(args.heard))}
    dev, test = (time_points(references, heard, pieces, split) for split in ("dev", "test"))
    start, end = (-float(np.median(column(dev, token, word))) for token, word in (("first", "start"), ("last", "end")))
    shifts = max(((start, end + later, shift) for later in LATER for shift in SPEECH_END_SHIFTS), key=lambda shifts: (np.abs(end_errors(dev, *shifts)) <= 100).mean())
    starts, ends = np.abs(column(test, "first", "start") + shifts[0]), np.abs(end_errors(test, *shifts))
    scale, bias = fit_logistic(*confidence_points(rows, heard, pieces, "dev"))
    x, y = confidence_points(rows, heard, pieces, "test")
    p = 1 / (1 + np.exp(-(scale * x + bias)))
    report = dict(
        words=len(test), startsWithin100Ms=round(float((starts <= 100).mean()), 3), endsWithin100Ms=round(float((ends <= 100).mean()), 3),
        medianStartErrorMs=round(float(np.median(starts))), medianEndErrorMs=round(float(np.median(ends))),
        emissionDelayMs=delays(column(test, "shown", "end")), settlingDelayMs=delays(column(test, "said", "end")),
        confidence=dict(words=len(y), accuracy=round(float(y.mean()), 3), errorRaw=round(float(calibration_error(1 / (1 + np.exp(-x)), y)), 3),
                        errorCalibrated=round(float(calibration_error(p, y)), 3)))
    fields = dict(timing=dict(zip(("startShiftMs", "endShiftMs", "speechEndShiftMs"), map(round, shifts))),
                  confidence=dict(scale=round(float(scale), 3), bias=round(float(bias), 3)))
    json.dump(dict(fields=fields, report=report), open(args.out, "w"), indent=1)
    print(json.dumps(dict(fields=fields, report=report), indent=1))


if __name__ == "__main__":
    main()
