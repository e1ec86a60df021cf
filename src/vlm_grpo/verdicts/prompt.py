"""A judge prompt: its texts, filled in for one item, and the kinds of misalignment that it asks for."""

import re
from dataclasses import dataclass

from vlm_grpo.store.provenance import text_hash
from vlm_grpo.verdicts import kinds
from vlm_grpo.verdicts.judgements import Form

FIELDS = ("question", "reasoning", "answer")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A judge prompt; `kinds` is empty when it asks for no type of misalignment, `form` what is answered."""

    name: str
    system: str
    user: str
    kinds: kinds.Kinds
    form: Form = "alignment"

    @property
    def hash(self) -> str:
        """SHA-256 over both texts, and over the names of kinds of the prompt's own."""
        own = tuple(self.kinds) not in (tuple(kinds.PUBLISHED), tuple(kinds.NONE))
        user = self.user.replace("{kinds}", self._listed_kinds())
        return text_hash("\0".join((self.system, user, *(self.kinds if own else ()))))

    def render(self, *, question: str, reasoning: str, answer: str) -> str:
        """The user's text for one item; braces in the values stay as they are."""
        values = {"question": question, "reasoning": reasoning, "answer": answer, "kinds": self._listed_kinds()}
        return re.sub(r"\{(question|reasoning|answer|kinds)\}", lambda match: values[match.group(1)], self.user)

    def _listed_kinds(self) -> str:
        return "\n".join(f'- "{name}": {meaning}' if meaning else f'- "{name}"' for name, meaning in self.kinds.items())
