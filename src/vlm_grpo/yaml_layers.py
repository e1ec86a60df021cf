"""Read a YAML file of settings and those it builds on, and remember which file each value comes from.

    extends: grpo.yaml                  # or a list; relative to the file itself
    learning_rate: 1e-5

What a later file says counts: of a list the last one, and the file itself over all of them. Mappings are merged key
by key, everything else is replaced whole. Needs neither torch nor TRL: the workflow and batch scripts read configs too.
"""

import math
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo import yaml_scalars
from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_home

EXTENDS = "extends"
COMMAND_LINE, DEFAULT = "the command line", "default"
COMMENT_COLUMN = 56
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass
class Layers:
    """Settings from several places, the later over the earlier.

    Attributes:
        name: the file that they are read from.
        values: the settings, as YAML gives them; `${VARIABLES}` are not filled in.
        sources: the place (a file, or the command line) that said each entry last, by the keys that lead to it.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[tuple[Hashable, ...], str] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any], source: str) -> None:
        """Put `values`, which `source` says, over what is there."""
        self.put(Layers(source, dict(values), dict.fromkeys(_paths(values), source)))

    def put(self, layers: "Layers") -> None:
        """Put `layers` over what is there."""
        self.values = _merged(self.values, layers.values)
        self.sources |= layers.sources

    def source(self, *keys: Hashable) -> str:
        """The place that said the entry under `keys`, or the innermost entry around it, or these settings' own name."""
        known = (self.sources[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.sources)
        return next(known, self.name)

    def mistake(self, message: str, *keys: Hashable) -> UserError:
        """The error to raise where `message` is wrong with the entry under `keys`."""
        return UserError(f"config {self.source(*keys)}: {'.'.join(map(str, keys))}{': ' if keys else ''}{message}")


def _paths(values: Mapping[str, Any], above: tuple[Hashable, ...] = ()) -> Iterator[tuple[Hashable, ...]]:
    """The keys that lead to each entry of `values`, those within mappings included."""
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, Mapping):
            yield from _paths(value, (*above, key))


def _merged(first: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in later.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def read_layers(path: Path, *, extended_by: tuple[Path, ...] = ()) -> Layers:
    """The settings of the YAML file `path`, over those of the files that it extends.

    `UserError` when a file is missing, is no mapping, gives a key twice, or extends itself. `extended_by` are the files
    that led here.
    """
    path = Path(os.path.normpath(path))
    if path in extended_by:
        chain = " → ".join(map(str, (*extended_by[extended_by.index(path) :], path)))
        raise UserError(f"config {path} extends itself: {chain}; remove one 'extends'")
    if not path.is_file():
        by = f"; {extended_by[-1]} extends it" if extended_by else ""
        raise UserError(f"config {path}: no such file{by}")
    values = yaml_scalars.load(path)
    if not isinstance(values, dict):
        raise UserError(f"config {path}: expected one 'key: value' a line")
    layers = Layers(str(path))
    for name in _extended(values.pop(EXTENDS, []), path):
        layers.put(read_layers(path.parent / name, extended_by=(*extended_by, path)))
    layers.add(values, str(path))
    return layers


def _extended(value: Any, path: Path) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"config {path}: key {EXTENDS!r}: expected a YAML file, or a list of them")
    return [fill_variables(name, where=f"config {path}: key {EXTENDS!r}") for name in names]


def fill_variables(value: Any, *, where: str) -> Any:
    """Replace each `${NAME}` in a text by the environment's value, then a leading `~/` by home; lists item by item.

    An unset variable is a `UserError`.
    """
    if isinstance(value, list):
        return [fill_variables(item, where=where) for item in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if not os.environ.get(name):
            raise UserError(f"{where} needs the environment variable {name}; set it in .env (see .env_example)")
        return os.environ[name]

    return expand_home(_VARIABLE.sub(fill, value))


def traced(settings: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """`settings` as YAML, with the place that each one comes from as a comment; those without a place are defaults."""
    lines = []
    for key, value in settings.items():
        in_one_line = isinstance(value, list | dict)
        text = yaml_scalars.dump({key: value}, default_flow_style=in_one_line, width=math.inf).rstrip("\n")
        text = text.removeprefix("{").removesuffix("}") if in_one_line else text
        place = f"# {sources.get(key, DEFAULT)}"
        lines.append(f"{place}\n{text}" if "\n" in text else f"{text:<{COMMENT_COLUMN}} {place}")
    return "\n".join(lines) + "\n"
