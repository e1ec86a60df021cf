"""How many tokens a prompt takes, pictures included, and which rows are too long for a model.

TRL cuts no prompts, so a row that does not fit must be found before a run starts. Text is counted by tokenizing it.
A picture's tokens follow from its size, read from the file's header: by the processor's own formula where it has one
that agrees with a real encoding, else by encoding one blank picture per size.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import AutoConfig

from vlm_grpo import prompts
from vlm_grpo.adapters.base import Adapter, Size
from vlm_grpo.adapters.files import reading
from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.records import Row

Conversation = list[dict[str, object]]
"""Turns in the chat format that processors' templates read."""


class PromptLengths:
    """Counts the tokens of rows' prompts as `adapter.encode` lays them out, without decoding pictures.

    `root` is the folder that the rows' image paths start from; `ask` puts a row as a conversation, and `begin` says
    what the assistant's turn begins with.
    """

    def __init__(
        self,
        adapter: Adapter,
        processor: Any,
        *,
        root: Path,
        ask: Callable[[Row], Conversation],
        begin: Callable[[Row], str] = lambda row: "",
    ) -> None:
        self._adapter = adapter
        self._processor = processor
        self._root = root
        self._ask, self._begin = ask, begin
        self._sizes: dict[str, Size] = {}
        self._image_tokens: dict[Size, int] = {}
        self._has_formula: bool | None = None

    def __call__(self, row: Row) -> int:
        """Tokens of the prompt of `row`, with those that open the assistant's turn and what that begins with."""
        text = self._render(self._ask(row)) + self._begin(row)
        pictures = sum(self._picture(name) - 1 for name in row.images)
        return self._adapter.virtual_tokens + self._text_tokens(text) + pictures

    def _render(self, conversation: Conversation) -> str:
        rendered: str = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        return rendered

    def _text_tokens(self, text: str) -> int:
        """Tokens of `text`, in which one placeholder stands for each picture."""
        return len(self._processor.tokenizer(text)["input_ids"])

    def _picture(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes[name] = upright_size(self._root / name)
        size = self._sizes[name]
        if size not in self._image_tokens:
            self._image_tokens[size] = self._by_formula(size) if self._formula_holds(size) else self._by_encoding(size)
        return self._image_tokens[size]

    def _formula_holds(self, size: Size) -> bool:
        if self._has_formula is None:
            offered = hasattr(self._processor, "_get_num_multimodal_tokens")
            self._has_formula = offered and self._by_formula(size) == self._by_encoding(size)
        return self._has_formula

    def _by_formula(self, size: Size) -> int:
        width, height = size
        tokens: int = self._processor._get_num_multimodal_tokens(image_sizes=[(height, width)])["num_image_tokens"][0]
        return tokens

    def _by_encoding(self, size: Size) -> int:
        text = self._render(prompts.messages("answer", "?", images=1))
        encoded = self._adapter.encode(self._processor, [text], [[Image.new("RGB", size)]])
        return int(encoded["input_ids"].shape[1]) - self._adapter.virtual_tokens - self._text_tokens(text) + 1


def too_long(tokens: int, limit: int) -> str:
    """The reason that is told of a row of `tokens` prompt tokens."""
    return f"prompt of {tokens} tokens, more than the {limit} allowed"


def check_lengths(rows: list[Row], lengths: PromptLengths, *, limit: int, where: str) -> list[int]:
    """The prompt tokens of each row; `UserError` naming the first that has more than `limit`, opened by `where`.

    `limit` is the model's context less the longest completion: `context_length(...) - max_completion_length`.
    """
    if limit <= 0:
        raise UserError(
            f"{where}: the longest completion leaves no room for a prompt in the model; ask for shorter ones"
        )
    counts = []
    for row in rows:
        tokens = lengths(row)
        counts.append(tokens)
        if tokens > limit:
            raise UserError(
                f"{where} row {row.id}: {too_long(tokens, limit)}; build the data set with --max-prompt-tokens, or ask "
                "for smaller pictures or shorter completions"
            )
    return counts


def context_length(checkpoint: Path) -> int:
    """Tokens that the checkpoint's language model has positions for (prompt and completion together)."""
    with reading(f"{checkpoint / 'config.json'} cannot be used"):
        config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False, local_files_only=True)
        return int(config.get_text_config().max_position_embeddings)
