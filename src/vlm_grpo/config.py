"""Read `--config FILE.yaml` and command-line overrides into dataclasses, strictly.

TRL's `TrlParser` does the parsing; the file's entries are given to it as words before the command line's, so both are
checked alike. Added here: a file may build on others (`yaml_layers.py`) and each value's place is known; an unknown
key, a value of the wrong kind, no value where one is needed, an unset `${VARIABLE}` or a setting that has no effect is
one clear line; a leading `~/` is home in every setting; `--dry-run`.
"""

import json
import re
import sys
from argparse import SUPPRESS, ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from trl import TrlParser

from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_word
from vlm_grpo.yaml_layers import COMMAND_LINE, Layers, fill_variables, read_layers
from vlm_grpo.yaml_scalars import as_word

OWN_FLAGS = {"config", "dry_run", "help", "help_all"}


@dataclass(frozen=True)
class Parsed:
    """The dataclass instances in the order asked, whether this is a dry run, and where the user set each setting."""

    arguments: tuple[Any, ...]
    dry_run: bool
    sources: Mapping[str, str]

    @property
    def given(self) -> frozenset[str]:
        """The names that the user set."""
        return frozenset(self.sources)


class _Help(RawDescriptionHelpFormatter, ArgumentDefaultsHelpFormatter):
    """Keep the lines of the module's docstring, and tell defaults."""


NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
"""What is a negative number, and no option; Python 3.11's argparse takes -1e-5 for one."""


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
    never_null: frozenset[str] = frozenset(),
) -> Parsed:
    """Parse `argv` (default: the process's) into one instance of each of `types`.

    `no_effect` maps a setting to the reason why it does nothing here: setting it is an error. `common` are the settings
    that `--help` shows (None: all); the others work too, and `--help-all` lists them. A null in a file means unset
    where the setting's type allows None, but for those of `never_null`, and is an error elsewhere.
    """
    words = [expand_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    known = sorted(setting_names(*types))
    needed = never_null | {name for name in known if not _admits_none(name, types)}
    parser = _Parser(
        prog=_program(),
        usage="%(prog)s --config FILE.yaml [--setting value ...] [--dry-run]",
        dataclass_types=list(types),
        description=description,
        allow_abbrev=False,
        formatter_class=_Help,
    )
    parser._negative_number_matcher = NEGATIVE
    parser.add_argument("--config", metavar="FILE.yaml", help="Settings; the command line overrides them.")
    parser.add_argument("--dry-run", action="store_true", help="Print the resolved settings and what would run.")
    if common is not None:
        _shorten_help(parser, common | {"help", "config", "dry_run"}, hidden=frozenset(no_effect), words=words)
    path = _config(words)
    _check_flags(words, known)
    layers = _read(path, known=known, needed=needed)
    from_file = layers.values
    from_words = set(_names_in(words)) - OWN_FLAGS
    sources = {name: layers.source(name) for name in from_file} | dict.fromkeys(from_words, COMMAND_LINE)
    for name in sorted(sources.keys() & no_effect.keys()):
        raise UserError(f"setting {name!r} has no effect: {no_effect[name]}; remove it")
    parser.set_defaults_with_config(**{key: None for key, value in from_file.items() if value is None})
    try:
        *arguments, extra, unknown = parser.parse_args_into_dataclasses(
            args=[*_as_words(_without_defaults(from_file, types)), *words], return_remaining_strings=True
        )
    except ValueError as error:
        raise UserError(f"{str(error).strip().splitlines()[0]}; see --help") from None
    except UserError as error:
        flag = re.search(r"(?:argument --|setting '|^unknown )(\w+)", str(error))
        blame = f"config {sources[flag[1]]}: " if flag and flag[1] in from_file.keys() - from_words else ""
        raise UserError(f"{blame}{error}") from None
    if unknown:
        several = [key for key, value in from_file.items() if isinstance(value, list) and unknown[0] not in words]
        if several:
            raise UserError(f"config {layers.source(several[0])}: key {several[0]!r} takes one value, and no list")
        raise _unknown(unknown[0], known)
    for name, value in _texts(arguments, sources):
        if not value.strip():
            place = f"config {sources[name]}: " if sources[name] != COMMAND_LINE else ""
            raise UserError(f"{place}setting {name!r} is empty; give a value, or leave it out")
    return Parsed(arguments=tuple(arguments), dry_run=extra.dry_run, sources=sources)


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


def _without_defaults(settings: dict[str, Any], types: Sequence[type]) -> dict[str, Any]:
    """`settings` without the empty lists that are so by default: on a command line no words say that."""
    empty = {field.name for t in types for field in fields(t) if field.default_factory is list}
    return {name: value for name, value in settings.items() if value != [] or name not in empty}


def _as_words(settings: dict[str, Any]) -> list[str]:
    """`settings` as command-line words; what is null keeps its default and has none."""
    words: list[str] = []
    for key, value in settings.items():
        if isinstance(value, list):
            words += [f"--{key}", *map(as_word, value)]
        elif isinstance(value, dict):
            words += [f"--{key}", json.dumps(value)]
        elif value is not None:
            words += [f"--{key}", as_word(value)]
    return words


def setting_names(*types: type) -> frozenset[str]:
    """The names of the settings that the dataclasses `types` hold."""
    return frozenset(field.name for t in types for field in fields(t) if field.init)


def _admits_none(name: str, types: Sequence[type]) -> bool:
    """Whether the setting's type has None in it, as it is written: the parser changes the fields' own."""
    hints = next(hints for t in types if name in (hints := get_type_hints(t)))
    return type(None) in get_args(hints[name])


def _texts(arguments: Sequence[Any], given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The settings that the user gave, of those that are texts."""
    for part in arguments:
        yield from ((name, value) for name, value in vars(part).items() if name in given and isinstance(value, str))


def _check_flags(words: Sequence[str], known: Sequence[str]) -> None:
    """`UserError` for the first word of the form `--NAME` that is no setting."""
    for word in words:
        for name in _names_in([word]):
            if name and name not in known and name not in OWN_FLAGS:
                raise _unknown(word.split("=")[0], known)


def _unknown(flag: str, known: Sequence[str]) -> UserError:
    near = get_close_matches(flag.strip("-").replace("-", "_"), [*known, *OWN_FLAGS], n=1)
    hint = (
        f"did you mean '--{near[0].replace('_', '-') if near[0] in OWN_FLAGS else near[0]}'?" if near else "see --help"
    )
    return UserError(f"unknown setting {flag!r} on the command line; {hint}")


def _names_in(words: Sequence[str]) -> list[str]:
    flags = [word.removeprefix("--").split("=")[0].replace("-", "_") for word in words if word.startswith("--")]
    return [flag.removeprefix("no_") for flag in flags]


def _config(words: Sequence[str]) -> Path | None:
    """The value of `--config`; `UserError` where it is given twice."""
    values = [following for word, following in pairwise([*words, ""]) if word == "--config"]
    values += [word.split("=", 1)[1] for word in words if word.startswith("--config=")]
    if len(values) > 1:
        raise UserError("--config is given twice; give one file, which may extend others")
    return Path(values[0]) if values else None


def _read(path: Path | None, *, known: Sequence[str], needed: Collection[str]) -> Layers:
    """The settings of the config `path` and of those it extends, `${VARIABLES}` filled in.

    `UserError` for a key that is not `known`, and for a null where a value is `needed`.
    """
    if path is None:
        return Layers(COMMAND_LINE)
    layers = read_layers(path)
    for key, value in layers.values.items():
        where = f"config {layers.source(key)}"
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see --help for the known ones"
            raise UserError(f"{where}: unknown key {key!r}{hint}")
        if value is None and key in needed:
            raise UserError(f"{where}: key {key!r} has no value; give one, or remove the line")
        layers.values[key] = fill_variables(value, where=f"{where}: key {key!r}")
    return layers
