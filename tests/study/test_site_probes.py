"""Which probes a study's pages show: those beside its evaluations, below its report or named; and what of them."""

import json

import pytest
from page_study import save_page_study, save_probes

from vlm_grpo.faithfulness import quadrants
from vlm_grpo.store import manifest
from vlm_grpo.study.page import main
from vlm_grpo.study.site.compare import open_both
from vlm_grpo.study.site.probes import quadrant_tables
from vlm_grpo.study.site.source import open_source


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return save_page_study(tmp_path_factory.mktemp("study"))


def data_file(site, name):
    text = (site / "data" / f"{name}.js").read_text()
    return json.loads(text[text.index(",") + 1 : text.rindex(")")])


def test_results_beside_below_and_named_are_found(results, tmp_path):
    root = results.parent
    assert list(open_source(results).faithfulness.probed) == ["grpo"]
    further = save_probes(tmp_path / "elsewhere" / "seed_1", root / "base")
    below = save_probes(results / "faithfulness" / "sft" / "probes", root / "sft")
    source = open_source(results, probes=[tmp_path / "elsewhere"])
    assert [probed.folder for probed in source.faithfulness.probed.values()] == [further, below, root / "probes"]
    second = save_probes(results / "again", root / "grpo", said=True)
    assert set(open_source(results).faithfulness.probed) == {"sft", "grpo (again)", "grpo (probes)"}
    manifest.withdraw(second)
    manifest.withdraw(below)
    assert list(open_source(results).faithfulness.probed) == ["grpo"]


def test_marks_and_texts_of_each_row(results, tmp_path):
    main([str(results), "--out", str(tmp_path)])
    (arm,) = data_file(tmp_path / "site", "probes")["arms"]
    assert arm["probes"]["wrong_think"]["stays"] == "ps" * 6
    assert arm["probes"]["wrong_think"]["worth"] == "wr" * 6
    assert arm["probes"]["early_answering 50%"]["worth"][-1] == "-"
    row = data_file(tmp_path / "site", "probes-000")["rows"][0]["asked"]["grpo"]
    assert row["wrong_think"]["text"][: row["wrong_think"]["prefill"]].endswith("the answer is False. </think>")
    assert row["other_picture"]["pictures"] != row["wrong_think"].get("pictures")
    page = (tmp_path / "site" / "probes.html").read_text()
    assert "Robustness is not faithfulness" in page
    assert "area over the curve" in page
    assert "by rule / judge" in page
    assert "wrong think: right before 12 of 12" in page


def test_quadrants_of_the_runs_replace_those_by_rule(results, tmp_path):
    root = results.parent
    quadrants.main([f"the {name}={root / name}" for name in ("base", "grpo")] + ["--out", str(tmp_path / "crossed")])
    by_rule, crossed = (
        [line[0] for line in quadrant_tables(open_source(results, probes=named))[0].rows]
        for named in ([], [tmp_path / "crossed"])
    )
    assert (by_rule, crossed) == (["base", "sft", "grpo"], ["the base", "the grpo"])


def test_two_studies_put_together_keep_theirs(results, tmp_path):
    other = save_page_study(tmp_path / "other")
    assert list(open_both(results, other).faithfulness.probed) == ["results-1:grpo", "results-2:grpo"]


def test_a_folder_without_probes_of_the_runs_is_one_line(results, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main([str(results), "--probes", str(tmp_path)])
    assert exit.value.code == 2
    assert "holds no finished probes or quadrants of the study's runs" in capsys.readouterr().err
    written = manifest.read(results.parent / "probes")
    (results.parent / "probes" / "manifest.json").write_text(json.dumps(written | {"inputs": {}}))
    with pytest.raises(SystemExit):
        main([str(results)])
    assert "probed another evaluation" in capsys.readouterr().err
