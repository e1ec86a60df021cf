"""GRPO with LoRA: `python -m vlm_grpo.training.grpo --config configs/vsr/qwen_grpo.yaml [--any_setting value ...]`.

TRL's `GRPOTrainer` does the training; this file connects the study's data, adapters and rewards to it. A run resumes
by itself from its newest complete checkpoint when the same command is given again. Any other setting of TRL's
GRPOConfig can be given too: `--help-all` lists them. Own records take the place of `--data`: `--data_file_paths
a.jsonl:b.jsonl --image_folders x:y`, and further flags of `python -m vlm_grpo.tasks.jsonl`.
"""

from transformers import set_seed

from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.config import Parsed, parse, setting_names
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods import examples, old_flags, placement, run
from vlm_grpo.methods.grpo.beginnings import check_beginnings
from vlm_grpo.methods.grpo.completions import CompletionsFile
from vlm_grpo.methods.grpo.constraints import constrained, constraints_of
from vlm_grpo.methods.grpo.environment import settle_environment
from vlm_grpo.methods.grpo.judged import check_judge, with_judge
from vlm_grpo.methods.grpo.kl_alarm import KLAlarm
from vlm_grpo.methods.grpo.ranking import ranked_by, ranking_of
from vlm_grpo.methods.grpo.rollouts import (
    check_generation_kwargs,
    check_in_vocabulary,
    rollout_settings,
    settle_end_tokens,
    tell_decoding,
    vllm_settings,
    with_the_users,
)
from vlm_grpo.methods.grpo.suggestions import shares_of, suggesting
from vlm_grpo.methods.grpo.trainer import StudyGRPOTrainer
from vlm_grpo.methods.inputs import load, open_inputs
from vlm_grpo.methods.metrics import MetricsFile
from vlm_grpo.methods.progress import ProgressLine
from vlm_grpo.methods.registry import METHODS
from vlm_grpo.methods.resolved import resolved, show_plan
from vlm_grpo.methods.resume.stopping import StopRequest
from vlm_grpo.methods.settings import GRPO_COMMON, GRPO_NO_EFFECT, GRPO_TYPES, check_grpo
from vlm_grpo.methods.sizes import check_grpo_rows
from vlm_grpo.methods.values import NEVER_NULL
from vlm_grpo.methods.vllm import canary
from vlm_grpo.rewards import registry
from vlm_grpo.rewards.base import Reward
from vlm_grpo.tasks.jsonl import on_the_fly
from vlm_grpo.tasks.view import views

KIND = "grpo"


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Run GRPO as the command line says."""
    hush_renamed()
    common = GRPO_COMMON | setting_names(*GRPO_TYPES[:-1])
    words = on_the_fly.settle(old_flags.translate(argv))
    parsed = parse(
        GRPO_TYPES, words, description=__doc__, no_effect=GRPO_NO_EFFECT, common=common, never_null=NEVER_NULL
    )
    study, reward_arguments, watch, _, training = parsed.arguments
    old_flags.check_passed_over(argv, full_finetuning=study.full_finetuning)
    rewards = registry.by_names(reward_arguments.rewards)
    check_grpo(training, reward_arguments, watch, parsed.given, prompt=study.prompt)
    rewards += constrained(watch, training, named=rewards) + ranked_by(watch, training, named=rewards)
    check_generation_kwargs(training.generation_kwargs, use_vllm=training.use_vllm)
    run.check_settings(training)
    if parsed.dry_run:
        show_plan(KIND, study, parsed, training)
        return
    with StopRequest() as stop:
        _train(parsed, rewards, stop)


def _train(parsed: Parsed, rewards: list[Reward], stop: StopRequest) -> None:
    study, reward_arguments, watch, fast, training = parsed.arguments
    run.check_machine(study, training)
    inputs = open_inputs(study)
    if reward_arguments.curriculum:
        inputs = inputs.with_rows(
            examples.by_curriculum(
                inputs.data.rows, column=reward_arguments.curriculum, seed=study.row_seed, where=inputs.data.where
            )
        )
        training.shuffle_dataset = False
    if any(shares_of(reward_arguments)):
        rows = suggesting(inputs.data.rows, shares_of(reward_arguments), seed=study.row_seed, where=inputs.data.where)
        inputs = inputs.with_rows(rows)
        check_beginnings(rows, use_vllm=training.use_vllm, environment=reward_arguments.environment)
    check_judge(rewards, inputs.data.rows, where=inputs.data.where)
    environment, protocol, inputs = settle_environment(reward_arguments.environment, inputs)
    check_grpo_rows(training, rows=len(inputs.data.rows), where=inputs.data.where)
    if training.use_vllm:
        canary.check_vllm()
    settings = resolved(parsed)
    identity = run.identify(KIND, inputs, settings, training)
    set_seed(training.seed)
    processor, model = load(inputs, study, training, completion_tokens=training.max_completion_length)
    check_in_vocabulary(training.generation_kwargs, tokens=model.config.get_text_config().vocab_size)
    folder = run.claim(identity, settings, training)
    rewards = with_judge(rewards, reward_arguments, folder / "judge" / f"process-{training.process_index}")
    ends = settle_end_tokens(model, processor, user=training.generation_kwargs)
    sampling = (
        vllm_settings(processor=processor, inputs=inputs, ends=ends)
        if training.use_vllm
        else rollout_settings(
            reward_arguments.rollout_cache, model=model, processor=processor, inputs=inputs, prompt=study.prompt
        )
    )
    training.generation_kwargs = with_the_users(sampling, training.generation_kwargs)
    if training.should_save:
        tell_decoding(inputs, processor, ends)
    trainer = StudyGRPOTrainer(
        model=model,
        args=training,
        processing_class=processor,
        reward_funcs=[reward.for_trainer(reward_arguments.answers) for reward in rewards],
        train_dataset=examples.grpo_dataset(
            inputs.data.rows,
            root=inputs.data.root,
            prompt=study.prompt,
            views=views(inputs.data.rows, root=inputs.data.root, adapter=inputs.base.adapter, processor=processor),
        ),
        peft_config=placement.lora_config(study, inputs.base.adapter),
        callbacks=[
            MetricsFile(folder),
            ProgressLine(METHODS[KIND].watched),
            *([] if watch.kl_alarm == "off" else [KLAlarm(watch.kl_alarm)]),
        ],
        completions=CompletionsFile(folder),
        environment=environment,
        protocol=protocol,
        shaping=watch.advantages,
        constraints=constraints_of(watch),
        ranking=ranking_of(watch, training, rewards),
        fast=fast,
    )
    if training.use_vllm:
        canary.prove_synchronised(trainer, trainer.train_dataset[0])
    trainable = placement.check_placement(trainer.model, inputs.base.adapter, full=study.full_finetuning)
    run.train(KIND, trainer, inputs, settings, stop=stop, trainable_parameters=trainable)
