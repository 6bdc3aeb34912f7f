"""Word errors of this project's model and of other recognisers on the same held-out human clips, in one run.

    python compare.py --work $WORK_DIR/data --model ../../models/en-tiny-streaming \
        --vosk DIR --whisper DIR --moonshine DIR --librivox DIR --out results [--per-set 40]

  this model    the exported graph in 100 ms steps, as the server runs it (nothing after the clip but flushMs and lookaheadMs of zeros)
  Vosk          0.3.45's own decoder with its small English model, which this model was made from; hears 100 ms at a time, as a live stream
  Whisper       tiny.en through CTranslate2, fp32, greedy, no time stamps; sees the whole clip
  Moonshine     tiny-en through ONNX Runtime, greedy; sees the whole clip
  pocketsphinx  5.1.1 with its own US English model, dictionary and trigram; sees the whole clip

Every output goes through the same text normalisation. The first --per-set clips of a set (order fixed by a hash of the id)
are taken. Hypotheses are kept in <out>/hypotheses.json; a recogniser already there for a clip is not run again unless --fresh.
"""
import argparse
import json
import os
import sys
import time
import zlib

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "training"))
from common import CHUNK_SAMPLES, Corpus, SAMPLE_RATE, normalise, read_librivox  # noqa: E402
from evaluate import score  # noqa: E402


def choose(corpus, per_set, librivox):
    sets = {}
    for row in sorted(corpus.split("test") + (read_librivox(librivox) if librivox else []), key=lambda row: zlib.crc32(row["id"].encode())):
        sets.setdefault(row["source"], []).append(row)
    return [row for _, rows in sorted(sets.items()) for row in rows[:per_set]]


def streaming(folder):
    from streaming import Recogniser
    graph = Recogniser(folder)
    return lambda wave: graph.text(graph.transcribe([wave])[0].tokens)


def slaney_filters(count=80, size=400):
    """(80, 201): Whisper's triangles, evenly spaced on Slaney's mel scale (linear below 1 kHz), each of area 1."""
    to_hz = lambda mel: np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    edges = to_hz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), count + 2))
    at = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((at - low) / (middle - low), (high - at) / (high - middle)).clip(min=0)
    return (triangles * 2 / (high - low)).astype(np.float32)


def whisper(folder):
    import ctranslate2
    import torch
    model = ctranslate2.models.Whisper(folder, compute_type="float32", intra_threads=1)
    pieces = json.load(open(os.path.join(folder, "tokenizer.json")))["model"]["vocab"]
    names = {index: piece for piece, index in pieces.items()}
    unbyte = byte_decoder()
    filters, window = torch.from_numpy(slaney_filters()), torch.hann_window(400)
    prompt, timeless = [50257, 50362], 50256          # <|startoftranscript|> <|notimestamps|>; <|endoftext|>

    def run(wave):
        padded = torch.zeros(30 * SAMPLE_RATE)
        padded[:len(wave)] = torch.from_numpy(wave[:30 * SAMPLE_RATE])
        power = torch.stft(padded, 400, 160, window=window, return_complex=True)[..., :-1].abs().square()
        mel = (filters @ power).clamp(min=1e-10).log10()
        mel = (torch.maximum(mel, mel.max() - 8) + 4) / 4
        view = ctranslate2.StorageView.from_array(mel[None].numpy().astype(np.float32))
        ids = model.generate(view, [prompt], beam_size=1, max_length=200, suppress_blank=True)[0].sequences_ids[0]
        return bytes(unbyte[c] for i in ids if i < timeless for c in names.get(i, "")).decode("utf8", "replace")

    return run


