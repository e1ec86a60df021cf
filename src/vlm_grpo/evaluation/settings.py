"""The settings of an evaluation: which model answers which rows, asked and decoded how."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from vlm_grpo import prompts
from vlm_grpo.adapters.attention import check_attention_name
from vlm_grpo.adapters.image_options import ImageOptions
from vlm_grpo.adapters.precision import DtypeName
from vlm_grpo.decoding.cache_choice import SETTINGS as CACHE_SETTINGS
from vlm_grpo.environments.registry import ENVIRONMENTS
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.controls import CONTROLS
from vlm_grpo.ranges import AT_LEAST_0, SEED, check_name, check_numbers
from vlm_grpo.tasks.answers.rules import Rule

AUTO_BATCH_SIZE = 128
ONE_TURN = "none"
"""Asks without an environment a model that was trained with one."""


@dataclass
class EvaluationArguments(ImageOptions):
    """One evaluation. A YAML file holds the same names; the command line overrides it."""

    model: str = field(metadata={"help": "Checkpoint folder (merged or base), embedded:<family>, or hub id org/name."})
    data: str = field(metadata={"help": "Data set folder; ${VARIABLES} are filled in."})
    out: str = field(metadata={"help": "Output folder: generations.jsonl, scores.json, manifest.json."})
    adapter: str | None = field(default=None, metadata={"help": "LoRA adapter folder to put on the model."})
    split: str = field(
        default="validation", metadata={"help": "Split to answer; validation+test are both as one, each question once."}
    )
    limit: int | None = field(
        default=None, metadata={"help": "Answer only this many rows, drawn with the seed; all of them if unset."}
    )
    prompt: str = field(default="reason", metadata={"help": "Prompt template: reason, no_think, answer or yes_no."})
    answers: Rule = field(default="strict", metadata={"help": "How an answer is read from a completion."})
    judge_model: str | None = field(
        default=None, metadata={"help": "Model that tells what is right where rows leave it to a judge (method llm)."}
    )
    judge_base_url: str | None = field(
        default=None,
        metadata={"help": "Its OpenAI-compatible server; key: JUDGE_API_KEY. Unset: OpenAI; key: OPENAI_API_KEY."},
    )
    judge_max_cost: float | None = field(
        default=None, metadata={"help": "US dollars for that judge; the evaluation stops before it is more."}
    )
    controls: list[str] = field(
        default_factory=list,
        metadata={"help": "Answer once more with these in place of the rows' own pictures, and compare: blank, other."},
    )
    environment: str | None = field(
        default=None,
        metadata={
            "help": "What answers the model within a completion: double_check, zoom or none; if unset, as in training."
        },
    )
    max_tool_calling_iterations: int | None = field(
        default=None,
        metadata={"help": "Most calls that an environment answers; as many as there is room for if unset."},
    )
    max_new_tokens: int = field(
        default=512, metadata={"help": "Longest completion, in tokens; of all turns where an environment answers."}
    )
    temperature: float = field(default=0.0, metadata={"help": "0 decodes greedily; above 0 samples."})
    top_p: float = field(default=1.0, metadata={"help": "Nucleus of sampling; needs a temperature above 0."})
    seed: int = field(default=42, metadata={"help": "Seed of sampling and of the limit's draw."})
    batch_size: str = field(
        default="auto",
        metadata={"help": f"Rows a batch; auto starts at {AUTO_BATCH_SIZE}, halved when memory runs out."},
    )
    use_cache: str = field(
        default="default",
        metadata={"help": "KV cache: default (as the family needs), auto (parity check first), true or false."},
    )
    dtype: str = field(default="auto", metadata={"help": "auto (by hardware), bfloat16, float16 or float32."})
    attention: str = field(
        default="sdpa", metadata={"help": "Attention implementation: sdpa, eager, flash_attention_2."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.use_cache = str(self.use_cache).lower()
        check_numbers(self, {"seed": SEED, "max_tool_calling_iterations": AT_LEAST_0})
        if self.environment is not None:
            check_name("environment", self.environment, (*ENVIRONMENTS, ONE_TURN))
        check_name("prompt", self.prompt, prompts.TEMPLATES)
        for control in self.controls:
            check_name("controls", control, CONTROLS)
        check_name("use_cache", self.use_cache, CACHE_SETTINGS)
        check_name("dtype", self.dtype, get_args(DtypeName))
        check_attention_name(self.attention)
        self.batch_size = str(self.batch_size)
        if self.batch_size != "auto" and not (self.batch_size.isdecimal() and int(self.batch_size) > 0):
            raise UserError(f"batch_size {self.batch_size!r} is neither auto nor a positive number")
        for name in ("judge_base_url", "judge_max_cost"):
            if self.judge_model is None and getattr(self, name) is not None:
                raise UserError(f"setting {name!r} has no effect without judge_model; name the judge")
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit {self.limit} leaves no row; give a positive number or leave it unset")
        if self.max_new_tokens < 1:
            raise UserError(
                f"max_new_tokens {self.max_new_tokens} leaves no room for an answer; give a positive number"
            )
        if self.temperature < 0:
            raise UserError(f"temperature {self.temperature} is negative; 0 decodes greedily")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p {self.top_p} is not a share; give a number above 0 and up to 1")
        if self.top_p < 1 and self.temperature == 0:
            raise UserError("setting 'top_p' has no effect at temperature 0; set a temperature or remove it")

    @property
    def root(self) -> Path:
        """The data set's folder."""
        return Path(self.data)

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.out)

    @property
    def played(self) -> str | None:
        """The environment that answers the model; None: nothing does."""
        return None if self.environment == ONE_TURN else self.environment

    def sampling(self) -> dict[str, Any]:
        """What decides the tokens beside weights and prompt: noted on every line of the generations."""
        settings: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "images": {name: value for name, value in self.image_options.items() if value is not None},
        }
        if self.played is not None:
            settings["environment"] = self.played
            settings["max_tool_calling_iterations"] = self.max_tool_calling_iterations
        return settings if self.temperature == 0 else settings | {"top_p": self.top_p, "seed": self.seed}
