"""An exported fp32 model -> the same with static int8 matrix products: a third cheaper on AVX2, results still independent of the batch.

    python quantise.py --work $WORK_DIR/data --model fp32-folder --out ../models/en-tiny-streaming

Weights: int8 per output channel, 7 bits used (AVX2 adds pairs of products in 16 bits). Activations: uint8 with scales fixed
here, from train clips through the streaming graph, clean and noisy. The ear's first layer stays in fp32: it reads log-mels. No scale is computed while serving, so a stream's
tokens cannot depend on its neighbours', as they do with dynamic quantisation.
"""
import argparse
import json
import os
import shutil
import tempfile
import zlib

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from common import Corpus
from evaluate import add_noise
from export import check, halve_weights, write_manifest
from streaming import Recogniser

STREAMS, CLIPS, EVERY, SMALLEST = 8, 48, 3, 100_000


class Steps(CalibrationDataReader):
    """Inputs of every third step of STREAMS streams that hear CLIPS clips, every second one in noise."""

    def __init__(self, corpus, folder):
        graph, rows = Recogniser(folder), [row for row in corpus.split("train") if row["source"] != "robotutor_words"]
        rows = sorted(rows, key=lambda row: zlib.crc32(row["id"].encode()))[:CLIPS]
        waves = [corpus.wave(row) for row in rows]
        waves = [add_noise(wave, 12, i, waves[::7]) if i % 2 else wave for i, wave in enumerate(waves)]
        streams = [np.concatenate(waves[i::STREAMS]) for i in range(STREAMS)]
        state, self.feeds = graph.empty_state(STREAMS), []
        for k in range(min(map(len, streams)) // graph.chunk):
            audio = np.stack([wave[k * graph.chunk:(k + 1) * graph.chunk] for wave in streams]).astype(np.float32)
            if k % EVERY == 0:
                self.feeds.append({graph.manifest["inputs"]["audio"]: audio, **state})
            if "hotwordEdges" in graph.manifest:
                self.feeds[-1][graph.manifest["inputs"]["hotwords"]] = graph.no_hotwords(STREAMS)
            *_, state = graph.step(audio, state)
        self.rest = iter(self.feeds)

    def get_next(self):
        return next(self.rest, None)


def widen(graph):
    """fp16 weights with a Cast behind -> fp32 weights: what the quantiser expects. export.halve_weights undoes it."""
    weights, nodes = {weight.name: weight for weight in graph.initializer}, []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in weights and node.input[0].endswith("_half"):
            value = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            graph.initializer.remove(weights[node.input[0]])
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def large_products(graph):
    sizes = {weight.name: int(np.prod(weight.dims)) for weight in graph.initializer}
    return [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and sizes.get(node.input[1], 0) >= SMALLEST]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--method", choices=["MinMax", "Percentile", "Entropy"], default="MinMax")
    parser.add_argument("--keep", nargs="*", default=["/first/"], help="leave products whose name contains one of these in fp32")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    manifest = json.load(open(f"{args.model}/manifest.json"))
    target = os.path.join(args.out, manifest["graph"])
    with tempfile.TemporaryDirectory() as folder:
        wide = onnx.load(f"{args.model}/{manifest['graph']}")
        widen(wide.graph)
        by_name = {node.name: node for node in wide.graph.node}
        chosen = [name for name in large_products(wide.graph) if not any(part in by_name[name].input[1] or part in name for part in args.keep)]
        print(f"{len(chosen)} products: {', '.join(chosen)}")
        onnx.save(wide, f"{folder}/wide.onnx")
        quantize_static(f"{folder}/wide.onnx", target, Steps(Corpus(args.work), args.model), quant_format=QuantFormat.QDQ,
                        nodes_to_quantize=chosen, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, reduce_range=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[args.method])
    graph = onnx.load(target)
    halve_weights(graph.graph)
    onnx.save(graph, target)
    for name in ("tokens.txt", "LICENSE"):
        if os.path.exists(f"{args.model}/{name}") and os.path.abspath(args.model) != os.path.abspath(args.out):
            shutil.copy(f"{args.model}/{name}", args.out)
    write_manifest(args.out, {key: value for key, value in manifest.items() if key not in ("files", "name")})
    print(f"{os.path.getsize(target) / 1e6:.1f} MB")
    check(args.out, Corpus(args.work))


if __name__ == "__main__":
    main()
