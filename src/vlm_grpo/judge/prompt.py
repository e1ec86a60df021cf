"""Judge prompts: YAML files with `system`, `user` and the `kinds` of misalignment, filled in for one item.

    kinds:
      wrong_object: the reasoning is about another thing than the claim
      other: it fails in another way

`kinds` is as `vlm_grpo.verdicts.kinds` says; without it the prompt asks for no type. The texts tell of them in words
of their own, or `{kinds}` in the user's text stands for all names and meanings. Answers are held to them.

The hash of a prompt covers its texts, so a verdict tells which wording it answered, and kinds that are not the
published ones.
"""

import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from vlm_grpo.errors import UserError
from vlm_grpo.paths import user_path
from vlm_grpo.verdicts import kinds
from vlm_grpo.verdicts.prompt import FIELDS, Prompt

FOLDER = Path(__file__).parent / "prompts"
KEYS = ("system", "user", "kinds")


def load(name: str) -> Prompt:
    """Load a prompt by the name of its file in `vlm_grpo/judge/prompts`, or by path. `UserError` when it is broken."""
    path = user_path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise UserError(f"no judge prompt {name!r}; known: {known}; or give the path of a YAML file")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({error})") from None
    if not isinstance(content, dict) or not {"system", "user"} <= content.keys() <= {*KEYS, "asks_type"}:
        raise UserError(f"{path}: expected the keys system, user and kinds")
    for key in ("system", "user"):
        if not isinstance(content[key], str):
            raise UserError(f"{path}: {key} is {content[key]!r}, expected text")
    absent = [field for field in FIELDS if f"{{{field}}}" not in content["user"]]
    if absent:
        raise UserError(f"{path}: the user's text lacks {{{absent[0]}}}")
    return Prompt(path.stem, content["system"], content["user"], _kinds(content, path))


def _kinds(content: dict[str, Any], path: Path) -> dict[str, str]:
    """The kinds of a prompt file; of one in the old form (`asks_type: true` or `false`) with a line on the new one."""
    if "asks_type" not in content:
        return kinds.check(content.get("kinds"), str(path))
    asks = content["asks_type"]
    if "kinds" in content or not isinstance(asks, bool):
        raise UserError(f"{path}: asks_type gives way to kinds (a name and a meaning each); remove asks_type")
    meant = dict(kinds.PUBLISHED if asks else kinds.NONE)
    write = f"`kinds: [{', '.join(meant)}]`" if asks else "nothing, for a prompt that asks for no type"
    print(f"note: {path}: asks_type is the old form of kinds; write {write} in its place", file=sys.stderr)
    return meant


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that a mapping holds twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)
