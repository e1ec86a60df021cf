"""One GRPO step by TRL against ours: `python benchmarks/grpo_step.py [--size proxy] [--json FILE]`.

Both train the same random weights (LoRA on the language tower, vision tower frozen, KL to the adapter-free reference)
on the same prompts with the same seeds, one after the other, timed by the clock on a GPU and in CPU-seconds without
one. In float32 their completions and losses must agree. Sizes: `tiny`, `tiny_smolvlm`, `tiny_internvl` and `proxy` (38
million parameters) for a CPU, `qwen3b` and `smolvlm2b` (the real shapes in bfloat16) for a GPU. `ratio_scoring_update`
compares everything after the rollout (reference and policy passes, backward, optimiser, encoding pictures for them),
`ratio_step` the whole step, `peak_memory_ratio` the memory at its highest, one model's weights included. An arm is one
run: a step's pictures are new, and the data loader's share, clipping and logging count as much as in a long run,
setting up does not. What of a step is none of the phases above is the rest, with a column of its own; its phase
`pictures`, resizing and normalising, is a thread's in our arm from the third step on, and its CPU-seconds fall on other
phases. An arm takes no further step once `--limit` seconds have gone into it and one is timed.
`--sweep` varies group size, prompt and completion length around the size's own.

Our arm's tower is what `load_model` makes of it. Measured on one CPU core beside other work, size proxy, one prompt of
476 tokens, 8 completions of 128 (one run, two steps timed): scoring + update 5.2 times faster (5.3 times fewer
multiply-adds), the rollout 3.9 times, the step 4.66 times, 0.49 of the memory; completions and losses equal.
These steps were a run each; cut out of one run, as now, it is 5.5, 4.3 and 4.97 times, 0.50 of the memory, equal too.
`tiny_internvl`, 2 prompts of 100 tokens (three tiles a picture) x 8, 40: 2.8 times, the rollout 2.4 times, the step
2.75 times, 0.42 of the memory; equal too. How that changes with the setting: benchmarks/README.md. On one H200, qwen3b,
4 prompts x 8 (one step of TRL's timed, three of ours, after one): scoring + update 8.8 times, the rollout 11 times, the
step 10.4 times (15.4 and 1.48 s), 0.35 of the memory. benchmarks/results/grpo_step_h200.json.
"""

import argparse
import json
import statistics
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from grpo_arithmetic import multiply_adds
from grpo_shapes import SIZES, Shaped, Size, build, patches, rows
from peft import LoraConfig
from phase_clock import PeakMemory, PhaseClock
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from vlm_grpo.adapters.checkpoint import see_faster
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.trainer import FastGRPOTrainer
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path

ARMS = ("TRL", "ours")
AFTER_ROLLOUT = ("reference", "policy forward", "backward", "optimiser")
LOSS_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Setting:
    """One point of measurement: prompts a step, group size, tokens of prompt and completion."""

    prompts: int
    group: int
    prompt: int
    completion: int


class Cut(TrainerCallback):
    """Seeds each step, times clipping's end to the optimiser's, and keeps what each step cost and said.

    A step is what lies between two ends of a step: the next batch's making and the log of the step before it count.
    """

    def __init__(self, clock: PhaseClock, *, warm_up: int, limit: float) -> None:
        self.clock, self.memory = clock, PeakMemory()
        self.warm_up, self.limit = warm_up, limit
        self.steps: list[Step] = []
        self.completions: Callable[[], list[Any]]

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Forget what setting up took."""
        self.memory.start()

    def on_step_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        """Draw as the other arm does."""
        torch.manual_seed(state.global_step)

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Clipping is done."""
        self.context = self.clock("optimiser")
        self.context.__enter__()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        """The weights are new."""
        self.context.__exit__(None, None, None)

    def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
        """Note the step, and end the run where it is long enough."""
        with self.clock.stopped():
            phases: dict[str, float] = {}
            for name, seconds in self.clock.lap().items():
                inner, _, outer = name.partition(" in ")
                phase = inner if outer in ("", "rest") else f"{inner}, {outer.partition(' in ')[0]}"
                phases[phase] = phases.get(phase, 0.0) + seconds
            said = [turns[0]["content"] for turns in self.completions()]
            self.steps.append(Step(phases, self.memory.bytes(), said))
            taken = sum(step.seconds for step in self.steps)
            control.should_training_stop |= len(self.steps) > self.warm_up and taken >= self.limit
            self.memory.start()


