"""Prompts exactly as a model is asked, rendered by its own processor.

`render` is the one place of the golden run that imports the package: a move of the wording or of the families re-points
it, and must leave what it returns as it is.
"""

from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import open_checkpoint


def render(family: str, template: str, problem: str) -> str:
    """The prompt of the embedded `family` for `problem` about one picture, put into the template of that name."""
    processor = open_checkpoint(f"embedded:{family}").load_processor()
    return processor.apply_chat_template(
        prompts.messages(template, problem, images=1), add_generation_prompt=True, tokenize=False
    )
