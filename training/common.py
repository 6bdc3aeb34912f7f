"""What every script here shares: constants, text rules, corpus access and word error counting."""
import json
import re

import numpy as np

SAMPLE_RATE = 16000
CHUNK_SAMPLES = 1600
CHUNK_SLOTS = 3                      # outputs of the network a chunk
SLOT_MS = 100 / CHUNK_SLOTS
SYMBOLS_PER_FRAME = 1
BLANK_PIECE = "<blk>"

_ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen").split()
_TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = {"mr.": "mister", "mr": "mister", "mrs.": "missus", "mrs": "missus", "dr.": "doctor", "dr": "doctor",
          "st.": "saint", "etc.": "et cetera", "okay": "ok", "ok": "ok", "&": "and", "%": "percent"}


def spell_number(n):
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (" " + _ONES[n % 10] if n % 10 else "")
    if n < 1000:
        return _ONES[n // 100] + " hundred" + (" " + spell_number(n % 100) if n % 100 else "")
    if n < 10 ** 6:
        return spell_number(n // 1000) + " thousand" + (" " + spell_number(n % 1000) if n % 1000 else "")
    return " ".join(_ONES[int(digit)] for digit in str(n))


def normalise(text):
    """Lower case, a-z and apostrophe, numbers spelled out: the corpus's own convention, applied to every recogniser."""
    text = text.lower().replace("\u2019", "'").replace("\u2018", "'").replace("`", "'")
    text = text.replace("&", " and ").replace("%", " percent ")
    text = " ".join(_WORDS.get(word.rstrip(","), word) for word in text.split())
    text = re.sub(r"(\d),(\d{3})", r"\1\2", text)
    text = re.sub(r"\d+", lambda match: " " + spell_number(int(match.group())) + " ", text)
    text = re.sub(r"[^a-z' ]+", " ", text)
    text = re.sub(r"(^|\s)'+|'+(\s|$)", " ", text)
    return " ".join(text.split())


def read_librivox(folder):
    """Debian's pocketsphinx-testdata (`usr/share/pocketsphinx/test/data/librivox`): five clips of native read speech
    that no corpus here contains -> test rows that carry their own wave."""
    import soundfile
    rows = []
    for line in open(f"{folder}/transcription"):
        text, name = re.fullmatch(r"<s>(.*)</s> *\((.*)\)\s*", line).groups()
        wave, rate = soundfile.read(f"{folder}/{name}.wav", dtype="float32")
        if rate != SAMPLE_RATE:
            raise ValueError(f"{name}.wav: {rate} Hz")
        rows.append(dict(id=name, source="ps_librivox", split="test", text=normalise(text), samples=len(wave), wave=wave))
    return rows


class Corpus:
    """Rows of index.jsonl over one memory-mapped PCM file."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = [json.loads(line) for line in open(f"{folder}/index.jsonl")]
        self._pcm = np.memmap(f"{folder}/pcm.i16", np.int16, "r")

    def split(self, *names):
        return [row for row in self.rows if row["split"] in names]

    def pcm(self, row):
        """(n,) int16."""
        return self._pcm[row["offset"]:row["offset"] + row["samples"]]

    def wave(self, row):
        """(n,) float32, -1..1."""
        if "wave" in row:
            return row["wave"]
        return self.pcm(row).astype(np.float32) / 32768


def edit_counts(reference, hypothesis):
    """(word errors, reference words) by Levenshtein distance over words."""
    ref, hyp = reference.split(), hypothesis.split()
    row = list(range(len(hyp) + 1))
    for i, a in enumerate(ref):
        above, row = row, [i + 1] + [0] * len(hyp)
        for j, b in enumerate(hyp):
            row[j + 1] = min(above[j] + (a != b), above[j + 1] + 1, row[j] + 1)
    return row[-1], len(ref)