class Arm:
    """A trainer and its clocks."""

    def __init__(
        self, name: str, shaped: Shaped, size: Size, setting: Setting, folder: Path, *, checkpointing: bool, **run: Any
    ):
        if name == "ours":
            see_faster(shaped.model)
        clock, steps = PhaseClock(), run.pop("repeats") + run["warm_up"]
        self.cut = Cut(clock, **run)
        backbone = shaped.model.base_model
        clock.watch(backbone, "get_image_features", "encode")
        clock.watch(shaped.processor.image_processor, "preprocess", "pictures")
        args = GRPOConfig(
            output_dir=str(folder / name),
            per_device_train_batch_size=setting.prompts * setting.group,
            num_generations=setting.group,
            max_completion_length=setting.completion,
            generation_kwargs={"min_new_tokens": setting.completion, "use_cache": True},
            max_steps=steps,
            beta=0.04,
            loss_type="grpo",
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            gradient_checkpointing=checkpointing and name == "TRL",
            bf16=size.dtype is torch.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        )
        extra = {"fast": FastArguments(fast="on")} if name == "ours" else {}
        make = FastGRPOTrainer if name == "ours" else GRPOTrainer
        lora = LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules=shaped.adapter.lora_targets)
        self.trainer = make(
            model=shaped.model,
            args=args,
            processing_class=shaped.processor,
            reward_funcs=[noise],
            train_dataset=rows(shaped, size, prompts=setting.prompts * steps, prompt_tokens=setting.prompt),
            peft_config=lora,
            callbacks=[self.cut],
            **extra,
        )
        self.trainer.remove_callback(PrinterCallback)
        self.cut.completions = lambda: list(self.trainer._logs["completion"])
        clock.watch(self.trainer, "_run_epoch", "rest")
        clock.watch(self.trainer, "_generate_single_turn", "rollout")
        clock.watch(
            self.trainer,
            "_get_per_token_logps_and_entropies",
            lambda: "policy forward" if torch.is_grad_enabled() else "reference",
        )
        clock.watch(self.trainer.accelerator, "backward", "backward")

    def steps(self) -> "list[Step]":
        """Train."""
        self.trainer.train()
        losses = [line["loss"] for line in self.trainer.state.log_history if "loss" in line]
        return [replace(step, loss=loss) for step, loss in zip(self.cut.steps, losses, strict=True)]


@dataclass(frozen=True)
class Step:
    """What a step cost in seconds by phase and bytes at its highest, and what came of it."""

    phases: dict[str, float]
    peak: int
    completions: list[str]
    loss: float = float("nan")

    @property
    def seconds(self) -> float:
        """The whole step."""
        return sum(self.phases.values())

    @property
    def rest(self) -> float:
        """What is neither the model's work nor the optimiser's."""
        return sum(s for phase, s in self.phases.items() if phase.partition(",")[0] in ("rest", "pictures"))

    @property
    def scoring_update(self) -> float:
        """What follows the rollout."""
        return sum(s for phase, s in self.phases.items() if phase.removeprefix("encode, ") in AFTER_ROLLOUT)


def noise(completions: list[Any], **_: Any) -> list[float]:
    """A reward that depends on the text and nothing else."""
    return [zlib.crc32(turns[0]["content"].encode()) % 97 / 97 for turns in completions]


def measure(
    size_name: str, setting: Setting, *, repeats: int, warm_up: int, limit: float, checkpointing: bool
) -> dict[str, Any]:
    """Run one arm after the other and compare the medians of up to `repeats` steps after `warm_up` others."""
    size = SIZES[size_name]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = {"repeats": repeats, "warm_up": warm_up, "limit": limit, "checkpointing": checkpointing}
    steps: dict[str, list[Step]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ARMS:
            shaped = build(size, device=device)
            weights = sum(p.numel() * p.element_size() for p in shaped.model.parameters())
            steps[name] = Arm(name, shaped, size, setting, Path(folder), **run).steps()
    pairs = list(zip(steps["TRL"], steps["ours"], strict=False))
    equal = [a == b for stock, ours in pairs for a, b in zip(stock.completions, ours.completions, strict=True)]
    if size.dtype is torch.float32:
        assert all(equal), "the completions differ"
        assert all(abs(stock.loss - ours.loss) < LOSS_TOLERANCE for stock, ours in pairs), "the losses differ"
    timed = {name: taken[warm_up:] for name, taken in steps.items()}

    def median(name: str, of: Any) -> float:
        return statistics.median(of(step) for step in timed[name])

    def ratio(of: Any) -> float:
        return median("TRL", of) / median("ours", of)

    work = partial(
        multiply_adds,
        shaped.model,
        rows=setting.prompts * setting.group,
        prompts=setting.prompts,
        prompt=setting.prompt,
        completion=setting.completion,
        patches=patches(shaped, size, prompt_tokens=setting.prompt),
    )
    generated = setting.prompts * setting.group * setting.completion
    return {
        "size": size_name,
        "setting": asdict(setting),
        "gradient_checkpointing_of_trl": checkpointing,
        "ratio_scoring_update": ratio(lambda step: step.scoring_update),
        "ratio_step": ratio(lambda step: step.seconds),
        "peak_memory_ratio": (median("ours", lambda s: s.peak) + weights) / (median("TRL", lambda s: s.peak) + weights),
        "ratio_of_multiply_adds": work(shared=False) / work(shared=True),
        "equal_completions": sum(equal) / len(equal),
        "largest_loss_difference": max(abs(stock.loss - ours.loss) for stock, ours in pairs),
        "phases": {
            name: {
                phase: statistics.median(step.phases.get(phase, 0.0) for step in timed[name])
                for phase in sorted({phase for step in timed[name] for phase in step.phases})
            }
            for name in ARMS
        },
        "step_seconds": {name: median(name, lambda step: step.seconds) for name in ARMS},
        "rest_seconds": {name: median(name, lambda step: step.rest) for name in ARMS},
        "completion_tokens_per_second": {name: generated / median(name, lambda step: step.seconds) for name in ARMS},
        "peak_bytes_beyond_weights": {name: median(name, lambda step: step.peak) for name in ARMS},
        "repeats": {name: len(timed[name]) for name in ARMS},
        "device": torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)",
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, trl)},
    }


