"""The settings of a data set of traces: who is asked what, how often, and what is kept."""

from dataclasses import dataclass, field

from vlm_grpo import prompts
from vlm_grpo.adapters.image_options import ImageOptions
from vlm_grpo.errors import UserError
from vlm_grpo.ranges import AT_LEAST_0, AT_LEAST_1, SEED, check_name, check_numbers

RANGES = {
    "num_rows": AT_LEAST_1,
    "row_seed": SEED,
    "seed": SEED,
    "temperature": AT_LEAST_0,
    **dict.fromkeys(("samples", "keep", "batch_size", "max_new_tokens", "logits"), AT_LEAST_1),
}


@dataclass
class TraceArguments(ImageOptions):
    """Who is asked what, how often, and what is kept."""

    data: str = field(metadata={"help": "Data set folder whose rows the teacher answers."})
    out: str = field(metadata={"help": "Folder of the data set of traces."})
    teacher: str | None = field(default=None, metadata={"help": "The teacher: checkpoint, embedded:NAME, or hub id."})
    adapter: str | None = field(default=None, metadata={"help": "Adapter folder to put on the teacher."})
    generations: list[str] = field(
        default_factory=list, metadata={"help": "Finished evaluations of --data to read in place of a teacher."}
    )
    split: str = field(default="train", metadata={"help": "Split to answer; the only one of the new data set."})
    num_rows: int | None = field(default=None, metadata={"help": "Rows to draw from the split; all of them if unset."})
    row_seed: int = field(default=42, metadata={"help": "Seed of that draw, as in training."})
    prompt: str = field(default="reason", metadata={"help": "Prompt template that the teacher is asked in."})
    samples: int = field(default=4, metadata={"help": "Completions a row."})
    temperature: float = field(default=1.0, metadata={"help": "Of sampling; 0 decodes greedily, with one sample."})
    max_new_tokens: int = field(
        default=512, metadata={"help": "Longest completion, in tokens; a longer one is dropped."}
    )
    keep: int = field(default=1, metadata={"help": "Traces to keep of a row, the first ones."})
    logits: int | None = field(
        default=None, metadata={"help": "Likeliest tokens of the teacher to keep; none if unset."}
    )
    batch_size: int = field(default=64, metadata={"help": "Rows a batch."})
    dtype: str = field(default="auto", metadata={"help": "auto (by hardware), bfloat16, float16 or float32."})
    seed: int = field(default=42, metadata={"help": "Seed of sampling."})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, RANGES)
        check_name("prompt", self.prompt, prompts.TEMPLATES)
        if (self.teacher is None) is not bool(self.generations):
            raise UserError("give one of teacher, who is asked here, and generations, what was said in an evaluation")
        if self.teacher is None and (self.adapter is not None or self.logits is not None):
            raise UserError("adapter and logits have no effect on generations that are read; name a teacher")
        if self.temperature == 0 and self.samples > 1:
            raise UserError("temperature 0 says the same each time; give samples: 1, or a temperature")
