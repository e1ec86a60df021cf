"""The settings of a look: an evaluation's, for one row, and what to watch and to draw."""

from dataclasses import dataclass, field
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.ranges import check_name

ANIMATIONS = ("gif", "png", "mp4")
FINAL = "final"
NO_EFFECT = {"limit": "one row is asked", "max_tool_calling_iterations": "the first turn is looked at"}
"""`batch_size` has none either, but stands in the configs of evaluations, which may be given as they are."""


@dataclass
class LookArguments(EvaluationArguments):
    """One row, one model, one layer. A YAML file holds the same names; the command line overrides it."""

    model: str = field(
        default="", metadata={"help": "Checkpoint, as for an evaluation; not needed with run or adapter."}
    )
    data: str = field(default="", metadata={"help": "Data set folder; ${VARIABLES} are filled in."})
    out: str = field(default="", metadata={"help": "Output folder: index.html, attention.json, animation."})
    run: str | None = field(default=None, metadata={"help": "Training run whose final weights to look at."})
    row: str = field(default="", metadata={"help": "Id of the row to ask."})
    layer: int | None = field(default=None, metadata={"help": "Layer to watch, from 0; the middle one if unset."})
    animate: str | None = field(default=None, metadata={"help": "Also an animation: gif, png or mp4 (needs ffmpeg)."})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("data", "out", "row"):
            if not getattr(self, name):
                raise UserError(f"setting {name!r} is missing; see --help")
        if self.animate is not None:
            check_name("animate", self.animate, ANIMATIONS)
        if self.run is not None:
            self._take_run(Path(self.run) / FINAL)
        elif not self.model and not self.adapter:
            raise UserError("name what to look at: --run, --adapter or --model; see --help")

    def _take_run(self, final: Path) -> None:
        if self.adapter:
            raise UserError("setting 'adapter' has no effect beside run; remove one")
        if not final.is_dir():
            raise UserError(f"run {self.run}: no {FINAL}; give the output folder of a training that has ended")
        if (final / "adapter_config.json").is_file():
            self.adapter = str(final)
        elif self.model:
            raise UserError(f"setting 'model' has no effect: {final} is a whole checkpoint; remove one")
        else:
            self.model = str(final)