def sweep(base: Setting) -> list[Setting]:
    """Settings around `base`, one dimension varied at a time."""
    varied = [replace(base, group=group) for group in (2, 4, 8, 16)]
    varied += [replace(base, prompt=tokens) for tokens in (base.prompt // 4, base.prompt // 2, base.prompt * 2)]
    varied += [replace(base, completion=tokens) for tokens in (32, 64, 256)]
    return list(dict.fromkeys(varied))


def table(results: list[dict[str, Any]]) -> str:
    """Results as a Markdown table, and the phases of the last one."""
    lines = [
        "| size | prompts x G | prompt | completion | scoring + update | multiply-adds | step | memory | rest, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        setting = Setting(**result["setting"])
        stock, ours = (result["rest_seconds"][name] for name in ARMS)
        lines.append(
            f"| {result['size']} | {setting.prompts} x {setting.group} | {setting.prompt} | {setting.completion} "
            f"| {result['ratio_scoring_update']:.2f}x | {result['ratio_of_multiply_adds']:.2f}x "
            f"| {result['ratio_step']:.2f}x | {result['peak_memory_ratio']:.2f}x | {stock:.2f} → {ours:.2f} |"
        )
    lines += ["", "| phase (seconds) | " + " | ".join(ARMS) + " |", "|---|---|---|"]
    phases = results[-1]["phases"]
    for phase in sorted({phase for arm in ARMS for phase in phases[arm]}):
        lines.append(f"| {phase} | " + " | ".join(f"{phases[arm].get(phase, 0.0):.3f}" for arm in ARMS) + " |")
    return "\n".join(lines)


@exits_cleanly
def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="proxy")
    parser.add_argument("--prompts", type=whole("--prompts", least=1), default=1, help="prompts a step")
    parser.add_argument("--group", type=whole("--group", least=2), default=8, help="completions a prompt")
    parser.add_argument(
        "--prompt", type=whole("--prompt", least=1), help="prompt tokens, picture included; default: the size's"
    )
    parser.add_argument(
        "--completion", type=whole("--completion", least=1), help="completion tokens; default: the size's"
    )
    parser.add_argument("--repeats", type=whole("--repeats", least=1), default=3, help="timed steps of each")
    parser.add_argument("--warm-up", type=whole("--warm-up", least=0), default=2, help="steps of each before those")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which an arm takes no further step")
    parser.add_argument("--sweep", action="store_true", help="vary group, prompt and completion around these")
    parser.add_argument("--checkpointing", action="store_true", help="give TRL its default, gradient checkpointing")
    parser.add_argument("--json", type=user_path, help="write the results here")
    given = parser.parse_args()
    size = SIZES[given.size]
    base = Setting(given.prompts, given.group, given.prompt or size.prompt, given.completion or size.completion)
    results = []
    for setting in sweep(base) if given.sweep else [base]:
        counts = {"repeats": given.repeats, "warm_up": given.warm_up, "limit": given.limit}
        results.append(measure(given.size, setting, **counts, checkpointing=given.checkpointing))
        print(table(results[-1:]), flush=True)
        if given.json:
            content = results[0] if not given.sweep else {"sweep": results}
            given.json.write_text(json.dumps(content, indent=2) + "\n")
    if given.sweep:
        print(table(results))


if __name__ == "__main__":
    main()
