"""Cut the corpus into parts of at most 60 MB for a training machine without network.

    python pack.py --data $DATA_DIR --out parts            # parts/part0, part1, ...: each a data folder of its own
    python pack.py --extra $WORK_DIR/data --out parts      # pseudo.jsonl and lexicon.txt travel

Shards stay as they are (Ogg Opus); a part is a set of shards and the manifest rows that lie in them. Join parts on the
other side by concatenating their manifests and moving the shards into one audio/ folder.
"""
import argparse
import json
import os
import shutil

LIMIT_BYTES = 60_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DATA_DIR", "../shared/data"))
    parser.add_argument("--out", required=True)
    parser.add_argument("--extra", help="also copy pseudo.jsonl and lexicon.txt from this folder into part0")
    args = parser.parse_args()
    rows = {}
    for name in ("manifest.jsonl", "unlabelled.jsonl"):
        for line in open(os.path.join(args.data, name)):
            rows.setdefault(json.loads(line)["audio"], []).append((name, line))
    part, used = 0, 0
    for shard in sorted(rows):
        cost = os.path.getsize(os.path.join(args.data, shard)) + sum(len(line) for _, line in rows[shard])
        if used and used + cost > LIMIT_BYTES:
            part, used = part + 1, 0
        used += cost
        target = os.path.join(args.out, f"part{part}")
        os.makedirs(os.path.join(target, os.path.dirname(shard)), exist_ok=True)
        shutil.copy(os.path.join(args.data, shard), os.path.join(target, shard))
        for name, line in rows[shard]:
            with open(os.path.join(target, name), "a") as file:
                file.write(line)
    for name in ("pseudo.jsonl", "lexicon.txt"):
        if args.extra and os.path.exists(os.path.join(args.extra, name)):
            shutil.copy(os.path.join(args.extra, name), os.path.join(args.out, "part0", name))
    print(f"{part + 1} parts")


if __name__ == "__main__":
    main()
