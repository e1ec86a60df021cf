"""Whether rows, batches and processes fit together: told before anything is loaded.

A run whose rows fill no batch would take no step at all.
"""

from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments


def check_processes(training: GRPOArguments | SFTArguments) -> None:
    """`UserError` where one process sees several GPUs, over which TRL does not spread a model."""
    if training.n_gpu > 1:
        raise UserError(
            f"{training.n_gpu} GPUs are visible to a single process; launch one for each (see configs/accelerate), or "
            "make one visible: CUDA_VISIBLE_DEVICES=0"
        )


def check_grpo_rows(training: GRPOArguments, *, rows: int, where: str) -> None:
    """`UserError` where `rows` are fewer than the prompts that GRPO generates for at once; `where` opens its line."""
    prompts = training.generation_batch_size // training.num_generations
    if rows < prompts:
        raise UserError(
            f"{where}: {rows} rows, and a batch of rollouts takes {prompts} ({training.generation_batch_size} "
            f"completions, {training.num_generations} a prompt, on {training.world_size} process(es)): no step could "
            "be taken; give more rows, or lower per_device_train_batch_size or gradient_accumulation_steps"
        )


def check_sft_rows(training: SFTArguments, *, rows: int, where: str) -> None:
    """`UserError` where incomplete batches are dropped and `rows` fill none; `where` opens its line."""
    batch = training.per_device_train_batch_size * training.world_size
    if training.dataloader_drop_last and rows < batch:
        raise UserError(
            f"{where}: {rows} rows, and a batch takes {batch} on {training.world_size} process(es), so with "
            "dataloader_drop_last no step could be taken; lower per_device_train_batch_size, or remove it"
        )
