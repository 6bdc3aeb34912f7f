"""Text for the untranscribed clips from Moonshine tiny-en (MIT), greedy, one clip at a time.

    python pseudo_label.py --work $WORK_DIR/data --moonshine DIR [--split unlabelled] --out $WORK_DIR/data/pseudo.jsonl

DIR holds encoder_model.ort, decoder_model_merged.ort and tokenizer.bin as the `moonshine-voice` 0.0.44 wheel bundles them.
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
LAYERS, HEADS, HEAD_DIM = 6, 8, 36


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

    def text(self, ids):
        pieces = b"".join(self.tokens[i] for i in ids)
        return pieces.decode("utf8", "replace").replace("\u2581", " ").strip()

    def transcribe(self, wave):
        """(n,) float32 -> (text, mean log-probability)."""
        audio, mask = wave[None], np.ones((1, len(wave)), np.int64)
        hidden = self.encoder.run(None, {"input_values": audio, "attention_mask": mask})[0]
        empty = np.zeros((1, HEADS, 0, HEAD_DIM), np.float32)
        cache = {f"past_key_values.{i}.{side}.{part}": empty
                 for i in range(LAYERS) for side in ("decoder", "encoder") for part in ("key", "value")}
        ids, logps, token = [], [], BOS
        for step in range(max(4, int(len(wave) / SAMPLE_RATE * MAX_TOKENS_PER_SECOND))):
            out = self.decoder.run(None, dict(
                cache, input_ids=np.array([[token]]), encoder_hidden_states=hidden, encoder_attention_mask=mask,
                use_cache_branch=np.array([step > 0])))
            logits = out[0][0, -1].astype(np.float64)
            token = int(logits.argmax())
            logps.append(-np.log(np.exp(logits - logits.max()).sum()))
            if token == EOS:
                break
            ids.append(token)
            for name, value in zip(self.outputs[1:], out[1:]):
                if step == 0 or ".decoder." in name:      # the encoder's keys are computed once
                    cache[name.replace("present", "past_key_values")] = value
        return self.text(ids), float(np.mean(logps))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--moonshine", required=True)
    parser.add_argument("--split", default="unlabelled")
    parser.add_argument("--out", required=True)
    parser.add_argument("--limit", type=int, default=0)
    args = parser.parse_args()
    corpus, model = Corpus(args.work), Moonshine(args.moonshine)
    done = {json.loads(line)["id"] for line in open(args.out)} if os.path.exists(args.out) else set()
    rows = [row for row in corpus.split(args.split) if row["id"] not in done]
    began, seconds = time.time(), 0.0
    with open(args.out, "a") as out:
        for count, row in enumerate(rows[:args.limit or None]):
            raw, logp = model.transcribe(corpus.wave(row))
            out.write(json.dumps(dict(id=row["id"], text=normalise(raw), raw=raw, logp=logp,
                                      seconds=row["samples"] / SAMPLE_RATE)) + "\n")
            seconds += row["samples"] / SAMPLE_RATE
            if count % 50 == 0:
                out.flush()
                print(f"{count} of {len(rows)}: {seconds / (time.time() - began):.1f} x real time", flush=True)


if __name__ == "__main__":
    main()
