"""A soft prompt: `python -m vlm_grpo.training.soft_prompt --config configs/vsr/qwen_soft_prompt.yaml [--setting ...]`.

`virtual_tokens` embeddings in front of every prompt are all that trains; the model behind them stays as it is, sees the
picture (`adapters/soft_prompt.py`) and learns each answer token from the position before it. With `target: trace` the
answers are a teacher's reasoning (`python -m vlm_grpo.methods.soft_prompt_data`). `final/` is what PEFT calls prompt
tuning; evaluation puts it before its base: `--adapter RUN/final`. Nothing merges.
"""

from dataclasses import replace

from transformers import set_seed

from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.adapters.soft_prompt import behind
from vlm_grpo.config import Parsed, parse, setting_names
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods import examples, run
from vlm_grpo.methods.inputs import TrainingInputs, load, open_inputs
from vlm_grpo.methods.metrics import MetricsFile
from vlm_grpo.methods.progress import ProgressLine
from vlm_grpo.methods.registry import METHODS
from vlm_grpo.methods.resolved import resolved, show_plan
from vlm_grpo.methods.resume.stopping import StopRequest
from vlm_grpo.methods.settings import COMMON, settle_sft
from vlm_grpo.methods.sizes import check_sft_rows
from vlm_grpo.methods.soft_prompt.arguments import NO_EFFECT, TYPES, SoftPromptArguments
from vlm_grpo.methods.soft_prompt.placement import check_placement, put_before
from vlm_grpo.methods.soft_prompt.teacher import TeacherLogits
from vlm_grpo.methods.soft_prompt.trainer import SoftPromptTrainer
from vlm_grpo.methods.values import NEVER_NULL
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.jsonl import on_the_fly
from vlm_grpo.tasks.view import views

KIND = "soft_prompt"
END_TOKENS = 8
"""What a chat template puts behind an answer, at most."""


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Train a soft prompt as the command line says."""
    hush_renamed()
    common = (COMMON | setting_names(*TYPES[:2])) - NO_EFFECT.keys()
    words = on_the_fly.settle(argv)
    parsed = parse(TYPES, words, description=__doc__, no_effect=NO_EFFECT, common=common, never_null=NEVER_NULL)
    study, _, training = parsed.arguments
    settle_sft(training)
    run.check_settings(training)
    if parsed.dry_run:
        show_plan(KIND, study, parsed, training)
        return
    with StopRequest() as stop:
        _train(parsed, stop)


def _train(parsed: Parsed, stop: StopRequest) -> None:
    study, soft, training = parsed.arguments
    run.check_machine(study, training)
    inputs = open_inputs(study)
    check_sft_rows(training, rows=len(inputs.data.rows), where=inputs.data.where)
    settings = resolved(parsed)
    identity = run.identify(KIND, inputs, settings, training)
    teacher = TeacherLogits(inputs.data.root) if soft.teacher_weight > 0 else None
    set_seed(training.seed)
    processor, model = load(
        replace(inputs, base=behind(inputs.base, soft.virtual_tokens)),
        study,
        training,
        completion_tokens=_longest(inputs, soft),
        texts=lambda row: (*asking.texts(row), examples.wanted(row, soft.target)),
    )
    prompted = put_before(model, inputs.base, soft)
    folder = run.claim(identity, settings, training)
    trainer = SoftPromptTrainer(
        run=folder,
        virtual_tokens=soft.virtual_tokens,
        teacher=teacher,
        teacher_weight=soft.teacher_weight,
        model=prompted,
        args=training,
        processing_class=processor,
        train_dataset=examples.sft_dataset(
            inputs.data.rows,
            root=inputs.data.root,
            prompt=study.prompt,
            target=soft.target,
            views=views(inputs.data.rows, root=inputs.data.root, adapter=inputs.base.adapter, processor=processor),
        ),
        callbacks=[MetricsFile(folder), ProgressLine(METHODS[KIND].watched)],
    )
    run.train(KIND, trainer, inputs, settings, stop=stop, trainable_parameters=check_placement(prompted))


def _longest(inputs: TrainingInputs, soft: SoftPromptArguments) -> int:
    """Tokens of the longest thing that is taught."""
    tokenizer = inputs.base.load_processor().tokenizer
    taught = [examples.wanted(row, soft.target) for row in inputs.data.rows]
    return max(map(len, tokenizer(taught)["input_ids"])) + END_TOKENS
