import copy

import pytest

from vlm_grpo.paper import audit, published
from vlm_grpo.paper.findings import findings
from vlm_grpo.paper.recomputed import recompute


@pytest.fixture
def facts():
    return copy.deepcopy(published.load())


def test_every_stored_file_is_reproduced(facts):
    files = [recompute(score) for score in facts["scores"]]
    assert len(files) == 32
    assert all(file.reproduced for file in files)
    assert sum("f1_weighted" in file.stored for file in files) == 29


def test_a_false_figure_is_seen(facts):
    facts["scores"][0]["f1_weighted"] += 1e-6
    assert not recompute(facts["scores"][0]).reproduced


def test_the_findings_show_their_numbers(facts):
    report = audit.markdown(facts)
    for shown in (
        "n = 680",
        "[268, 66, 44, 302] is exactly twice [134, 33, 22, 151]",
        "(288 + 340)/(340 + 425) = 82.09 %",
        "first 425 of 1,222 rows",
        "67.67 beside [0.6531, 0.6994]",
        "the 84.6 of the report's bias table",
        "accuracy 70.59 = 240/340 (validation), alignment 88.29 = 1 - 41/350 (test)",
        "34 of 50 agree",
    ):
        assert shown in report


def test_a_finding_that_no_longer_holds_is_not_printed(facts):
    facts["scores"][0]["derived"]["confusion_true_is_positive"]["tp"] += 1
    with pytest.raises(ValueError, match="validation is counted twice"):
        findings(facts)


def test_the_kept_report_is_current(facts):
    assert (published.PAPER / "audit.md").read_text() == audit.markdown(facts) + "\n"