def byte_decoder():
    """GPT-2's printable stand-ins for bytes, reversed."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [b for b in range(256) if b not in plain]
    return {**{chr(b): b for b in plain}, **{chr(256 + i): b for i, b in enumerate(others)}}


def moonshine(folder):
    from pseudo_label import Moonshine
    model = Moonshine(folder)
    return lambda wave: model.transcribe([wave if len(wave) > 4000 else np.pad(wave, (0, 4000))])[0][0]


def pcm16(wave):
    return (np.clip(wave, -1, 1) * 32767).astype(np.int16)


def vosk(folder):
    """The recogniser it returns calls `at_last` when all chunks but the last are decoded."""
    import vosk as library
    library.SetLogLevel(-1)
    model = library.Model(folder)

    def run(wave, at_last=lambda: None):
        decoder, pcm, texts = library.KaldiRecognizer(model, SAMPLE_RATE), pcm16(wave), []
        for start in range(0, len(pcm), CHUNK_SAMPLES):
            if start + CHUNK_SAMPLES >= len(pcm):
                at_last()
            if decoder.AcceptWaveform(pcm[start:start + CHUNK_SAMPLES].tobytes()):          # it heard a pause and began a new utterance
                texts.append(decoder.Result())
        return " ".join(json.loads(text)["text"] for text in [*texts, decoder.FinalResult()])

    return run


def pocketsphinx(_):
    from pocketsphinx import Decoder
    decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def run(wave):
        decoder.start_utt()
        decoder.process_raw(pcm16(wave).tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return run


RECOGNISERS = {"this model": streaming, "Vosk small": vosk, "Whisper tiny.en": whisper, "Moonshine tiny": moonshine, "pocketsphinx": pocketsphinx}


def markdown(results, speeds):
    sets = list(next(iter(results.values())))
    lines = ["| set | clips | words | " + " | ".join(results) + " |", "|---" * (3 + len(results)) + "|"]
    for name in sets:
        first = next(iter(results.values()))[name]
        cells = [f"{r[name]['wer']} ({r[name]['interval'][0]}-{r[name]['interval'][1]})" for r in results.values()]
        lines.append(f"| {name} | {first['clips']} | {first['words']} | " + " | ".join(cells) + " |")
    lines.append("| x real time, one thread | | | " + " | ".join(f"{speeds[name]:.1f}" for name in results) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--vosk", help="model-en-us folder, see training/README.md")
    parser.add_argument("--whisper")
    parser.add_argument("--moonshine")
    parser.add_argument("--librivox", help="librivox folder of Debian's pocketsphinx-testdata")
    parser.add_argument("--no-pocketsphinx", action="store_true")
    parser.add_argument("--per-set", type=int, default=40)
    parser.add_argument("--fresh", nargs="*", default=["this model"], help="recognisers to run again")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    kept_path = os.path.join(args.out, "hypotheses.json")
    kept = json.load(open(kept_path)) if os.path.exists(kept_path) else {}
    corpus = Corpus(args.work)
    rows = choose(corpus, args.per_set, args.librivox)
    folders = {"this model": args.model, "Vosk small": args.vosk, "Whisper tiny.en": args.whisper, "Moonshine tiny": args.moonshine,
               "pocketsphinx": None if args.no_pocketsphinx else "its own"}
    results, speeds = {}, {}
    for name, build in RECOGNISERS.items():
        if not folders[name]:
            continue
        known = kept.setdefault(name, {}) if name not in args.fresh else kept.update({name: {}}) or kept[name]
        missing = [row for row in rows if row["id"] not in known]
        run = build(folders[name]) if missing else None
        for row in missing:
            began = time.process_time()
            text = normalise(run(corpus.wave(row)))
            known[row["id"]] = dict(text=text, took=round(time.process_time() - began, 3))
        json.dump(kept, open(kept_path, "w"))
        results[name] = score(rows, [known[row["id"]]["text"] for row in rows])
        speeds[name] = sum(row["samples"] for row in rows) / SAMPLE_RATE / sum(known[row["id"]]["took"] for row in rows)
        print(name, results[name]["all"], f"{speeds[name]:.1f} x real time", flush=True)
    json.dump(dict(results=results, speeds=speeds), open(os.path.join(args.out, "results.json"), "w"), indent=1)
    with open(os.path.join(args.out, "results.md"), "w") as file:
        file.write(markdown(results, speeds))


if __name__ == "__main__":
    main()
