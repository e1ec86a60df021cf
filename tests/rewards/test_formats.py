"""The reference's table of accepted and rejected shapes (r1_vlm's two patterns, run), and where ours refuse more."""

import pytest

from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row

ROW = Row(id="r", images=(), problem="?", solution="cat", task="cryptogram", meta={"kind": "sequence"})
CHARS, ANSWER = "<chars> c a t </chars>", "<answer> cat </answer>"
COUNTED = "tags are counted: r1_vlm lets it pass, and scores the first block"
SHAPES = [
    # shape, the completion, sequences' format there, digits' and single words' there, why ours differ
    ("one of each", f"<think> so {CHARS} </think>\n{ANSWER}", 1, 1, ""),
    ("no newline", f"<think> so {CHARS} </think>{ANSWER}", 0, 0, ""),
    ("a space for it", f"<think> so {CHARS} </think> {ANSWER}", 0, 0, ""),
    ("two newlines", f"<think> so {CHARS} </think>\n\n{ANSWER}", 0, 0, ""),
    ("leading newline", f"\n<think> so {CHARS} </think>\n{ANSWER}", 0, 0, ""),
    ("trailing newline", f"<think> so {CHARS} </think>\n{ANSWER}\n", 1, 1, ""),
    ("text after it", f"<think> so {CHARS} </think>\n{ANSWER} done", 0, 0, ""),
    ("second think block", f"<think> so {CHARS} </think>\n<think> and </think>\n{ANSWER}", 0, 0, ""),
    ("no chars", f"<think> so </think>\n{ANSWER}", 0, 1, ""),
    ("two chars blocks", f"<think> {CHARS} or {CHARS} </think>\n{ANSWER}", 1, 1, COUNTED),
    ("chars between two ends", f"<think> so </think> {CHARS} </think>\n{ANSWER}", 1, 0, COUNTED),
    ("two ends of the thought", f"<think> so {CHARS} </think></think>\n{ANSWER}", 1, 0, COUNTED),
    ("two answers", f"<think> so {CHARS} </think>\n{ANSWER} or {ANSWER}", 1, 1, COUNTED),
    ("answer inside the thought", f"<think> {CHARS} {ANSWER} </think>\n{ANSWER}", 1, 1, COUNTED),
    ("other brackets, no chars", f"<think> <b> so </b> </think>\n{ANSWER}", 0, 1, ""),
]


@pytest.mark.parametrize("shape, text, sequences, words, why", SHAPES, ids=[shape for shape, *_ in SHAPES])
def test_shapes(shape, text, sequences, words, why):
    refused = {"chars_format": bool(why), "line_format": bool(why) and shape != "two chars blocks"}
    for name, there in (("chars_format", sequences), ("line_format", words)):
        assert REWARDS[name].score(text, ROW, rule="strict") == (0.0 if refused[name] else there)


@pytest.mark.parametrize("text", [text for _, text, *_ in SHAPES])
def test_what_the_line_format_takes_the_plain_format_takes_too(text):
    for name in ("line_format", "chars_format"):
        assert REWARDS[name].score(text, ROW, rule="strict") <= REWARDS["format"].score(text, ROW, rule="strict")
