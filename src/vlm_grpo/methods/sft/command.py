"""SFT with LoRA: `python -m vlm_grpo.training.sft --config configs/vsr/qwen_sft.yaml [--any_setting value ...]`.

Prompt and completion are separate columns, so TRL's collator puts the loss on the answer (and the end of its turn)
alone: no prompt or image token is learnt, and no empty assistant turn is appended (both defects of the study's own
collator; reference, section 2.5). Own records take the place of `--data`: `--data_file_paths a.jsonl:b.jsonl
--image_folders x:y`, and further flags of `python -m vlm_grpo.tasks.jsonl`.
"""

from transformers import set_seed

from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.config import Parsed, parse, setting_names
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods import examples, old_flags, placement, run
from vlm_grpo.methods.arguments import SFTArguments, SFTTargetArguments, StudyArguments
from vlm_grpo.methods.inputs import load, open_inputs
from vlm_grpo.methods.metrics import MetricsFile
from vlm_grpo.methods.progress import ProgressLine
from vlm_grpo.methods.registry import METHODS
from vlm_grpo.methods.resolved import resolved, show_plan
from vlm_grpo.methods.resume.stopping import StopRequest
from vlm_grpo.methods.settings import COMMON, SFT_NO_EFFECT, settle_sft
from vlm_grpo.methods.sft import budget
from vlm_grpo.methods.sft.trainer import StudySFTTrainer
from vlm_grpo.methods.sizes import check_sft_rows
from vlm_grpo.methods.values import NEVER_NULL
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.jsonl import on_the_fly
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import views

KIND = "sft"
ANSWER_TOKENS = 16


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Run SFT as the command line says."""
    hush_renamed()
    types = (StudyArguments, SFTTargetArguments, SFTArguments)
    common = COMMON | setting_names(StudyArguments, SFTTargetArguments)
    words = on_the_fly.settle(old_flags.translate(argv))
    parsed = parse(types, words, description=__doc__, no_effect=SFT_NO_EFFECT, common=common, never_null=NEVER_NULL)
    study, _, training = parsed.arguments
    old_flags.check_passed_over(argv, full_finetuning=study.full_finetuning)
    settle_sft(training)
    run.check_settings(training)
    if parsed.dry_run:
        show_plan(KIND, study, parsed, training)
        return
    with StopRequest() as stop:
        _train(parsed, stop)


def _train(parsed: Parsed, stop: StopRequest) -> None:
    study, target, training = parsed.arguments
    run.check_machine(study, training)
    inputs = open_inputs(study)
    check_sft_rows(training, rows=len(inputs.data.rows), where=inputs.data.where)
    budget.settle(training, study, target.budget_config, rows=len(inputs.data.rows))
    settings = resolved(parsed)
    identity = run.identify(KIND, inputs, settings, training)
    set_seed(training.seed)
    processor, model = load(
        inputs,
        study,
        training,
        completion_tokens=ANSWER_TOKENS,
        texts=lambda row: (*asking.texts(row), task_of(row).target(row, target.target)),
    )
    folder = run.claim(identity, settings, training)
    trainer = StudySFTTrainer(
        run=folder,
        model=model,
        args=training,
        processing_class=processor,
        train_dataset=examples.sft_dataset(
            inputs.data.rows,
            root=inputs.data.root,
            prompt=study.prompt,
            target=target.target,
            views=views(inputs.data.rows, root=inputs.data.root, adapter=inputs.base.adapter, processor=processor),
        ),
        peft_config=placement.lora_config(study, inputs.base.adapter),
        callbacks=[MetricsFile(folder), ProgressLine(METHODS[KIND].watched)],
    )
    trainable = placement.check_placement(trainer.model, inputs.base.adapter, full=study.full_finetuning)
    run.train(KIND, trainer, inputs, settings, stop=stop, trainable_parameters=trainable)
