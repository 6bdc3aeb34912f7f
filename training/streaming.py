"""Runs an exported model exactly as the server does: 100 ms steps, state carried by hand, slots refilled as clips end."""
import json
import os
from dataclasses import dataclass, field

import numpy as np
import onnxruntime


@dataclass
class Result:
    tokens: list = field(default_factory=list)
    frames: list = field(default_factory=list)       # [first, last] output frame of each token, counted from the stream's start
    logps: list = field(default_factory=list)
    steps: list = field(default_factory=list)        # step that said each token for good
    shown: list = field(default_factory=list)        # step that showed it first and never took it back
    speech: list = field(default_factory=list)       # speech probability of each output frame
    seen: list = field(default_factory=list)         # (token, step), of those said and those in the last preview


def read_pieces(folder):
    """tokens.txt -> pieces by id."""
    return [line.rsplit(" ", 1)[0] for line in open(os.path.join(folder, "tokens.txt"))]


class Recogniser:
    def __init__(self, folder, threads=1):
        self.manifest = json.load(open(os.path.join(folder, "manifest.json")))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        self.session = onnxruntime.InferenceSession(os.path.join(folder, self.manifest["graph"]), options)
        self.pieces = read_pieces(folder)
        self.chunk = self.manifest["chunkSamples"]
        per_ms = self.manifest["sampleRate"] // 1000
        self.flush_samples = (self.manifest["flushMs"] + self.manifest["lookaheadMs"]) * per_ms
        self.settled_samples = self.manifest["previewFlushMs"] * per_ms
        self.symbols, self.per_chunk = self.manifest["symbolsPerFrame"], self.manifest["framesPerChunk"]

    def empty_state(self, batch):
        return {item["input"]: np.zeros([batch] + item["shape"], item["type"]) for item in self.manifest["state"]}

    def no_hotwords(self, batch):
        return np.zeros((batch, self.manifest["hotwordEdges"], 5), np.int32)

    def step(self, audio, state, hotwords=None):
        """audio (B, chunk) float32, hotwords (B, edges, 5) int32 or nothing -> tokens (B, n), logp (B, n),
        times (B, n, 2), preview (B, p, 3), vad (B, frames), next state."""
        names = [self.manifest["outputs"][key] for key in ("tokens", "logp", "times", "preview", "vad")]
        outputs = [item["output"] for item in self.manifest["state"]]
        feeds = {self.manifest["inputs"]["audio"]: audio, **state}
        if "hotwordEdges" in self.manifest:
            feeds[self.manifest["inputs"]["hotwords"]] = self.no_hotwords(len(audio)) if hotwords is None else hotwords
        values = self.session.run(names + outputs, feeds)
        return *values[:len(names)], {item["input"]: value for item, value in zip(self.manifest["state"], values[len(names):])}

    def text(self, tokens):
        return "".join(self.pieces[token] for token in tokens).replace("\u2581", " ").strip()

    @staticmethod
    def show(result, preview, step):
        """Keeps of each token, said or previewed, since which step it has been there."""
        now = result.tokens + [int(token) for token in preview if token >= 0]
        same = next((i for i, (a, (b, _)) in enumerate(zip(now, result.seen)) if a != b), min(len(now), len(result.seen)))
        result.seen = result.seen[:same] + [(token, step) for token in now[same:]]
        result.shown = [since for _, since in result.seen[:len(result.tokens)]]

    def transcribe(self, waves, batch=1, hotwords=None):
        """Waves of float32 -1..1, `batch` streams at a time, each followed by flushMs and lookaheadMs of zeros, or previewFlushMs
        of them where the preview is empty then -> Results. hotwords: for
        each wave its (edges, 5) int32, or nothing."""
        results, state = [Result() for _ in waves], self.empty_state(batch)
        slots, waiting = [None] * batch, list(range(len(waves)))[::-1]
        while True:
            audio = np.zeros((batch, self.chunk), np.float32)
            for b in range(batch):
                if slots[b] is None and waiting:
                    slots[b] = (waiting.pop(), 0)
                    for value in state.values():
                        value[b] = 0
                if slots[b]:
                    clip, at = slots[b]
                    part = waves[clip][at * self.chunk:(at + 1) * self.chunk]
                    audio[b, :len(part)] = part
            if not any(slots):
                return results
            wanted = None if hotwords is None else np.stack([hotwords[slot[0]] if slot else hotwords[0] * 0 for slot in slots])
            tokens, logps, times, preview, speech, state = self.step(audio, state, wanted)
            for b in range(batch):
                if slots[b]:
                    clip, at = slots[b]
                    result = results[clip]
                    for j in np.nonzero(tokens[b] >= 0)[0]:
                        result.tokens.append(int(tokens[b, j]))
                        result.logps.append(float(logps[b, j]))
                        last = at * self.per_chunk + int(j) // self.symbols - int(times[b, j, 0])
                        result.frames.append([last - int(times[b, j, 1]), last])
                        result.steps.append(at)
                    self.show(result, preview[b, :, 0], at)
                    result.speech += speech[b].tolist()
                    silence = (at + 1) * self.chunk - len(waves[clip])
                    done = silence >= (self.flush_samples if (preview[b, :, 0] >= 0).any() else self.settled_samples)
                    slots[b] = None if done else (clip, at + 1)
