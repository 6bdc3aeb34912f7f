"""Text for the untranscribed clips from Moonshine base-en or tiny-en (MIT), greedy, a batch of clips of similar length at a time.

    python pseudo_label.py --work $WORK_DIR/data --moonshine DIR [--split unlabelled] --out $WORK_DIR/data/pseudo.jsonl

DIR holds encoder_model.ort, decoder_model_merged.ort and tokenizer.bin as the wheels `moonshine_cpp` 0.1.4 (base) and `moonshine-voice` 0.0.44
(tiny) bundle them.
Each line: id, text (normalised), logp (mean log-probability of a token), seconds. Resumable: ids already written are skipped.
"""
import argparse
import json
import os
import time

import numpy as np
import onnxruntime

from common import Corpus, normalise, SAMPLE_RATE

BOS, EOS = 1, 2
MAX_TOKENS_PER_SECOND = 6.5      # Moonshine's own guard against endless repetition


def read_tokens(path):
    """tokenizer.bin: for each id a length (one byte, or two when the first is >= 128) and that many bytes."""
    data, tokens, at = open(path, "rb").read(), [], 0
    while at < len(data):
        n = data[at]
        at += 1
        if n >= 128:
            n = data[at] * 128 + n - 128
            at += 1
        tokens.append(data[at:at + n])
        at += n
    return tokens


class Moonshine:
    def __init__(self, folder, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.encoder = onnxruntime.InferenceSession(f"{folder}/encoder_model.ort", options)
        self.decoder = onnxruntime.InferenceSession(f"{folder}/decoder_model_merged.ort", options)
        self.tokens = read_tokens(f"{folder}/tokenizer.bin")
        self.outputs = [output.name for output in self.decoder.get_outputs()]
        self.masked = any(item.name == "attention_mask" for item in self.encoder.get_inputs())
        self.empty = {item.name: np.zeros((1, item.shape[1], 0, item.shape[3]), np.float32)
                      for item in self.decoder.get_inputs() if item.name.startswith("past_key_values")}

    def text(self, ids):
        pieces = b"".join(self.tokens[i] for i in ids)
        return pieces.decode("utf8", "replace").replace("\u2581", " ").strip()

    def transcribe(self, waves):
        """Waves of (n,) float32 of about the same length, padded with quiet -> [(text, mean log-probability)]."""
        audio = np.zeros((len(waves), max(map(len, waves))), np.float32)
        for row, wave in zip(audio, waves):
            row[:len(wave)] = wave
        mask = (np.arange(audio.shape[1]) < [[len(wave)] for wave in waves]).astype(np.int64)
        hidden = self.encoder.run(None, dict(input_values=audio, **({"attention_mask": mask} if self.masked else {})))[0]
        heard = dict(encoder_hidden_states=hidden, **({"encoder_attention_mask": mask} if self.masked else {}))
        cache = {name: np.repeat(value, len(waves), 0) for name, value in self.empty.items()}
        ids, logps, tokens = [[] for _ in waves], [[] for _ in waves], np.full(len(waves), BOS)
        for step in range(max(4, int(audio.shape[1] / SAMPLE_RATE * MAX_TOKENS_PER_SECOND))):
            out = self.decoder.run(None, dict(
                cache, **heard, input_ids=tokens[:, None], use_cache_branch=np.array([step > 0])))
            logits = out[0][:, -1].astype(np.float64)
            open_rows, tokens = tokens != EOS, np.where(tokens == EOS, EOS, logits.argmax(1))
            best = logits.max(1) - np.logaddexp.reduce(logits, 1)
            for row in np.flatnonzero(open_rows):
                logps[row].append(best[row])
                if tokens[row] != EOS:
                    ids[row].append(tokens[row])
            if (tokens == EOS).all():
                break
            for name, value in zip(self.outputs[1:], out[1:]):
                if step == 0 or ".decoder." in name:      # the encoder's keys are computed once
                    cache[name.replace("present", "past_key_values")] = value
        return [(self.text(row), float(np.mean(logp))) for row, logp in zip(ids, logps)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--moonshine", required=True)
    parser.add_argument("--split", default="unlabelled")
    parser.add_argument("--out", required=True)
    parser.add_argument("--batch", type=int, default=16, help="clips at a time, of similar length")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="every n-th clip from the i-th on, for several processes with an --out each")
    args = parser.parse_args()
    corpus, model = Corpus(args.work), Moonshine(args.moonshine)
    done = {json.loads(line)["id"] for line in open(args.out)} if os.path.exists(args.out) else set()
    mine = sorted(corpus.split(args.split), key=lambda row: row["samples"])[args.part[0]::args.part[1]]
    rows = [row for row in mine if row["id"] not in done]
    began, seconds = time.time(), 0.0
    with open(args.out, "a") as out:
        for start in range(0, len(rows), args.batch):
            batch = rows[start:start + args.batch]
            for row, (raw, logp) in zip(batch, model.transcribe([corpus.wave(row) for row in batch])):
                out.write(json.dumps(dict(id=row["id"], text=normalise(raw), raw=raw, logp=logp, seconds=row["samples"] / SAMPLE_RATE)) + "\n")
                seconds += row["samples"] / SAMPLE_RATE
            out.flush()
            print(f"{start + len(batch)} of {len(rows)}: {seconds / (time.time() - began):.1f} x real time", flush=True)


if __name__ == "__main__":
    main()
