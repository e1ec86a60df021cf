"""Two finished studies as one: the runs of both on the same pages, each under its study's name."""

from dataclasses import replace
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.probed import Faithfulness
from vlm_grpo.study.site.source import MERGE, TRAIN, Source, open_source
from vlm_grpo.study.summary import summarise


def open_both(first: Path, second: Path) -> Source:
    """The studies reported in `first` and `second` as one source; `UserError` where they did not ask the same rows."""
    if first.resolve() == second.resolve():
        raise UserError(f"--compare {first} {second}: one study, twice; give two")
    names = (first.name, second.name) if first.name != second.name else (f"{first.name}-1", f"{second.name}-2")
    a, b = (_renamed(open_source(folder), name) for folder, name in zip((first, second), names, strict=True))
    rows = [next(iter(one.runs.values())).manifest["inputs"]["rows"] for one in (a, b)]
    if rows[0] != rows[1]:
        raise UserError(f"{first} and {second} were asked other rows; only studies on the same rows are put together")
    runs, stages = a.runs | b.runs, a.stages | b.stages
    folders = {name: folder for name, (folder, _) in stages.items() if not name.startswith("evaluate ")}
    return replace(
        a,
        title=" | ".join((a.title, b.title) if a.title != b.title else names),
        summary=summarise(runs, stages=folders),
        runs=runs,
        trainings=a.trainings | b.trainings,
        stages=stages,
        verdicts=a.verdicts | b.verdicts,
        further={},
        files=(),
        looks=a.looks | b.looks,
        faithfulness=Faithfulness(
            a.faithfulness.probed | b.faithfulness.probed, a.faithfulness.quadrants | b.faithfulness.quadrants
        ),
        is_judge_checked=a.is_judge_checked and b.is_judge_checked,
    )


def _renamed(source: Source, study: str) -> Source:
    """`source` with its runs called `STUDY:RUN`; what is no run's (its data) is called after the study too."""

    def called(run: str) -> str:
        return f"{study}:{run}"

    def stage(name: str) -> str:
        start = next((start for start in (TRAIN, MERGE, "evaluate ") if name.startswith(start)), None)
        return f"{start}{called(name.removeprefix(start))}" if start else f"{name} ({study})"

    assert all(arm_of(called(run)) == called(arm_of(run)) for run in source.runs)
    return replace(
        source,
        runs={called(run): arm for run, arm in source.runs.items()},
        trainings={called(run): replace(one, run=called(run)) for run, one in source.trainings.items()},
        stages={stage(name): what for name, what in source.stages.items()},
        verdicts={called(run): said for run, said in source.verdicts.items()},
        faithfulness=replace(
            source.faithfulness,
            probed={
                called(label): replace(one, run=called(one.run)) for label, one in source.faithfulness.probed.items()
            },
        ),
    )
