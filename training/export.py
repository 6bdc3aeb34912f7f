"""Checkpoint -> models/<name>: the fused 100 ms step as ONNX, tokens.txt and manifest.json.

    python export.py --work $WORK_DIR/data --checkpoint leg2.pt --out ../models/en-tiny-streaming [--weights trigram=.8 word=-1]

Weights are stored in 16 bit with a Cast behind each (ONNX Runtime folds it when the session starts), arithmetic is
fp32. Before it writes the manifest it checks the graph: tokens equal to
PyTorch's on dev clips, and identical alone and at batch 2, 16 and 64 among shuffled neighbours.
"""
import argparse
import hashlib
import json
import os
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from common import BLANK_PIECE, CHUNK_SAMPLES, CHUNK_SLOTS, Corpus, SYMBOLS_PER_FRAME
from model import LOOKAHEAD_CHUNKS, Model, SMALL_STATE, read_weights
from search import BEAM, INT_STATE, QUEUE, Weights, Words

STATES = ("small", "last")
INPUTS = ("pcm",) + STATES + ("hotwords",)
HOTWORD_EDGES = 128
LATE_MS = 67                         # two slots: by so much an answer comes later than its chunk, since three layers of 33.3 ms look ahead
WORD_START = "\u2581"
OUTPUTS = ("tokens", "logp", "times", "preview", "preview_logp", "vad") + tuple(name + "_next" for name in STATES)


class Step(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pcm, small, last, hotwords):
        tokens, logps, times, preview, preview_logps, vad, small, last = self.model.step(pcm, small, last, hotwords)
        return tokens.int(), logps, times.int(), preview.int(), preview_logps, vad, small, last.int()


def load_model(paths, words):
    """Checkpoints and tables of words.py -> Model in eval mode, the mean of the checkpoints' weights rounded to fp16; the words by number."""
    model, found = Model({name: value.half().float() for name, value in read_weights(paths).items()}), torch.load(words)
    model.words = Words(found["tables"], Weights())
    return model.eval(), found["words"]


def trace(model, path):
    small, last = Model.empty_state(2)
    example = (torch.randn(2, CHUNK_SAMPLES) * .1, small, last, torch.zeros(2, HOTWORD_EDGES, 5, dtype=torch.int32))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Step(model), example, path, opset_version=18, input_names=list(INPUTS), output_names=list(OUTPUTS),
                          dynamic_axes={name: {0: "batch"} for name in INPUTS + OUTPUTS}, dynamo=False)
    return onnx.load(path)


def fold_transposes(graph):
    """The exporter leaves Transpose(weight); do it here, so that no session has to."""
    weights, kept = {weight.name: weight for weight in graph.initializer}, []
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in weights:
            perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            value = numpy_helper.to_array(weights[node.input[0]]).transpose(perm)
            folded = numpy_helper.from_array(np.ascontiguousarray(value), node.output[0])
            graph.initializer.append(folded)
            weights[folded.name] = folded
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def drop_duplicates(graph):
    seen, renamed = {}, {}
    for weight in graph.initializer:
        key = (weight.raw_data, tuple(weight.dims), weight.data_type)
        if len(weight.raw_data) > 64 and seen.setdefault(key, weight.name) != weight.name:
            renamed[weight.name] = seen[key]
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    used = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def halve_weights(graph, at_least=1024):
    """fp32 initialisers -> fp16 and a Cast. The DFT and mel tables stay fp32: their rounding would be audible."""
    casts, stored = [], []
    for weight in graph.initializer:
        value = numpy_helper.to_array(weight)
        exact = value.dtype == np.float32 and value.size >= at_least and np.array_equal(value.astype(np.float16).astype(np.float32), value)
        if exact:
            stored.append(numpy_helper.from_array(value.astype(np.float16), weight.name + "_half"))
            casts.append(helper.make_node("Cast", [weight.name + "_half"], [weight.name], to=TensorProto.FLOAT))
        else:
            stored.append(weight)
    nodes = casts + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)


def drop_rank_tests(graph):
    """The exporter puts an If before and after each scatter, for scalars; there are none. What remains is the branch that changes nothing."""
    renamed, kept = {}, []
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
        if node.op_type == "If":
            branch = next(attribute.g for attribute in node.attribute if attribute.name == "else_branch")
            same = {inner.output[0]: inner.input[0] for inner in branch.node if inner.op_type == "Identity"}
            for outer, inner in zip(node.output, branch.output):
                renamed[outer] = renamed.get(same[inner.name], same[inner.name])
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def shorten_marks(graph, marks):
    """The trigram's marks fit 16 bits without a sign, a type that PyTorch's indexing lacks."""
    constants = [node.attribute[0].t for node in graph.node if node.op_type == "Constant"]
    for table in [*graph.initializer, *constants]:
        if list(table.dims) == list(marks.shape) and table.data_type == TensorProto.INT32 and np.array_equal(numpy_helper.to_array(table), marks):
            table.CopyFrom(numpy_helper.from_array(marks.astype(np.uint16), table.name))


def write_graph(model, path):
    exported = trace(model, path)
    drop_rank_tests(exported.graph)
    fold_transposes(exported.graph)
    drop_duplicates(exported.graph)
    halve_weights(exported.graph)
    shorten_marks(exported.graph, model.words.marks.numpy())
    del exported.graph.value_info[:]        # the exporter's guesses, some of them wrong
    onnx.checker.check_model(exported)
    onnx.save(exported, path)
    return len(exported.graph.node)


