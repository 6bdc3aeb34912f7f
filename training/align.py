"""Reference word times for held-out clips: pocketsphinx forces the known text onto the audio (10 ms frames).

    python align.py --work $WORK_DIR/data --out $WORK_DIR/data/alignment.jsonl [--sets ljspeech cathy ...]

An aligner of another kind (Gaussian mixtures over phones) that shares nothing with the model it judges. Clips with words
outside its dictionary, or that it cannot align, are left out. Each line: id, words [[word, start s, end s], ...].
"""
import argparse
import json

from pocketsphinx import Decoder, get_model_path

from common import Corpus, SAMPLE_RATE

NATIVE = ("ljspeech", "cathy", "commonvoice", "commonvoice1", "commonvoice13", "matthes", "robotutor_stories", "asterisk")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sets", nargs="*", default=NATIVE)
    args = parser.parse_args()
    dictionary = get_model_path("en-us/cmudict-en-us.dict")
    known = {line.split()[0] for line in open(dictionary, encoding="utf8") if line.strip()}
    decoder, corpus, done, left = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL"), Corpus(args.work), 0, 0
    with open(args.out, "w") as out:
        for row in corpus.split("dev", "test"):
            words = row["text"].split()
            if row["source"] not in args.sets or not words or any(word not in known for word in words):
                continue
            try:
                decoder.set_align_text(row["text"])
                decoder.start_utt()
                decoder.process_raw(corpus.pcm(row).tobytes(), full_utt=True)
                decoder.end_utt()
                found = [(seg.word.split("(")[0], seg.start_frame / 100, (seg.end_frame + 1) / 100)
                         for seg in decoder.seg() if seg.word[0] not in "<["]
            except (RuntimeError, TypeError):
                found = []
            if [word for word, _, _ in found] != words:
                left += 1
                continue
            out.write(json.dumps(dict(id=row["id"], split=row["split"], source=row["source"], words=found)) + "\n")
            done += 1
    print(f"{done} clips aligned, {left} could not be")


if __name__ == "__main__":
    main()
