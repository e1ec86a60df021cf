"""What an environment is: what it says between the turns of a model that answers a row in several.

Its words and pictures become tokens of the completion that the model did not write; they carry no loss. What a
conversation earns is for the rewards: they read the last turn, or all (`rewards/base.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from vlm_grpo.rows.records import Row

Protocol = Literal["text", "native"]
"""How a model and its environment talk: in texts that we read and write, or in the calls of its own chat template."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A user's turn that an environment writes.

    Attributes:
        text: what it says.
        picture: what it shows before the text, if anything.
        is_call: whether it answers the call of a tool.
        is_error: whether that call failed, and `text` says why.
    """

    text: str
    picture: Image.Image | None = None
    is_call: bool = False
    is_error: bool = False


Respond = Callable[[Sequence[str], Sequence[Image.Image]], Reply | None]
"""(what the model has said, turn by turn; the row's pictures) -> what comes next; None: the conversation is over."""


def adds_nothing(row: Row, root: Path) -> str:
    """Nothing is added to the question."""
    return ""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment.

    Attributes:
        name: as written in a configuration.
        respond: the pure function that speaks for it in the text protocol.
        told: (row, root of the pictures) -> what is added to the row's question, in the text protocol.
        told_native: the same where the chat template describes the tools itself.
        tools: TRL's environment class, whose public methods are the tools, for the native protocol.
        adds_pictures: whether replies may show pictures.
        protocols: how it talks with models of a `model_type`; None: with every model, in texts.
    """

    name: str
    respond: Respond
    told: Callable[[Row, Path], str] = adds_nothing
    told_native: Callable[[Row, Path], str] = adds_nothing
    tools: type | None = None
    adds_pictures: bool = False
    protocols: dict[str, Protocol] | None = field(default=None)

    @property
    def has_tools(self) -> bool:
        """Whether the model may call something, so that calls are counted."""
        return self.tools is not None

    def protocol(self, model_type: str) -> Protocol | None:
        """How it talks with a model of that `model_type`; None: it cannot."""
        return "text" if self.protocols is None else self.protocols.get(model_type)

    def asked(self, row: Row, *, root: Path, protocol: Protocol) -> Row:
        """`row` with what the environment tells the model beforehand behind its problem."""
        told = (self.told if protocol == "text" else self.told_native)(row, root)
        return row.model_copy(update={"problem": f"{row.problem} {told}"}) if told else row
