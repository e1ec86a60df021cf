"""Print the folder that a command writes to: `python -m vlm_grpo.where --config FILE.yaml [ARGUMENT ...]`.

The arguments are those of a training, evaluation or merge command. Only `--output_dir`, `--out` and the config's
entries of these names are looked at; the rest is the command's to check. Batch scripts ask this before they start one.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paths import expand_word
from vlm_grpo.yaml_layers import fill_variables, read_layers
from vlm_grpo.yaml_scalars import as_word

KEYS = ("output_dir", "out")


def output_folder(words: Sequence[str]) -> Path:
    """The folder that the command line `words` names, itself or through its config; `UserError` where it names none."""
    words = [expand_word(word) for word in words]
    given = [value for key in KEYS if (value := _value(words, key))]
    if given:
        return Path(given[0])
    config = _value(words, "config")
    if config is None:
        raise UserError("name the output folder: --output_dir or --out, or a --config that has it")
    layers = read_layers(Path(config))
    for key in KEYS:
        if layers.values.get(key):
            return Path(fill_variables(as_word(layers.values[key]), where=f"config {layers.source(key)}: key {key!r}"))
    raise UserError(f"config {config} has no {' or '.join(KEYS)}; name the output folder on the command line")


def _value(words: Sequence[str], name: str) -> str | None:
    """The last value of the option `name` among `words`, written `--name value` or `--name=value`."""
    value = None
    for word, following in zip(words, [*words[1:], None], strict=True):
        option, is_given, behind = word.partition("=")
        if option.startswith("--") and option[2:].replace("-", "_") == name:
            value = behind if is_given else following
    return value


@exits_cleanly
def main(argv: Sequence[str] | None = None) -> None:
    """Print the folder of the command line `argv`."""
    print(output_folder(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
