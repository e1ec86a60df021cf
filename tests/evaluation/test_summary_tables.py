"""What stands beside the accuracy: the published figure of a task, and the accuracy of its slices."""

import pytest

from vlm_grpo.evaluation.summary import FEW, arms_table, slices_tables
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tables import to_text

ARM = {"clip_rate": 0.0, "reasoning_rate": 1.0, "parse_rate": 1.0, **accuracy_share(48, 60)}
WORDS = {"1": accuracy_share(20, 20), "2": accuracy_share(18, 20), "3": accuracy_share(10, 20)}


def test_the_published_figure_is_told_below_the_tasks_table_and_no_others():
    tables = {task: to_text(arms_table({"grpo": {**ARM, "task": task}}, title="T")) for task in ("cryptogram", "vsr")}
    assert "note: r1_vlm reports 96 %" in tables["cryptogram"]
    assert "r1_vlm" not in tables["vsr"]


def test_slices_have_n_and_interval():
    (table,) = slices_tables({**ARM, "task": "cryptogram", "words": WORDS})
    assert table.header[0] == "words"
    assert table.rows[2] == ("3", "20", "10", "0.500", "0.299 to 0.701")


@pytest.mark.parametrize("values, tables", [(FEW, 1), (FEW + 1, 0)])
def test_slices_of_many_values_are_left_to_the_file(values, tables):
    relations = {str(n): accuracy_share(1, 2) for n in range(values)}
    assert len(slices_tables({**ARM, "task": "vsr", "relations": relations})) == tables


def test_scores_of_several_tasks_have_no_slices():
    assert slices_tables({**ARM, "task": "mixed"}) == []


def test_pairs_stand_beside_the_accuracy_where_rows_come_in_pairs():
    pairs = {**accuracy_share(9, 30), "unpaired": 2}
    table = arms_table({"grpo": {**ARM, "task": "rel3d", "pairs": pairs}, "old": {**ARM, "task": "rel3d"}}, title="T")
    place = table.header.index("pairs right")
    assert [row[place] for row in table.rows] == ["9 of 30: 0.300 (0.167 to 0.479)", "–"]
    assert any(note.startswith("pairs right: both rows of a pair right") for note in table.notes)
    assert "pairs right" not in arms_table({"grpo": {**ARM, "task": "vsr"}}, title="T").header


def test_slices_tell_the_mean_over_their_values():
    (table,) = slices_tables({**ARM, "task": "spatialsense", "relations": {"on": WORDS["1"], "in": WORDS["3"]}})
    assert table.notes == ("mean over the 2 values: 0.750",)
