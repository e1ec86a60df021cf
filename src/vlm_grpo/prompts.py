"""What the model is asked: templates by name, in our own words around the study's tags.

`reason` asks for `<think>` and `<answer>` blocks (GRPO and its evaluation); `no_think` for the `<answer>` block alone
(the arm beside it that may not reason); `answer` is the bare problem (SFT on answers, as in the study); `yes_no` is the
bare problem asking for Yes or No (the study's SFT prompt for SmolVLM).
Training and evaluation share these, so the two never differ by a question mark (reference, sections 1.2 and 12.1).
`asks` says what the final answer looks like; a row's task knows it (`vlm_grpo.tasks.asking`).
"""

from vlm_grpo.errors import UserError

TRUE_FALSE = "True or False"
REASON = (
    "Think about the image first and put your reasoning inside <think> </think>, "
    "then put the final answer, {asks}, inside <answer> </answer>."
)
NO_THINK = "Do not reason: put nothing but the final answer, {asks}, inside <answer> </answer>."

REASON_TRUE_FALSE = REASON.replace("{asks}", TRUE_FALSE)

TAGGED = ("reason", "no_think")
"""The templates that ask for tags."""
TEMPLATES = {
    "reason": "{problem} " + REASON,
    "no_think": "{problem} " + NO_THINK,
    "answer": "{problem}",
    "yes_no": "{problem} Please answer with Yes or No.",
}


def render(template: str, problem: str, *, asks: str = TRUE_FALSE) -> str:
    """The user's text for one row: `problem` and what it `asks` for put into the template of that name."""
    if template not in TEMPLATES:
        raise UserError(f"unknown prompt {template!r}; known: {', '.join(TEMPLATES)}")
    return TEMPLATES[template].replace("{asks}", asks).replace("{problem}", problem)


def asks_to_reason(template: str) -> bool:
    """Whether the template of that name asks for a `<think>` block."""
    return "<think>" in TEMPLATES.get(template, "")


def messages(
    template: str, problem: str, *, images: int, asks: str = TRUE_FALSE, marker: str | None = None
) -> list[dict[str, object]]:
    """One user turn in the chat format that processors' templates read; `placed` says where its images stand."""
    return [{"role": "user", "content": placed(render(template, problem, asks=asks), images=images, marker=marker)}]


def placed(text: str, *, images: int, marker: str | None) -> list[dict[str, str]]:
    """`text` and its `images` as the parts of a turn: an image in place of each `marker`, or all of them first.

    They come first where no marker is known, and where the text does not hold it once for each image.
    """
    if marker is None or images == 0 or text.count(marker) != images:
        return [*({"type": "image"} for _ in range(images)), {"type": "text", "text": text}]
    first, *others = text.split(marker)
    parts = [{"type": "text", "text": first}]
    for part in others:
        parts += [{"type": "image"}, {"type": "text", "text": part}]
    return [part for part in parts if part["type"] == "image" or part["text"]]
