"""Tables and figures show a user's names as they are: rendered by the readers of each format, not looked at by eye."""

import csv
import html
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from vlm_grpo import escapes
from vlm_grpo.alignment import figures as alignment_figures
from vlm_grpo.alignment.report import to_csv
from vlm_grpo.alignment.summary import QUADRANTS, Proportion, Summary
from vlm_grpo.bias.cases import Case
from vlm_grpo.bias.marks import AGREEING, OPPOSING
from vlm_grpo.bias.probe import figure as probe_figure
from vlm_grpo.bias.probe.parts import PartScore
from vlm_grpo.bias.report import figure as report_figure
from vlm_grpo.bias.text import label_figure
from vlm_grpo.study import figures
from vlm_grpo.tables import Table, to_latex, to_markdown, to_text

MARKUP = st.text(st.sampled_from("ab1_ *`|\\[]()<>!/&;#x~$=-+@:\n\t\"'.{}^%"), min_size=1, max_size=12)
NAMES = MARKUP | st.text(min_size=1, max_size=8)
HOSTILE = ["$x$", "$\\foo$", "a$b$c", "_hidden", "a\nb", "\x1b[31m", "\\", "{", "<b>", "x^2", "日本", "\ud83d"]


def table(name: str, other: str = "x") -> Table:
    return Table(f"T {name}", ("run", other), ((name, other),), (f"n {name} n",))


def seen(text: str) -> str:
    """What a reader sees of `text`: one line, runs of blanks as one."""
    return re.sub(r"\s+", " ", escapes.one_line(text)).strip()


@given(NAMES, MARKUP)
def test_markdown_renders_to_the_names_themselves(name, other):
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(to_markdown(table(name, other)))
    cells = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", page, re.DOTALL)
    assert [seen(html.unescape(cell)) for cell in cells] == [seen(text) for text in ("run", other, name, other)]
    for pattern, shown in ((r"<h3>(.*?)</h3>", f"T {name}"), (r"<p><em>(.*?)</em></p>", f"n {name} n")):
        match = re.search(pattern, page, re.DOTALL)
        assert match is not None
        assert seen(html.unescape(match[1])) == seen(shown)


@given(NAMES)
def test_latex_has_no_active_sign_left(name):
    written = escapes.latex(name)
    plain = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]|\$(\\times|[-<>])\$|-\{\}(?=-)", "", written)
    assert not set(plain) & set("\\&%$#_{}~^<>`|\n"), written
    row = to_latex(table(name)).split("\n")[7]
    assert row.endswith(r" & x \\")
    assert not row.lstrip().startswith(("[", "*")), "taken for an argument of the command above"


@given(NAMES)
def test_text_is_one_line_a_row_and_steers_no_terminal(name):
    lines = to_text(table(name)).split("\n")
    assert len(lines) == 5
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", line) for line in lines)
    "".join(lines).encode()


@given(st.sampled_from(["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1"]) | NAMES)
def test_csv_gives_names_back_and_no_formula(name):
    written = to_csv([{"split": "test", "model": name, "total": -4}])
    (row,) = csv.DictReader(io.StringIO(written, newline=""))
    assert row["model"] in (escapes.one_line(name), f"'{escapes.one_line(name)}")
    assert not row["model"].lstrip(" ").startswith(("=", "+", "-", "@"))
    assert row["total"] == "-4", "a number stays one"


def make_summary(name: str) -> Summary:
    return Summary(
        split=name,
        model=name,
        judge=name,
        answer_rule="strict",
        total=8,
        answers_read=8,
        accuracy=Proportion(4, 8),
        misaligned=Proportion(4, 8),
        types={"contradiction": 4, "missing_detail": 0, "irrelevant": 0, "other": 0},
        quadrants=dict.fromkeys(QUADRANTS, 2),
        reliable=Proportion(2, 8),
        notes=(),
    )


def share(correct: int) -> dict[str, float]:
    return {"n": 8, "correct": correct, "accuracy": correct / 8, "ci_low": 0.1, "ci_high": 0.9}


def draw_study(name):
    return figures.accuracy({"split": name, "runs": {name: share(4), "other": share(5)}})


def draw_rewards(name):
    return figures.rewards({name: [{"step": 1, "reward": 1.0, f"rewards/{name}/mean": 1.0}]}, arms=[name])


def draw_bias(name):
    arm = {"groups": {AGREEING: share(4), OPPOSING: share(2)}, "gap": {"value": 0.2, "ci_low": 0.1, "ci_high": 0.3}}
    return report_figure.groups_and_gap({"splits": {name: {}}, "arms": {name: arm}})


def draw_probe(name):
    return probe_figure.accuracies([PartScore("image", name, **share(4), commoner=0.5)])


def draw_labels(name):
    cases = [Case("1", name, True, "a.jpg"), Case("2", name, False, "b.jpg")]
    return label_figure.label_shares(cases, {"after": cases})


DRAWN = {
    "study": draw_study,
    "rewards": draw_rewards,
    "bias": draw_bias,
    "probe": draw_probe,
    "labels": draw_labels,
    "rates": lambda name: alignment_figures.rates([make_summary(name)]),
    "types": lambda name: alignment_figures.types([make_summary(name)]),
    "quadrants": lambda name: alignment_figures.quadrants([make_summary(name)]),
}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_figures_draw_names_and_no_formulas(draw):
    for name in HOSTILE:
        figure = draw(name)
        FigureCanvasAgg(figure).draw()
        texts = [text._preprocess_math(text.get_text()) for text in figure.findobj(Text)]
        assert not any(is_math for _, is_math in texts)
        assert any(escapes.one_line(name) in shown for shown, _ in texts), name


def test_a_fifth_model_is_drawn():
    five = [make_summary(name) for name in "abcdef"]
    assert len(alignment_figures.rates(five).axes[0].patches) == 6
