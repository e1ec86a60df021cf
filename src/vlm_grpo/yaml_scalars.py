"""PyYAML with the scalars of YAML 1.2 and without keys that are given twice.

PyYAML knows YAML 1.1, where `010` is 8, `1:40` is 100, `no` and `off` are false, `2026-01-01` is a date and `1e-5` is
text. Here scalars are what YAML 1.2's core schema says (its section 10.3.2), which is what people mean: 10, and texts
but for the last, which is a number. A number remembers how it was written, so that a setting that is a name can keep
its text (`run_name: 010`).
"""

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vlm_grpo import text_files
from vlm_grpo.errors import UserError

NULL = re.compile(r"~|null|Null|NULL|")
BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
DECIMAL = re.compile(r"[-+]?[0-9]+")
INT = re.compile(rf"{DECIMAL.pattern}|0o[0-7]+|0x[0-9a-fA-F]+")
FINITE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
FLOAT = re.compile(rf"{FINITE.pattern}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
CORE = {"null": NULL, "bool": BOOL, "int": INT, "float": FLOAT, "merge": re.compile("<<")}
"""Which plain texts are no text, by the kind they are of; the first that fits counts."""


class WrittenInt(int):
    """A whole number and its `text` in the file."""

    text: str


class WrittenFloat(float):
    """A number and its `text` in the file."""

    text: str


def as_word(value: Any) -> str:
    """A scalar as a word of the command line: numbers as they were written."""
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "text", value))


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value in keys[:number]:
                line = key.start_mark.line + 1
                raise UserError(
                    f"config {key.start_mark.name} line {line}: key {key.value!r} is given twice; remove one"
                )
        return node

    def construct_core_bool(self, node: yaml.ScalarNode) -> bool:
        """`true` or `false`."""
        return self._fitting(node, BOOL).lower() == "true"

    def construct_core_int(self, node: yaml.ScalarNode) -> int:
        """Decimal whatever it begins with, but for `0o` and `0x`."""
        text = self._fitting(node, INT)
        if not DECIMAL.fullmatch(text):
            return int(text, 0)
        number = WrittenInt(text)
        number.text = text
        return number

    def construct_core_float(self, node: yaml.ScalarNode) -> float:
        """A number, `.inf` or `.nan`."""
        text = self._fitting(node, FLOAT)
        if not FINITE.fullmatch(text):
            return math.nan if text.lower() == ".nan" else math.copysign(math.inf, -1 if text.startswith("-") else 1)
        number = WrittenFloat(text)
        number.text = text
        return number

    def _fitting(self, node: yaml.ScalarNode, pattern: re.Pattern[str]) -> str:
        """The node's text; it does not fit where the file gives it a tag (`!!int many`)."""
        text = str(self.construct_scalar(node))
        if not pattern.fullmatch(text):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"{text!r} is no {kind}", node.start_mark)
        return text


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that either version of YAML takes for something else."""


for _kind, _pattern in CORE.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern.pattern})$"), None)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern.pattern})$"), None)
_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_core_bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_core_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_core_float)
_Dumper.add_representer(WrittenInt, lambda dumper, value: dumper.represent_int(int(value)))
_Dumper.add_representer(WrittenFloat, lambda dumper, value: dumper.represent_float(float(value)))


def load(path: Path) -> Any:
    """What the YAML file `path` holds; `UserError` where it is none, or gives a key twice."""
    try:
        text = io.StringIO(text_files.read_text(path))
        text.name = str(path)
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"config {path}: not YAML ({error})") from None


def dump(values: Mapping[str, Any], **layout: Any) -> str:
    """`values` as YAML that `load` reads back as it is; `layout` as in PyYAML."""
    text: str = yaml.dump(dict(values), Dumper=_Dumper, allow_unicode=True, **layout)
    return text
