"""Write the golden numbers: losses, rewards, texts, scores, tables, prompts and verdicts of the embedded models.

    python tests/golden/write.py                # replaces tests/golden/pinned/*.json: review the diff, say why
    python tests/golden/write.py --out FOLDER   # writes them elsewhere, as test_golden.py does to compare them

Everything goes through public commands on a small `synthetic_vsr`, on the CPU in float32; under a minute on one core.
One thread by default, so that float32 sums have one order on every machine; `--threads 2` gives the same files. They
hold no time and no path.
"""

import argparse
import json
import os
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent / "pinned"
ROWS = "--seed 0 --train 128 --validation 8 --test 48"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PINNED, help="folder of the files (default: the pinned ones)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    given = parser.parse_args()
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for name, document in measure(given.threads).items():
        (out / f"{name}.json").write_text(one_record_a_line(document))


def measure(threads: int) -> dict[str, dict[str, Any]]:
    """Run every command in a temporary folder; the documents by name."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch
    from golden_commands import run_module
    from golden_curves import DATA, curves
    from golden_outputs import outputs

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        run_module("vlm_grpo.embedded.synthetic_vsr", "--out", DATA, *ROWS.split())
        return {"curves": curves(), **outputs()}


def one_record_a_line(document: dict[str, Any]) -> str:
    """JSON of {group: {name: record}} with each record on a line of its own."""
    groups = [
        f" {_json(group)}: {{\n" + ",\n".join(f"  {_json(name)}: {_json(value)}" for name, value in records.items())
        for group, records in document.items()
    ]
    return "{\n" + "\n },\n".join(groups) + "\n }\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
