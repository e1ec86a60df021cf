"""Judge prompts: YAML files with `system`, `user` and `asks_type`, filled in for one item.

The hash of a prompt covers its texts, so a verdict tells which wording it answered.
"""

import re
from dataclasses import dataclass

import yaml

from vlm_grpo.errors import UserError
from vlm_grpo.paths import user_path
from vlm_grpo.store.provenance import REPOSITORY, text_hash

FOLDER = REPOSITORY / "alignment_judge" / "prompts"
_FIELDS = ("question", "reasoning", "answer")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A judge prompt. `asks_type` says whether the answer carries a type of misalignment."""

    name: str
    system: str
    user: str
    asks_type: bool

    @property
    def hash(self) -> str:
        """SHA-256 over both texts."""
        return text_hash(f"{self.system}\0{self.user}")

    def render(self, *, question: str, reasoning: str, answer: str) -> str:
        """The user's text for one item; braces in the values stay as they are."""
        values = {"question": question, "reasoning": reasoning, "answer": answer}
        return re.sub(r"\{(question|reasoning|answer)\}", lambda match: values[match.group(1)], self.user)


def load(name: str) -> Prompt:
    """Load a prompt by the name of its file in `alignment_judge/prompts`, or by path."""
    path = user_path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise UserError(f"no judge prompt {name!r}; known: {known}; or give the path of a YAML file")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({error})") from None
    if not isinstance(found, dict) or set(found) != {"system", "user", "asks_type"}:
        raise UserError(f"{path}: expected the keys system, user and asks_type")
    absent = [field for field in _FIELDS if f"{{{field}}}" not in found["user"]]
    if absent:
        raise UserError(f"{path}: the user's text lacks {{{absent[0]}}}")
    return Prompt(path.stem, found["system"], found["user"], bool(found["asks_type"]))
