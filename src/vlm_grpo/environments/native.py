"""Tool calls by a model's own chat template, played outside of TRL's trainer as it plays them in training.

Calls are read by TRL's parser, a failed one comes back as TRL words it, and where the chat template cannot go on behind
an assistant's turn, TRL's stand-in for it renders prompts and turns.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from trl.chat_template_utils import (
    add_response_schema,
    get_training_chat_template,
    is_chat_template_prefix_preserving,
    parse_response,
)

from vlm_grpo.environments.base import Environment
from vlm_grpo.environments.conversation import Conversation, Turn, ids_behind, without_controls


class NativeCalls:
    """The tools of `environment`, called by the chat template of `processor`."""

    def __init__(self, environment: Environment, processor: Any) -> None:
        assert environment.tools is not None, f"{environment.name} has no tools"
        self._make, self._processor = environment.tools, add_response_schema(processor)
        keeps = is_chat_template_prefix_preserving(processor)
        self._template = None if keeps else get_training_chat_template(processor)

    @property
    def rendering(self) -> dict[str, Any]:
        """What the chat template is given with each prompt: the tools that it describes, and its stand-in."""
        return {"tools": list(_methods(self._make()).values()), "chat_template": self._template}

    def answered(
        self, going: Sequence[Conversation], *, ends: list[int], longest: int, most_calls: int | None
    ) -> list[Conversation]:
        """Those of `going` whose last turn calls tools, answered: where there is room for a token behind it.

        `ends` are the ids that end a turn, `longest` is how many tokens all turns may have, `most_calls` in how many
        turns calls are answered.
        """
        further = []
        for played in going:
            calls = self._calls(played)
            if not calls or (most_calls is not None and played.rounds >= most_calls):
                continue
            turns, errors = self._results(played, calls)
            ids = self._ids(turns, ends=ends)
            played.is_cut = len(played.ids) + len(ids) >= longest
            if not played.is_cut:
                played.tools_say(turns, ids, errors=errors)
                further.append(played)
        return further

    def _calls(self, played: Conversation) -> list[dict[str, Any]]:
        """The calls in the model's last turn, as TRL's parser reads them; none where it is no well-formed call."""
        ids = played.own_ids
        prefix = [*played.prompt_ids, *played.ids[: len(played.ids) - len(ids)]]
        tools = self.rendering["tools"]
        calls: list[dict[str, Any]] = (
            parse_response(self._processor.tokenizer, ids, prefix=prefix, tools=tools).get("tool_calls") or []
            if ids
            else []
        )
        return calls

    def _results(self, played: Conversation, calls: list[dict[str, Any]]) -> tuple[list[Turn], int]:
        """What the tools say to `calls`, turn by turn, and how many calls failed."""
        turns: list[Turn] = []
        errors = 0
        for call in calls:
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            try:
                content = self._call(played, name, arguments)
            except Exception as error:  # whatever a tool makes of what the model wrote is told to the model
                content = {"error": str(error)}
                errors += 1
            turns.append(
                {"role": "tool", "name": name, "content": content if isinstance(content, list) else str(content)}
            )
        return turns, errors

    def _call(self, played: Conversation, name: str, arguments: dict[str, Any]) -> Any:
        if played.tools is None:
            played.tools = self._make()
            played.tools.reset(images=played.asked)
        tools = _methods(played.tools)
        if name not in tools:
            raise ValueError(f"Tool {name} not found.")
        return tools[name](**arguments)

    def _ids(self, turns: list[Turn], *, ends: list[int]) -> list[int]:
        """The tokens of the tools' `turns`, up to the model's next one's first."""
        call = {"type": "function", "function": {"name": turns[0]["name"], "arguments": {}}}
        before: list[Turn] = [
            {"role": "user", "content": [{"type": "text", "text": "?"}]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ]
        safe = [without_controls(turn, self._processor.tokenizer) for turn in turns]
        return ids_behind(before, safe, self._processor, ends=ends, template=self._template)


def _methods(instance: Any) -> dict[str, Any]:
    """The tools of an environment's `instance`, as TRL takes them: its public methods but `reset`."""
    names = [name for name, _ in inspect.getmembers(type(instance), predicate=inspect.isfunction)]
    return {name: getattr(instance, name) for name in names if not name.startswith("_") and name != "reset"}
