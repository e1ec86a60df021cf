"""Write the pages of a study to a folder: data first, then pictures for what room there is, pages, and a manifest.

    OUT/index.html                         the overview; the other pages are in OUT/site
    OUT/site/{assets,data,pictures,figures}

Nothing of it names an address outside the folder but linked pictures; pages load scripts of the folder, and no other.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from vlm_grpo.drawing import COLOURS, COLOURS_ON_DARK
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.study import drawings
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site import answers, chunks, downloads
from vlm_grpo.study.site.curves import curves
from vlm_grpo.study.site.overview import address, overview, tones
from vlm_grpo.study.site.pictures import Mode, Shelf
from vlm_grpo.study.site.probes import probes_data, probes_page
from vlm_grpo.study.site.provenance import provenance
from vlm_grpo.study.site.rollouts import COMPLETIONS, RunRollouts, rollouts
from vlm_grpo.study.site.source import Source

KIND, SITE, INDEX = "site", "site", "index.html"
MEGABYTE = 1_000_000
PAGES = (
    ("index", "Overview"),
    ("training", "Training"),
    ("rollouts", "Rollouts"),
    ("answers", "Answers"),
    ("drawings", "Drawings"),
    ("probes", "Probes"),
    ("provenance", "Provenance"),
)


@dataclass(frozen=True)
class Options:
    """How large the folder may become, and what of the pictures is in it.

    Attributes:
        pictures: as in `Shelf`.
        longest_side: of whole pictures that are copied, in pixels.
        size_mb: bound of the folder in megabytes (10^6 bytes).
        rollout_steps: at most so many steps of each training; None: all of them.
    """

    pictures: Mode = "auto"
    longest_side: int = 1280
    size_mb: float = 300
    rollout_steps: int | None = None


@dataclass(frozen=True)
class Written:
    """What was written: the page to open, bytes in all and of pictures, and how many of those are links."""

    index: Path
    bytes: int
    picture_bytes: int
    linked: int


def write_site(source: Source, out: Path, options: Options) -> Written:
    """Write the study's pages to `out`, over those of before."""
    started = time.monotonic()
    site = out / SITE
    site.mkdir(parents=True, exist_ok=True)
    manifest.withdraw(site)
    shelf = Shelf(site, mode=options.pictures, longest_side=options.longest_side)
    data = answers_data(source, shelf) | training_data(source, shelf, options) | probes_data(source, shelf)
    data["answers"]["looks"] = {row: address(page, site) for row, page in source.looks.items()}
    data["study"] = study_data(source) | {"rollouts": [one["run"] for one in data["rollouts"]]}
    used = write_data(site, data, shelf, options)
    write_assets(site)
    figures = downloads.write(source, site)
    sheets = drawn_sheets(source)
    shown = {
        "training": source.trainings,
        "rollouts": data["rollouts"],
        "drawings": sheets,
        "probes": source.faithfulness,
    }
    pages = [page for page in PAGES if shown.get(page[0], True)]
    arm = next(iter(source.runs.values()))
    runs = f"{len(source.runs)} runs" if len(source.runs) > 1 else "1 run"
    about = {
        "title": source.title,
        "facts": f"{len(arm.rows)} rows of {source.summary['split']}, {runs}",
        "pages": pages,
        "tone_of": tones(source.coloured) | {run["run"]: run["tone"] for run in data["study"]["runs"]},
    }
    made = {
        "index": overview(source, out, shelf),
        "probes": probes_page(source, {run["run"]: run["tone"] for run in data["study"]["runs"]}),
        "provenance": provenance(source) | {"figures": figures},
    }
    for name, _ in pages:
        if name != "drawings":
            write_page(out, name, about | made.get(name, {}))
    if sheets:
        page = drawings.render(sheets, title=source.title, back=f"../{INDEX}")
        atomic.write_text(site / drawings.FILE, page)
    size = folder_size(out / INDEX, site)
    manifest.write(
        site,
        kind=KIND,
        config=asdict(options) | {"results": str(source.results)},
        inputs={"report": file_hash(source.results / manifest.MANIFEST)},
        counts={"rows": len(arm.rows), "runs": len(source.runs), "bytes": size, "linked pictures": shelf.linked},
        seconds=time.monotonic() - started,
    )
    return Written(out / INDEX, size, used, shelf.linked)


def drawn_sheets(source: Source) -> list[drawings.Sheet]:
    """A sheet of the study's rows and one of each further report's, where their answers can be drawn."""
    first = next(iter(source.runs.values()))
    reports = {", ".join(dict.fromkeys(row.task for row in first.rows)): source.runs}
    for name, folder in source.further.items():
        arms = manifest.read(folder)["config"]["arms"]
        reports[name] = {run: open_arm(Path(place)) for run, place in arms.items()}
    return [drawings.sheet_of(runs, name=name) for name, runs in reports.items() if drawings.can_draw(runs)]


