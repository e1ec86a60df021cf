"""Names and texts of users in tables and figures: what would be markup there stays the text it is.

Each function takes any text and gives one line without control characters.
"""

import re

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(
    r"""[\\`*|]             # code, emphasis, the next cell
    | (?<![^\W_])_ | _(?![^\W_])   # emphasis, which begins and ends at words only
    | ~(?=~) | (?<=~)~      # struck out
    | \](?=[(\[:])          # a link's text
    | <(?=[A-Za-z/!?])      # HTML
    | &(?=\#?\w+;)          # an entity
    | \$                    # a formula
    | \#(?=\#*\s*\Z)        # the end of a heading
    """,
    re.VERBOSE,
)
_LATEX = {
    "\0": "{}",
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
}
_FORMULA = ("=", "+", "-", "@")


def one_line(text: str) -> str:
    """`text` with line breaks as blanks, and U+FFFD for what steers a terminal or turns the writing's direction."""
    return _CONTROL.sub("\ufffd", _BREAKS.sub(" ", text).replace("\t", " "))


def markdown(text: str) -> str:
    """`text` as a cell, a heading or a note of GitHub's Markdown shows it."""
    return _MARKDOWN.sub(lambda sign: f"\\{sign[0]}", one_line(text))


def latex(text: str) -> str:
    """`text` as LaTeX sets it; a minus before another is kept from becoming a dash."""
    apart = re.sub("-(?=-)", "-\0", one_line(text))
    return "".join(_LATEX.get(sign, sign) for sign in apart)


def figure(text: str) -> str:
    """`text` as matplotlib draws it: a dollar begins no formula, and a label with an underscore in front is shown."""
    line = one_line(text).replace("$", r"\$")
    return f" {line}" if line.startswith("_") else line


def csv_cell(value: object) -> object:
    """`value` for a CSV file: a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    line = one_line(value)
    return f"'{line}" if line.lstrip(" ").startswith(_FORMULA) else line
