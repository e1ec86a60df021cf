"""Probes that read what they share once, against probes that read all: `python benchmarks/probe_prefixes.py`.

Each of 24 rows of synthetic_vsr has a completion with a thought of so many sentences, and is asked again with the
thought cut in five places, with another put into the model's mouth in four ways, and with dots in its place. Both use
the same batches of the embedded Qwen2.5-VL, pictures opened and encoded included, and must say the same. The rival
reads each prompt, with its picture, and each beginning whole; ours reads the longest one of a row whole, and of the
others what is theirs alone.

Measured on one CPU core beside other work, in the process's seconds: 1.74 times faster with thoughts of 8 sentences
(1.39 for 2.42 s), 1.89 times with 20 (2.74 for 5.16 s).
"""

import argparse
import tempfile
import time
from pathlib import Path

from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.faithfulness.asking import Asker, open_asker
from vlm_grpo.faithfulness.probes import PROBES, Case, Variant

NAMES = ("early_answering", "stop_think", "wrong_think", "right_think", "wrong_think_but", "filler")


def main() -> None:
    """Time both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded:qwen2_5_vl", help="checkpoint folder, embedded:<family> or hub id")
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--sentences", type=int, default=8, help="of each thought")
    parser.add_argument("--repeats", type=int, default=3, help="times each; the fastest counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "arm"
        synthetic_vsr.build(data, seed=0)
        asked = {"model": given.model, "data": str(data), "split": "test", "limit": given.rows, "max_new_tokens": 8}
        evaluate(EvaluationArguments(out=str(out), use_cache="true", **asked))
        arm = open_arm(out)
        text = completion(given.sentences)
        said: dict[str, list[str]] = {}
        seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(given.repeats):
            for name in seconds:
                asker = open_asker(arm, shares=name == "ours")
                cases = [Case(row, text, None, 0, asker.count) for row in arm.rows]
                variants = [variant for case in cases for probe in NAMES for variant in changed(probe, case)]
                took, said[name] = timed(asker, variants)
                seconds[name].append(took)
    assert said["ours"] == said["theirs"], "sharing changed what is said"
    fast, slow = min(seconds["ours"]), min(seconds["theirs"])
    print(f"{given.model}: {len(variants)} probes of {given.rows} rows, {given.sentences} sentences, equal texts")
    print(f"read whole {slow:.2f} s, shared {fast:.2f} s: {slow / fast:.2f}x")


def completion(sentences: int) -> str:
    """One that thinks for so many sentences and says True."""
    facts = (f"The red circle is in column {1 + n % 4}, the blue square in row {1 + n % 3}." for n in range(sentences))
    thought = " ".join(facts)
    return f"<think> {thought} </think>\n<answer> True </answer>"


def changed(name: str, case: Case) -> list[Variant]:
    """The variants of a probe that can always be made."""
    made = PROBES[name](case)
    assert not isinstance(made, str)
    return made


def timed(asker: Asker, variants: list[Variant]) -> tuple[float, list[str]]:
    """The process's seconds, and what was said."""
    started = time.process_time()
    said = [text for batch in asker.answers(variants) for _, text in batch]
    return time.process_time() - started, said


if __name__ == "__main__":
    main()
