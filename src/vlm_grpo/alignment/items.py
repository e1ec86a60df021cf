"""What an alignment table is made of: judged items, one per (item, model), and the set of them for one split."""

from dataclasses import dataclass, replace

from vlm_grpo.verdicts.kinds import PUBLISHED


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """One answer of one model with the judge's verdict on it.

    `truth` is the true answer as text, `correct` whether the model's agrees with it (None: it cannot be read) under the
    rule called `rule`. `aligns` is the verdict (None: missing, for the reason in `missing`); `type` is one of the
    judge's kinds exactly when `aligns` is False, and None when the judge was asked for none. `where` names file and row
    for messages.
    """

    item: str
    model: str
    truth: str
    answer: str
    correct: bool | None
    rule: str
    aligns: bool | None
    type: str | None
    where: str
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedSplit:
    """All judged items of one split, models in the order of the table (the first is the reference).

    `size` is the number of items that the split has (None: not stated), `notes` what a reader of the table must know,
    `kinds` the names of the judge's kinds of misalignment (empty: it was asked for none).
    """

    split: str
    judge: str
    models: tuple[str, ...]
    items: tuple[JudgedItem, ...]
    size: int | None
    notes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = tuple(PUBLISHED)

    def of(self, model: str) -> tuple[JudgedItem, ...]:
        """The items of one model, in order."""
        return tuple(item for item in self.items if item.model == model)

    @property
    def answer_rule(self) -> str:
        """How the answers were read, by whom if that differs."""
        rules = {model: " and ".join(dict.fromkeys(item.rule for item in self.of(model))) for model in self.models}
        if len(set(rules.values())) == 1:
            return next(iter(rules.values()))
        return ", ".join(f"{rule} ({model})" for model, rule in rules.items())

    def with_note(self, note: str) -> "JudgedSplit":
        """The same split with one more note."""
        return replace(self, notes=(*self.notes, note))
