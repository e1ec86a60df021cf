"""Every notebook runs from top to bottom on small data, and is committed without outputs.

A new notebook needs a line in `CASES`: a function that prepares small data and returns the environment variables that
point the notebook's settings to it, and one that checks what the notebook did and showed.
"""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbclient
import nbformat
import pytest
from PIL import Image

import statement_files
from picture_server import PictureServer
from tiny_soft_prompt import save_tiny_soft_prompt
from vlm_grpo.bias.vision import command as vision
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.vsr import command as vsr
from vsr_lines import line, write_lines, write_splits

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
EMBEDDED = ROOT / "configs" / "embedded"
LARGEST = 100_000


def small_vsr(server: PictureServer, folder: Path) -> dict[str, str]:
    """Ten captions of six pictures, served from loopback."""
    source = write_splits(folder / "source", "http://images.invalid")
    return {"DATA_PATH": str(folder / "data"), "VSR_JSONL": str(source), "VSR_MIRROR": server.address, "VSR_ROWS": "5"}


def check_vsr(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The data set is there, and the table has the share of True: 3 of 5 in train."""
    assert len(dataset.load(folder / "data" / "vsr", "train")) == 5
    assert "0.6000" in outputs(notebook, "text/html")[0]


def small_rel3d(server: PictureServer, folder: Path) -> dict[str, str]:
    """Eight pairs of rendered scenes."""
    source = statement_files.save_rel3d(folder / "Rel3D")
    return {"DATA_PATH": str(folder / "data"), "REL3D": str(source), "REL3D_ROWS": "6"}


def check_rel3d(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The data set is there, the tables have its pairs and predicates, and three pairs are drawn."""
    assert manifest.read(folder / "data/rel3d")["pairs"]["train"] == {"pairs": 3, "unpaired": 0}
    counts, predicates, dropped = outputs(notebook, "text/html")
    assert "pairs" in counts
    assert "behind (wrt you)" in predicates
    assert "reason" in dropped


def small_spatialsense(server: PictureServer, folder: Path) -> dict[str, str]:
    """Eleven statements about six photographs, two of which are the same."""
    return {
        "DATA_PATH": str(folder / "data"),
        "SPATIALSENSE": str(statement_files.save_spatialsense(folder / "source")),
    }


def check_spatialsense(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The data set is there; the notebook tells the photograph left out and what the study's splits share."""
    assert len(dataset.load(folder / "data/spatialsense", "train")) == 3
    dropped = outputs(notebook, "text/html")[2]
    assert all(part in dropped for part in ("59fb0200", "59fb0201", "2_b.jpg is shown in"))
    assert "shown in train too" in "".join(outputs(notebook, "text/plain"))


def small_biased(server: PictureServer, folder: Path) -> dict[str, str]:
    """VSR of 24 captions that are true and false of 12 pictures, and a vision-biased copy."""
    lines = [
        line(f"{i}.png", address=server.address, caption=f"The cat {i} is {r} the mat.", label=label, relation=r)
        for i in range(12)
        for label, r in ((1, ("on", "under")[i % 2]), (0, ("under", "on")[i % 2]))
    ]
    for name, part in (("train", lines[:16]), ("dev", lines[16:20]), ("test", lines[20:])):
        write_lines(folder / "source" / f"{name}.jsonl", part)
    data = folder / "data"
    vsr.main(["--out", str(data / "vsr"), "--jsonl", str(folder / "source")])
    cue = ["--cue", "border", "--probability", "0.9"]
    vision.main(["--data", str(data / "vsr"), *cue, "--out", str(data / "vsr_vision_border_0.9")])
    return {
        "DATA_PATH": str(data),
        "OUT_PATH": str(folder / "runs"),
        "BIAS_DATA": str(data / "vsr_vision_border_0.9"),
        "BIAS_WORKERS": "1",
    }


def check_text(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The copy is there at its default level, and the table has its groups."""
    assert manifest.read(folder / "data/vsr_text_0.9")["config"]["strength"] == 0.9
    assert "opposing" in outputs(notebook, "text/html")[0]
    assert len(outputs(notebook, "image/png")) == 2


def check_vision(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The published copy is there, and the table has the cued test rows."""
    assert manifest.read(folder / "data/vsr_vision_published")["config"]["probability"] == 0.3
    assert "test_counter" in outputs(notebook, "text/html")[0]


def check_probe(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The result is there, and the table has both probes."""
    assert manifest.read(folder / "runs/bias/probe/vsr_vision_border_0.9", kind="bias probe")
    table = outputs(notebook, "text/html")[0]
    assert ">picture</td>" in table
    assert ">question</td>" in table


def small_scenes(folder: Path) -> dict[str, str]:
    """A few of the embedded models' own scenes."""
    sizes = ["--train", "16", "--validation", "8", "--test", "16"]
    synthetic_vsr.main(["--out", str(folder / "data" / "synthetic_vsr"), *sizes])
    return {"DATA_PATH": str(folder / "data"), "OUT_PATH": str(folder / "runs")}


def small_traces(server: PictureServer, folder: Path) -> dict[str, str]:
    """The embedded base as the teacher: it reasons, and is right by luck at the least."""
    return small_scenes(folder) | {
        "TRACES_CONFIG": str(EMBEDDED / "traces.yaml"),
        "TRACES_SETTINGS": "--teacher embedded:qwen2_5_vl --num_rows 12",
    }


def check_traces(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Every completion is counted, and what is kept is a data set."""
    counts = manifest.read(folder / "data/synthetic_vsr_traces")["traces"]
    assert counts["completions"] == 12
    assert len(dataset.load(folder / "data/synthetic_vsr_traces", "train")) == counts["kept"]
    assert f"<td>{counts['kept']}</td>" in outputs(notebook, "text/html")[0]


def small_training(server: PictureServer, folder: Path) -> dict[str, str]:
    """Two steps of four bare answers."""
    return small_scenes(folder) | {
        "SOFT_PROMPT_CONFIG": str(EMBEDDED / "qwen_soft_prompt_direct.yaml"),
        "SOFT_PROMPT_SETTINGS": "--max_steps 2 --per_device_train_batch_size 4 --virtual_tokens 5",
    }


def check_training(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """The soft prompt is there, and the table has its size: five rows of the embedding's width."""
    run = folder / "runs/embedded/qwen/soft_prompt_direct"
    assert (run / "final" / "adapter_model.safetensors").exists()
    assert f"<td>{manifest.read(run)['counts']['trainable_parameters']}</td>" in outputs(notebook, "text/html")[0]


def small_evaluation(server: PictureServer, folder: Path) -> dict[str, str]:
    """A soft prompt that nobody trained: three words' embeddings."""
    return small_scenes(folder) | {
        "EVALUATE_CONFIG": str(EMBEDDED / "qwen_evaluate_sft.yaml"),
        "EVALUATE_SETTINGS": "--max_new_tokens 4",
        "EVALUATE_OUT": str(folder / "out"),
        "SOFT_PROMPT": str(save_tiny_soft_prompt(folder / "soft", "embedded:qwen2_5_vl")),
    }


def check_evaluation(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Both arms are asked, with probabilities too, and the tables have their right answers."""
    base, soft = (open_arm(folder / "out" / name) for name in ("base", "soft_prompt"))
    assert soft.manifest["inputs"]["adapter"]
    assert base.manifest["inputs"]["adapter"] is None
    by_rule, compared = outputs(notebook, "text/html")
    assert f"<td>{base.scores['correct']}</td>" in by_rule.partition("<th>bare</th>")[2]
    assert "mcnemar_p" in compared
    assert all((arm.folder / "probabilities" / manifest.MANIFEST).exists() for arm in (base, soft))
    assert len(outputs(notebook, "image/png")) == 2


class Case(NamedTuple):
    """How a notebook is run and checked."""

    prepare: Callable[[PictureServer, Path], dict[str, str]]
    check: Callable[[nbformat.NotebookNode, Path], None]


CASES = {
    "create_dataset": Case(small_vsr, check_vsr),
    "rel3d_dataset": Case(small_rel3d, check_rel3d),
    "spatialsense_dataset": Case(small_spatialsense, check_spatialsense),
    "create_text_biased": Case(small_biased, check_text),
    "create_vision_biased": Case(small_biased, check_vision),
    "probe": Case(small_biased, check_probe),
    "teacher_traces": Case(small_traces, check_traces),
    "train": Case(small_training, check_training),
    "evaluate": Case(small_evaluation, check_evaluation),
}


SLOW = ("teacher_traces", "train", "evaluate")
"""They load a model in a process of their own; their code runs, one after the other, in `test_prompt_tuning` below."""


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """All outputs of one MIME type."""
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data[kind] for output in shown if kind in output.get("data", {})]


def test_there_is_a_line_for_every_notebook_and_no_other() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(CASES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < LARGEST
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.nightly if path.stem in SLOW else ()) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_it_runs_from_top_to_bottom(
    path: Path, picture_server: PictureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[path.stem]
    for name, value in case.prepare(picture_server, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    figures = [Image.open(io.BytesIO(base64.b64decode(figure))) for figure in outputs(notebook, "image/png")]
    assert figures, "a notebook is there to show pictures"
    assert all(min(figure.size) > 100 for figure in figures)
    case.check(notebook, tmp_path)


def test_prompt_tuning_leads_from_traces_to_probabilities(tmp_path, monkeypatch, capsys):
    """The code of the three notebooks in this process: what one makes is what the next one takes."""
    settings = small_scenes(tmp_path) | {
        "TRACES_CONFIG": str(EMBEDDED / "traces.yaml"),
        "TRACES_SETTINGS": "--teacher embedded:qwen2_5_vl --num_rows 12",
        "SOFT_PROMPT_CONFIG": str(EMBEDDED / "qwen_soft_prompt.yaml"),
        "SOFT_PROMPT_SETTINGS": "--max_steps 1 --per_device_train_batch_size 2 --virtual_tokens 5",
        "SOFT_PROMPT": str(tmp_path / "runs/embedded/qwen/soft_prompt/final"),
        "EVALUATE_CONFIG": str(EMBEDDED / "qwen_evaluate_sft.yaml"),
        "EVALUATE_SETTINGS": "--max_new_tokens 4 --limit 6",
        "EVALUATE_OUT": str(tmp_path / "out"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name in SLOW:
        path = ROOT / "notebooks" / "prompt_tuning" / f"{name}.ipynb"
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        code = "\n".join(cell.source.removeprefix("%matplotlib inline\n") for cell in cells)
        exec(compile(code, str(path), "exec"), {"__name__": name})
    assert manifest.read(tmp_path / "runs/embedded/qwen/soft_prompt")["counts"]["steps"] == 1
    said = manifest.read(tmp_path / "out/soft_prompt/probabilities", kind="probabilities")
    assert said["counts"] == {"rows": 6, "asked": 6}
    assert "mass on the answer's words" in capsys.readouterr().out
