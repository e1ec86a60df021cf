"""What the pages of a study are made of: its report's manifest, and the folders that this names, read once.

Folders are those that the report was made of; a study that was moved is reported again first. Nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.study import across
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.probed import Faithfulness, find_faithfulness
from vlm_grpo.study.summary import summarise
from vlm_grpo.tables import Table

REPORT = "study"
"""Kind of the manifest that a report leaves."""
METRICS = "metrics.jsonl"
TRAIN, MERGE = "train ", "merge "
"""How the names of the stages begin that train and merge a run."""


@dataclass(frozen=True)
class Training:
    """A training, finished or under way.

    Attributes:
        run: of the study, "grpo" or "grpo@42".
        config: its resolved settings, those of `run.json` while it is under way.
        steps: what it logged.
    """

    run: str
    folder: Path
    config: dict[str, Any]
    steps: list[dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one answer; `aligns` None: it could not be read, for the reason `why`."""

    aligns: bool | None
    type: str | None
    why: str
    judge: str


@dataclass(frozen=True)
class Source:
    """A study read back.

    Attributes:
        results: the folder of its report.
        runs: its evaluations, in the report's order.
        trainings: by run, for those whose training is a stage of the report.
        stages: folder and manifest of every stage, evaluations among them, by the stage's name.
        verdicts: by run and row id.
        further: reports of the same study on other rows, by name: folders below `results`.
        across: the tables of all evaluations side by side, where there are several.
        files: other results there that are made for reading.
        looks: pages of `vlm_grpo.attention` there, by row id.
        faithfulness: probes and quadrants of the runs.
        is_judge_checked: whether people's labels were compared with the judge's there.
    """

    results: Path
    title: str
    summary: dict[str, Any]
    runs: dict[str, Arm]
    trainings: dict[str, Training]
    stages: dict[str, tuple[Path, dict[str, Any]]]
    verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    further: dict[str, Path] = field(default_factory=dict)
    across: tuple[Table, ...] = ()
    files: tuple[Path, ...] = ()
    looks: dict[str, Path] = field(default_factory=dict)
    faithfulness: Faithfulness = field(default_factory=Faithfulness)
    is_judge_checked: bool = False

    @property
    def arms(self) -> list[str]:
        """The arms' names, in the report's order."""
        return list(dict.fromkeys(arm_of(run) for run in self.runs))

    @property
    def coloured(self) -> list[str]:
        """The arms in the order of their colours; last those that were trained and not asked."""
        return list(dict.fromkeys(arm_of(run) for run in (*self.runs, *self.trainings)))


def open_source(results: Path, *, probes: Sequence[Path] = ()) -> Source:
    """The study reported in `results`; `UserError` where it is not finished, or a folder that it names is gone.

    `probes` are folders of probes and quadrants that lie neither beside its evaluations nor below `results`.
    """
    report = manifest.read(results, kind=REPORT)["config"]
    runs = {run: open_arm(Path(folder)) for run, folder in report["arms"].items()}
    folders = {name: Path(folder) for name, folder in report["stages"].items()}
    stages = {name: (folder, manifest.read(folder)) for name, folder in folders.items()}
    stages |= {f"evaluate {run}": (arm.folder, arm.manifest) for run, arm in runs.items()}
    trained = {name.removeprefix(TRAIN): folder for name, folder in folders.items() if name.startswith(TRAIN)}
    trained |= {run: Path(file).parent for run, file in report["metrics"].items()}
    return Source(
        results=results,
        title=report["title"],
        summary=summarise(runs, stages=folders),
        runs=runs,
        trainings={run: open_training(run, folder) for run, folder in trained.items()},
        stages=stages,
        verdicts=_verdicts(results, runs),
        further={folder.name: folder for folder in _reports_below(results)},
        across=_across(results / "across"),
        files=tuple(sorted(path for path in results.rglob("*") if _is_to_read(path.relative_to(results)))),
        looks=_looks(results),
        faithfulness=find_faithfulness(results, runs, probes),
        is_judge_checked=any(results.glob("alignment/**/agreement*")),
    )


def open_training(run: str, folder: Path) -> Training:
    """The training in `folder`, finished or not."""
    written = manifest.read(folder)["config"] if manifest.exists(folder) else _claimed(folder)
    return Training(run=run, folder=folder, config=written, steps=jsonl.read(folder / METRICS))


def _claimed(folder: Path) -> dict[str, Any]:
    return manifest.read_json(folder / manifest.IDENTITY) if (folder / manifest.IDENTITY).exists() else {}


def _reports_below(results: Path) -> list[Path]:
    folders = sorted(path.parent for path in results.glob(f"*/{manifest.MANIFEST}"))
    return [folder for folder in folders if manifest.read(folder).get("kind") == REPORT]


def _across(folder: Path) -> tuple[Table, ...]:
    return tuple(across.all_tables(manifest.read_json(folder / "summary.json"))) if manifest.exists(folder) else ()


def _is_to_read(place: Path) -> bool:
    is_page = place.suffix == ".html" and place.name != "index.html"
    return (is_page or place.suffix in (".md", ".pdf", ".csv", ".tex")) and "site" not in place.parts


def _looks(results: Path) -> dict[str, Path]:
    """Looks kept elsewhere are not linked."""
    pages = {}
    for written in sorted(results.glob(f"attention/**/{manifest.MANIFEST}")):
        row = manifest.read_json(written).get("config", {}).get("row")
        if row is not None:
            pages[row] = written.parent / "index.html"
    return pages


def _verdicts(results: Path, runs: Mapping[str, Arm]) -> dict[str, dict[str, Verdict]]:
    """First verdicts on each answer of the study's runs, from the files that its alignment tables were made of."""
    verdicts: dict[str, dict[str, Verdict]] = {}
    for written in sorted(results.glob(f"alignment/**/{manifest.MANIFEST}")):
        seed = written.parent.name
        for file in manifest.read_json(written)["inputs"]:
            for line in jsonl.read(Path(file), is_finished=True):
                run = _run_of(line.get("model", ""), seed, runs)
                if run is not None and line.get("repeat", 0) == 0 and line["row_id"] in runs[run].outcomes:
                    verdicts.setdefault(run, {}).setdefault(line["row_id"], _verdict(line))
    return verdicts


def _run_of(model: str, seed: str, runs: Mapping[str, Arm]) -> str | None:
    """The run that the judge called `model`: its arm, or "base" for the first; None where it is none of the study."""
    if model == "base" and "base" not in runs:
        return next(iter(runs), None)
    return next((run for run in (model, f"{model}@{seed}") if run in runs), None)


def _verdict(line: Mapping[str, Any]) -> Verdict:
    why = line.get("why") or (line.get("missing") or "")
    return Verdict(aligns=line.get("aligns"), type=line.get("type"), why=str(why), judge=str(line.get("judge", "")))
