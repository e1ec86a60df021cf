"""Nothing that moves may change a number: the commands give today the losses, texts and verdicts that are pinned.

Where a change is meant, `python tests/golden/write.py` pins the new numbers; the commit says why.
"""

import hashlib
import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from golden_tables import tables
from golden_tolerances import differences

HERE = Path(__file__).parent
PINNED = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "pinned").glob("*.json"))}


@pytest.mark.slow
def test_commands_give_what_is_pinned(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
    command = [sys.executable, str(HERE / "write.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [
        line
        for name, document in PINNED.items()
        for line in differences(document, json.loads((tmp_path / f"{name}.json").read_text()), where=name)
    ]
    assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:20])


def test_pinned_prompts_are_those_that_the_evaluation_asked():
    for family, templates in PINNED["prompts"].items():
        for template, asked in templates.items():
            assert hashlib.sha256(asked["prompt"].encode()).hexdigest() == asked["prompt_hash"], (family, template)


def test_a_loss_that_is_off_by_one_per_cent_differs():
    for run, curve in PINNED["curves"].items():
        losses = {step: metrics["loss"] for step, metrics in curve.items() if abs(metrics["loss"]) > 1e-3}
        assert len(losses) > 10, f"{run}: its settings hardly move the loss"
        for step, loss in losses.items():
            assert differences(curve[step], {**curve[step], "loss": loss * 1.01}), (run, step)


def test_a_missing_key_and_another_text_differ_and_a_further_key_does_not():
    arm = next(iter(PINNED["generations"].values()))
    changed = deepcopy(arm)
    first, second, third, *_ = changed
    changed[first]["seconds"] = 1.0
    changed["test/99999"] = {}
    del changed[second]["text"]
    changed[third]["text"] += "."
    text = arm[third]["text"]
    assert differences(arm, changed) == [
        f" / {second} / text: missing",
        f" / {third} / text: pinned {text!r}, now {text + '.'!r}",
    ]


def test_tables_are_read_by_column():
    printed = (
        "Split test\narm      n   95 % interval\n-------  --  --------------\na b      48  0.1 to 0.2\nnote: x\n\nend\n"
    )
    assert tables(printed) == {"Split test": {"a b": {"arm": "a b", "n": "48", "95 % interval": "0.1 to 0.2"}}}
