"""A study of many rows for the pages: six runs that said the same, without an evaluation of each on the disk."""

from dataclasses import replace
from pathlib import Path

from tiny_data import save_tiny_data, tiny_rows
from tiny_generations import save_tiny_arm
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.store import manifest
from vlm_grpo.study.site.folder import Options, write_site
from vlm_grpo.study.site.source import Source
from vlm_grpo.study.summary import summarise

RUNS = 6
THOUGHT = (
    f"<think> {'The red circle is here, since it lies left of the other one. ' * 5}</think> <answer> True </answer>"
)


def write_large_study(root: Path, rows: int) -> Path:
    """Pages over `rows` rows; returns their folder."""
    data = save_tiny_data(root / "data", validation=tiny_rows(rows))
    arm = open_arm(save_tiny_arm(root / "arm", data, right=(), text=THOUGHT))
    last = arm.rows[-1].id
    turned = arm.outcomes | {last: replace(arm.outcomes[last], right=not arm.outcomes[last].right)}
    runs = {f"arm{n}": arm for n in range(RUNS - 1)} | {f"arm{RUNS - 1}": replace(arm, outcomes=turned)}
    results = root / "results"
    manifest.write(results, kind="study", config={}, inputs={}, counts={}, seconds=0.0)
    source = Source(results, "Large", summarise(runs, stages={}), runs, trainings={}, stages={})
    write_site(source, results, Options())
    return results