def study_data(source: Source) -> dict[str, Any]:
    """What every page's scripts need: the runs with their arms' colours."""
    colours = tones(source.coloured)
    names = list(dict.fromkeys([*source.runs, *source.trainings]))
    seeds: dict[str, int] = {}
    runs = []
    for run in names:
        place = seeds[arm_of(run)] = seeds.get(arm_of(run), -1) + 1
        runs.append({"run": run, "arm": arm_of(run), "tone": colours[arm_of(run)], "seed": place})
    return {"title": source.title, "runs": runs}


def answers_data(source: Source, shelf: Shelf) -> dict[str, Any]:
    """The data files of the answers page by name; their pictures are keys still."""
    rows = next(iter(source.runs.values())).rows
    parts = chunks.chunked(rows, answers.ROWS_A_CHUNK)
    data: dict[str, Any] = {"answers": answers.index(source, shelf)}
    data |= {f"answers-{place:03d}": {"rows": answers.details(source, part, shelf)} for place, part in enumerate(parts)}
    return data


def training_data(source: Source, shelf: Shelf, options: Options) -> dict[str, Any]:
    """The data files of the training and rollouts pages by name."""
    data: dict[str, Any] = {"training": curves(source.trainings)}
    held: dict[str, RunRollouts] = {}
    for run, training in source.trainings.items():
        if (training.folder / COMPLETIONS).exists():
            lines = jsonl.read(training.folder / COMPLETIONS)
            one = rollouts(training, lines, shelf, steps=options.rollout_steps)
            held |= {run: one} if one.groups else {}
    for number, one in enumerate(held.values()):
        data |= {f"rollouts-{number}-{place:03d}": chunk for place, chunk in enumerate(one.chunks)}
    data["rollouts"] = [
        {
            "run": run,
            "rows": one.rows,
            "groups": one.groups,
            "rewards": one.rewards,
            "size": source.trainings[run].config["num_generations"],
            "left": one.steps_left_out,
        }
        for run, one in held.items()
    ]
    return data


def write_data(site: Path, data: Mapping[str, Any], shelf: Shelf, options: Options) -> int:
    """Write the data files, with pictures for what room they leave; returns the pictures' bytes."""
    room = options.size_mb * MEGABYTE
    text = sum(len(chunks.written(name, value).encode()) for name, value in data.items())
    if text > room:
        raise UserError(
            f"the texts alone are {text / MEGABYTE:.0f} MB, more than --size-mb {options.size_mb:g}; "
            "allow more, or keep fewer steps with --rollout-steps"
        )
    shelf.make(room - text)
    if options.pictures != "auto" and text + shelf.bytes > room:
        raise UserError(
            f"texts and pictures are {(text + shelf.bytes) / MEGABYTE:.0f} MB, more than --size-mb "
            f"{options.size_mb:g}; allow more, or link pictures with --pictures auto"
        )
    for name, value in data.items():
        chunks.write(site, name, _with_pictures(value, shelf))
    _remove_others(site / chunks.FOLDER, {f"{name}.js" for name in data})
    return shelf.bytes


def _with_pictures(value: Any, shelf: Shelf) -> Any:
    """A chunk with what is to be known of the pictures that its rows show."""
    if not isinstance(value, dict) or "rows" not in value or "problems" in value:
        return value
    rows = value["rows"].values() if isinstance(value["rows"], dict) else value["rows"]
    return value | {"pictures": shelf.entries({key: None for row in rows for key in row["pictures"]})}


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in folder.glob("*.js"):
        if path.name not in names:
            path.unlink()


def write_page(out: Path, name: str, variables: Mapping[str, Any]) -> None:
    """Write one page from its template."""
    environment = Environment(
        loader=PackageLoader("vlm_grpo.study.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    at_top = name == "index"
    text = environment.get_template(f"{name}.html.jinja").render(
        page=name, at="site/" if at_top else "", up="" if at_top else "../", **variables
    )
    atomic.write_text(out / INDEX if at_top else out / SITE / f"{name}.html", text)


def write_assets(site: Path) -> None:
    """Copy styles and scripts, and write the arms' colours as a style."""
    with as_file(files("vlm_grpo.study.site") / "assets") as assets:
        shutil.copytree(assets, site / "assets", dirs_exist_ok=True)
    light = [f".tone-{n} {{ --tone: {colour}; }}" for n, colour in enumerate(COLOURS)]
    dark = [f"[data-theme=dark] .tone-{n} {{ --tone: {colour}; }}" for n, colour in enumerate(COLOURS_ON_DARK)]
    atomic.write_text(site / "assets" / "colours.css", "\n".join([*light, *dark]) + "\n")


def folder_size(index: Path, site: Path) -> int:
    """Bytes of the pages and all that belongs to them."""
    return index.stat().st_size + sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
