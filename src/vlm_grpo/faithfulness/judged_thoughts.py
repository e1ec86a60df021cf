"""A run of the judge about the thoughts of one arm: one item a row, and what is sent of it is the run's to say."""

import argparse
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from vlm_grpo.faithfulness.saved import Saved
from vlm_grpo.judge.inputs import JudgedArm
from vlm_grpo.judge.run import Asked, Run
from vlm_grpo.rows.records import Row
from vlm_grpo.store.encoding import well_formed
from vlm_grpo.verdicts.items import Item
from vlm_grpo.verdicts.prompt import Prompt


class ThoughtsRun(Run, ABC):
    """Asks `prompt`, whose question is a JSON object, about each row's thought in `pairs`; never of answer or truth."""

    def __init__(
        self, given: argparse.Namespace, saved: Saved, prompt: Prompt, pairs: Sequence[tuple[Row, str]]
    ) -> None:
        items = [
            Item(
                row_id=row.id,
                model=saved.name,
                question=row.problem,
                truth="",
                right=None,
                rule="",
                images=row.images,
                reasoning=thought,
                answer="",
                unjudgeable=None,
            )
            for row, thought in pairs
        ]
        self.rows = {row.id: row for row in saved.rows}
        arm = JudgedArm(saved.name, saved.name, None, len(saved.rows), saved.fingerprint, tuple(items))
        super().__init__(given, Asked(prompt, [arm], saved.name))

    @abstractmethod
    def sent(self, item: Item) -> Mapping[str, Any]:
        """The JSON object that the prompt is about."""

    @override
    def _render(self, item: Item) -> str:
        text = json.dumps(self.sent(item), ensure_ascii=False)
        return self.prompt.render(question=well_formed(text), reasoning="", answer="")