def state_layout():
    shapes, types = [[SMALL_STATE], [BEAM * INT_STATE]], ["float32", "int32"]
    return [dict(input=name, output=name + "_next", type=kind, shape=shape) for name, kind, shape in zip(STATES, types, shapes)]


def write_manifest(out, extra):
    base = dict(
        schema=1, name=os.path.basename(os.path.abspath(out)), version="1.0.0", language="en", description="", licence="",
        provenance="", sampleRate=16000, chunkSamples=CHUNK_SAMPLES, framesPerChunk=CHUNK_SLOTS,
        symbolsPerFrame=SYMBOLS_PER_FRAME, lookaheadMs=100 * LOOKAHEAD_CHUNKS + LATE_MS, flushMs=900, graph="model.onnx",
        tokens="tokens.txt", blank=0, inputs=dict(audio="pcm", hotwords="hotwords"),
        outputs=dict(tokens="tokens", logp="logp", times="times", preview="preview", previewLogp="preview_logp", vad="vad"),
        previewTokens=QUEUE, previewFlushMs=600,
        hotwordEdges=HOTWORD_EDGES, state=state_layout(), timing=dict(startShiftMs=-100, endShiftMs=-100, speechEndShiftMs=0), confidence=dict(scale=1.0, bias=0.0))
    base.update(extra)
    base["files"] = []
    for name in sorted(os.listdir(out)):
        if name != "manifest.json":
            data = open(os.path.join(out, name), "rb").read()
            base["files"].append(dict(path=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    with open(os.path.join(out, "manifest.json"), "w") as file:
        file.write(json.dumps(base, indent=2) + "\n")


def check(out, corpus, model=None, clips=12):
    """Raises when the graph's tokens change with the batch; counts those equal to PyTorch's."""
    from streaming import Recogniser
    graph = Recogniser(out)
    waves = [corpus.wave(row) for row in corpus.split("dev")[::max(1, len(corpus.split("dev")) // clips)][:clips]]
    alone = [graph.transcribe([wave])[0].tokens for wave in waves]
    order = np.random.default_rng(1)
    for batch in (2, 16, 64):
        shuffled = order.permutation(np.resize(np.arange(len(waves)), max(batch, len(waves))))
        for i, result in zip(shuffled, graph.transcribe([waves[i] for i in shuffled], batch)):
            if result.tokens != alone[i]:
                raise SystemExit(f"clip {i} changes its tokens at batch {batch}")
    print("batch 1, 2, 16, 64: tokens identical")
    print(f"{equal_steps(graph, waves)}: states equal to the bit, alone and together")
    if model:
        same = sum(torch_tokens(model, wave, graph.flush_samples) == tokens for wave, tokens in zip(waves, alone))
        print(f"{same} of {len(waves)} clips token-identical to PyTorch")


def equal_steps(graph, waves):
    """-> "n of m" steps of the waves that leave the state they leave alone, to the bit, when they run as one batch."""
    chunks, together = min(len(wave) for wave in waves) // graph.chunk, graph.empty_state(len(waves))
    equal = 0
    for k in range(chunks):
        audio, before = np.stack([wave[k * graph.chunk:(k + 1) * graph.chunk] for wave in waves]), together
        *_, together = graph.step(audio, before)
        for i in range(len(waves)):
            *_, alone = graph.step(audio[i:i + 1], {name: value[i:i + 1] for name, value in before.items()})
            equal += all(np.array_equal(alone[name][0], value[i]) for name, value in together.items())
    return f"{equal} of {chunks * len(waves)}"


@torch.no_grad()
def torch_tokens(model, wave, flush):
    wave, state, tokens = torch.from_numpy(np.pad(wave, (0, flush))), Model.empty_state(1), []
    for start in range(0, len(wave), CHUNK_SAMPLES):
        chunk = wave[start:start + CHUNK_SAMPLES]
        found, *_, small, last = model.step(torch.nn.functional.pad(chunk, (0, CHUNK_SAMPLES - len(chunk)))[None], *state)
        state = small, last
        tokens += [int(t) for t in found[0] if t >= 0]
    return tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--checkpoint", required=True, nargs="+", help="of several the mean")
    parser.add_argument("--out", required=True)
    parser.add_argument("--words", required=True, help="tables of words.py")
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=NUMBER", help="of search.Weights, where not its defaults")
    parser.add_argument("--fields", nargs="*", default=["card.json"], help="JSON files whose fields override the manifest's defaults")
    parser.add_argument("--manifest-only", action="store_true", help="keep the graph; rewrite manifest.json")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    fields = {}
    for path in args.fields:
        found = json.load(open(path))
        fields.update(found.get("fields", found))
    if args.manifest_only:
        write_manifest(args.out, fields)
        return
    torch.set_num_threads(1)
    model, words = load_model(args.checkpoint, args.words)
    model.words.weights = Weights(**{name: float(number) for name, number in (weight.split("=") for weight in args.weights)})
    nodes = write_graph(model, os.path.join(args.out, "model.onnx"))
    with open(os.path.join(args.out, "tokens.txt"), "w") as file:
        for i, word in enumerate(words):
            file.write(f"{BLANK_PIECE if i == 0 else WORD_START + word} {i}\n")
    write_manifest(args.out, fields)
    size = os.path.getsize(os.path.join(args.out, "model.onnx")) / 1e6
    print(f"{size:.1f} MB, {nodes} nodes, {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    check(args.out, Corpus(args.work), model)


if __name__ == "__main__":
    main()
