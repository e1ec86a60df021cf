"""A completion of several turns: the model's tokens and the environment's, and what each said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from vlm_grpo.environments.base import Environment, Reply
from vlm_grpo.errors import UserError

Turn = dict[str, Any]
"""One turn in the chat format: `role`, and `content` as text or as a list of parts."""


@dataclass
class Conversation:
    """What follows on one prompt.

    Attributes:
        prompt: its turns, pictures in them.
        prompt_ids: its tokens.
        ids: the tokens that follow, of all turns.
        mask: 1 at the tokens that the model wrote, 0 at the environment's.
        logprobs: vLLM's log-probabilities of the model's tokens, 0 elsewhere; empty where it does not sample.
        turns: what follows on the prompt, turn by turn.
        added: the pictures that the environment showed, in order.
        calls, errors: the tool calls that were answered, and those of them that failed.
        rounds: in how many turns native calls were answered, and `tools` what answers them; None before the first.
        is_cut: whether it ended since the environment's next turn left no room for another of the model's.
    """

    prompt: list[Turn]
    prompt_ids: list[int]
    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    added: list[Image.Image] = field(default_factory=list)
    calls: int = 0
    errors: int = 0
    rounds: int = 0
    tools: Any = None
    is_cut: bool = False

    @property
    def said(self) -> list[str]:
        """What the model said, turn by turn."""
        return [turn["content"] for turn in self.turns if turn["role"] == "assistant"]

    @property
    def own_ids(self) -> list[int]:
        """The tokens of the model's last turn."""
        behind = next((at for at in range(len(self.ids), 0, -1) if not self.mask[at - 1]), 0)
        return self.ids[behind:]

    @property
    def asked(self) -> list[Image.Image]:
        """The prompt's pictures."""
        return pictures_of(self.prompt)

    @property
    def shown(self) -> list[Turn]:
        """All turns with their pictures but without the model's words, which stand in `ids` and are not read again."""
        return [
            *self.prompt,
            *({**turn, "content": "!"} if turn["role"] == "assistant" else turn for turn in self.turns),
        ]

    def model_says(self, ids: list[int], text: str, logprobs: list[float] | None) -> None:
        """Append a turn of the model's."""
        self.ids += ids
        self.mask += [1] * len(ids)
        self.logprobs += logprobs or []
        self.turns.append({"role": "assistant", "content": text})

    def environment_says(self, reply: Reply, ids: list[int], *, has_logprobs: bool) -> None:
        """Append a turn of the environment's."""
        self.ids += ids
        self.mask += [0] * len(ids)
        self.logprobs += [0.0] * len(ids) if has_logprobs else []
        self.turns.append({"role": "user", "content": content_of(reply)})
        self.added += [] if reply.picture is None else [reply.picture]
        self.calls += reply.is_call
        self.errors += reply.is_error

    def tools_say(self, turns: list[Turn], ids: list[int], *, errors: int) -> None:
        """Append what tools say to the native calls of one turn."""
        self.ids += ids
        self.mask += [0] * len(ids)
        self.turns += turns
        self.added += pictures_of(turns)
        self.calls += len(turns)
        self.errors += errors
        self.rounds += 1


def answered(
    going: Sequence[Conversation],
    environment: Environment,
    processor: Any,
    *,
    ends: list[int],
    longest: int,
    most_calls: int | None,
    has_logprobs: bool = False,
) -> list[Conversation]:
    """Those of `going` that the `environment` answers, answered: where the model then has room for a token at least.

    `ends` are the ids that end a turn, `longest` is how many tokens all turns may have, `most_calls` how many calls are
    answered.
    """
    further = []
    for played in going:
        reply = environment.respond(played.said, played.asked)
        if reply is None or (reply.is_call and most_calls is not None and played.calls >= most_calls):
            continue
        ids = turn_ids(processor, reply, ends=ends)
        played.is_cut = len(played.ids) + len(ids) >= longest
        if not played.is_cut:
            played.environment_says(reply, ids, has_logprobs=has_logprobs)
            further.append(played)
    return further


def content_of(reply: Reply) -> list[dict[str, Any]]:
    """`reply` as the parts of a turn: its picture, then its text."""
    shown = [] if reply.picture is None else [{"type": "image", "image": reply.picture}]
    return [*shown, {"type": "text", "text": reply.text}]


def pictures_of(turns: list[Turn]) -> list[Image.Image]:
    """The pictures in `turns`, in order."""
    parts = [part for turn in turns if isinstance(turn["content"], list) for part in turn["content"]]
    return [part["image"] for part in parts if part["type"] == "image"]


def spoken(turns: list[Turn]) -> list[dict[str, Any]]:
    """`turns` as plain values: `role`, `text`, and `pictures` as a list of sizes where a turn shows some."""
    plain = []
    for turn in turns:
        content = turn["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        sizes = [list(picture.size) for picture in pictures_of([turn])]
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        plain.append({"role": turn["role"], "text": text, **({"pictures": sizes} if sizes else {})})
    return plain


def turn_ids(processor: Any, reply: Reply, *, ends: list[int]) -> list[int]:
    """The tokens of `reply` as a user's turn, from behind the token that ended the model's up to its next one's first.

    The chat template writes the turn, so what surrounds it is what it would be had the conversation been rendered
    whole. `ends` are the ids that end a turn of the model's.
    """
    before: list[Turn] = [
        {"role": "user", "content": [{"type": "text", "text": "?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "!"}]},
    ]
    return ids_behind(before, [{"role": "user", "content": content_of(reply)}], processor, ends=ends)


def ids_behind(
    before: list[Turn], turns: list[Turn], processor: Any, *, ends: list[int], template: str | None = None
) -> list[int]:
    """The tokens that `turns` add behind `before`, whose last is the model's, up to those that open its next one.

    `template` stands in for the processor's chat template.
    """
    own = {} if template is None else {"chat_template": template}
    closed: str = processor.apply_chat_template(before, tokenize=False, **own)
    whole: str = processor.apply_chat_template([*before, *turns], tokenize=False, add_generation_prompt=True, **own)
    behind = max(_behind(closed, token) for token in processor.tokenizer.convert_ids_to_tokens(ends))
    if behind < 0 or not whole.startswith(closed[:behind]):
        raise UserError(
            "the checkpoint's chat template cannot go on behind an assistant's turn, so no environment can answer it; "
            "leave environment out, or take a checkpoint whose template renders several turns"
        )
    text, pictures = whole[behind:], pictures_of(turns)
    if not pictures:
        ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids
    expanded: list[list[int]] = processor(images=[pictures], text=[text])["input_ids"]
    return list(expanded[0])


def without_controls(turn: Turn, tokenizer: Any) -> Turn:
    """`turn` of a tool whose words hold no token that controls the conversation or stands for a picture."""
    controls = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]

    def spelt_out(text: Any) -> str:
        for control in controls:
            text = str(text).replace(control, " ".join(control))
        return str(text)

    content = turn["content"]
    if isinstance(content, str):
        content = spelt_out(content)
    else:
        content = [{**part, "text": spelt_out(part["text"])} if part["type"] == "text" else part for part in content]
    return {**turn, "name": spelt_out(turn["name"]), "content": content}


def _behind(text: str, token: str) -> int:
    """The position behind the last `token` in `text`; -1 where there is none."""
    at = text.rfind(token)
    return -1 if at < 0 else at + len(token)
