"""Read `--config FILE.yaml` and command-line overrides into dataclasses, strictly.

TRL's `TrlParser` does the parsing; the file's entries are given to it as words before the command line's, so both are
checked alike. Added here: an unknown key, a value of the wrong kind, an unset `${VARIABLE}` or a setting that has no
effect is one clear line, a leading `~/` is home in every setting, and `--dry-run` is known.
"""

import json
import os
import re
import sys
from argparse import SUPPRESS, ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from trl import TrlParser

from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_home, expand_word

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Parsed:
    """The dataclass instances in the order asked, the names the user set, and whether this is a dry run."""

    arguments: tuple[Any, ...]
    given: frozenset[str]
    dry_run: bool


class _Help(RawDescriptionHelpFormatter, ArgumentDefaultsHelpFormatter):
    """Keep the lines of the module's docstring, and tell defaults."""


class _Parser(TrlParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def parse(
    types: Sequence[type],
    argv: Sequence[str] | None = None,
    *,
    description: str,
    no_effect: dict[str, str],
    common: frozenset[str] | None = None,
) -> Parsed:
    """Parse `argv` (default: the process's) into one instance of each of `types`.

    `no_effect` maps a setting to the reason why it does nothing here: setting it is an error. `common` are the settings
    that `--help` shows (None: all); the others work too, and `--help-all` lists them.
    """
    words = [expand_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    parser = _Parser(
        prog=_program(),
        usage="%(prog)s --config FILE.yaml [--setting value ...] [--dry-run]",
        dataclass_types=list(types),
        description=description,
        allow_abbrev=False,
        formatter_class=_Help,
    )
    parser.add_argument("--config", metavar="FILE.yaml", help="Settings; the command line overrides them.")
    parser.add_argument("--dry-run", action="store_true", help="Print the resolved settings and what would run.")
    if common is not None:
        _shorten_help(parser, common | {"help", "config", "dry_run"}, hidden=frozenset(no_effect), words=words)
    path = _value_after(words, "--config")
    from_file = _read(path, known=sorted(setting_names(*types)))
    from_words = {name for name in _names_in(words) if name not in ("config", "dry_run")}
    given = frozenset(from_file) | frozenset(from_words)
    for name in sorted(given & no_effect.keys()):
        raise UserError(f"setting {name!r} has no effect: {no_effect[name]}; remove it")
    parser.set_defaults_with_config(**{key: None for key, value in from_file.items() if value is None})
    try:
        *arguments, extra, unknown = parser.parse_args_into_dataclasses(
            args=[*_as_words(from_file), *words], return_remaining_strings=True
        )
    except ValueError as error:
        raise UserError(f"{str(error).strip().splitlines()[0]}; see --help") from None
    except UserError as error:
        flag = re.search(r"argument --(\w+)", str(error))
        blame = f"config {path}: " if flag and flag[1] in from_file and flag[1] not in from_words else ""
        raise UserError(f"{blame}{error}") from None
    if unknown:
        raise UserError(f"unknown setting {unknown[0]!r} on the command line; see --help")
    return Parsed(arguments=tuple(arguments), given=given, dry_run=extra.dry_run)


def _program() -> str | None:
    """How this command is called: `python -m` and the module, where it was started that way."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else None


def _shorten_help(parser: _Parser, common: frozenset[str], *, hidden: frozenset[str], words: list[str]) -> None:
    """Show only `common` in `--help`, and everything but `hidden` in `--help-all`."""
    everything = "--help-all" in words
    parser.add_argument("--help-all", action="help", help="Show every setting, TRL's own included.")
    for action in parser._actions:
        is_shown = action.dest not in hidden if everything else action.dest in common | {"help_all"}
        if not is_shown:
            action.help = SUPPRESS


def _as_words(settings: dict[str, Any]) -> list[str]:
    """`settings` as command-line words; what is null keeps its default and has none."""
    words: list[str] = []
    for key, value in settings.items():
        if isinstance(value, list):
            words += [f"--{key}", *map(str, value)]
        elif isinstance(value, dict):
            words += [f"--{key}", json.dumps(value)]
        elif value is not None:
            words += [f"--{key}", str(value)]
    return words


def setting_names(*types: type) -> frozenset[str]:
    """The names of the settings that the dataclasses `types` hold."""
    return frozenset(field.name for t in types for field in fields(t) if field.init)


def _names_in(words: Sequence[str]) -> list[str]:
    flags = [word.removeprefix("--").split("=")[0].replace("-", "_") for word in words if word.startswith("--")]
    return [flag.removeprefix("no_") for flag in flags]


def _value_after(words: Sequence[str], flag: str) -> Path | None:
    for index, word in enumerate(words):
        if word == flag and index + 1 < len(words):
            return Path(words[index + 1])
        if word.startswith(f"{flag}="):
            return Path(word.split("=", 1)[1])
    return None


def _read(path: Path | None, *, known: list[str]) -> dict[str, Any]:
    if path is None:
        return {}
    if not path.is_file():
        raise UserError(f"config {path}: no such file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"config {path}: not YAML ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"config {path}: expected one 'key: value' a line")
    for key in content:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see --help for the known ones"
            raise UserError(f"config {path}: unknown key {key!r}{hint}")
    return {key: fill_variables(value, where=f"config {path}: key {key!r}") for key, value in content.items()}


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
