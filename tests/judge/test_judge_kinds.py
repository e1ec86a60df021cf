"""A prompt's own kinds of misalignment: from its YAML through the server to tables, figures, labels and agreement."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from vlm_grpo.alignment import figures
from vlm_grpo.errors import UserError
from vlm_grpo.judge import command, prompt
from vlm_grpo.labelling import command as label_command
from vlm_grpo.labelling import verdicts as label_verdicts
from vlm_grpo.paper import agreement_command
from vlm_grpo.paper import tables_command as alignment
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts import kinds

README = Path(__file__).resolve().parents[2] / "alignment_judge/README.md"
FIVE = {
    "wrong_object": "the reasoning is about another thing",
    "wrong_relation": "the reasoning is about another relation",
    "no_evidence": "nothing in the reasoning decides the claim",
    "split": "the reasoning states two opposite things",
    "other": "it fails in another way",
}
USER = (
    "Claim: {question}\nReasoning: {reasoning}\nAnswer: {answer}\nIf it does not follow, the type is one of\n{kinds}\n"
)


def write_prompt(folder, name="own", **changes):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"system": "You judge.", "user": USER, "kinds": FIVE, **changes}, sort_keys=False))
    return path


@pytest.fixture
def judged(server, write_generations, tmp_path):
    """Judge two arms with a prompt; returns the verdict file."""

    def run(own, rows=60, out="out"):
        arms = [f"{arm}={write_generations(tmp_path, arm, rows)}" for arm in ("base", "grpo")]
        named = [word for arm in arms for word in ("--generations", arm)]
        pace = ["--retry-wait", "0.01", "--concurrency", "16"]
        server_options = ["--base-url", server.url, "--model", "local", "--prompt", str(own)]
        command.main([*named, "--out", str(tmp_path / out), *server_options, *pace])
        return tmp_path / out / "verdicts.jsonl"

    return run


def test_five_kinds_reach_tables_and_figures(server, judged, tmp_path, capsys):
    server.control(rate=0.3, faults=["429 retry-after", "500", "reset", "damaged JSON"])
    verdicts = judged(write_prompt(tmp_path))
    body = server.stats()["bodies"][0]
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["type"]["anyOf"][0]["enum"] == list(FIVE)
    assert '- "no_evidence": nothing in the reasoning decides the claim\n' in body["messages"][-1]["content"]
    records = jsonl.read(verdicts)
    assert all(record["kinds"] == FIVE and record["asks_type"] for record in records)
    (tmp_path / "own.yaml").unlink()  # the verdicts say all that the tables need
    capsys.readouterr()
    alignment.main(["--verdicts", str(verdicts), "--out", str(tmp_path / "tables")])
    shown = capsys.readouterr().out
    rows = json.loads((tmp_path / "tables/alignment.json").read_text())
    for row in rows:
        of_model = [record["type"] for record in records if record["model"] == row["model"]]
        assert row["types"] == {kind: of_model.count(kind) for kind in FIVE}
        assert sum(row["types"].values()) == row["misaligned"] > 0
    assert [line.split()[0] for line in shown.splitlines()[3:8]] == list(FIVE)
    assert r"wrong\_object" in (tmp_path / "tables/alignment.tex").read_text()
    assert "| wrong_relation |" in (tmp_path / "tables/alignment.md").read_text()
    (first, _) = csv.DictReader((tmp_path / "tables/alignment.csv").open())
    assert first["split"] == "test"
    assert first["type_split"] == str(rows[0]["types"]["split"])
    assert (tmp_path / "tables/misaligned_types.png").stat().st_size > 10_000


def test_labels_and_agreement_take_the_verdicts_kinds(judged, tmp_path, capsys, monkeypatch):
    verdicts = judged(write_prompt(tmp_path))
    labels = tmp_path / "labels.jsonl"
    judge = {(r["row_id"], r["model"]): r["type"] for r in jsonl.read(verdicts)}
    asked = label_verdicts.sample(verdicts, 30, 0)
    keys = {kind: str(number) for number, kind in enumerate(FIVE, start=1)}
    prompts: list[str] = []
    capsys.readouterr()

    def same_as_the_judge(shown):
        prompts.append(shown)
        printed = capsys.readouterr().out
        item = next(row for row in asked if row["question"] in printed and f"{row['reasoning']}\n" in printed)
        kind = judge[item["row_id"], item["model"]]
        return "a" if kind is None else keys[kind]

    monkeypatch.setattr("builtins.input", same_as_the_judge)
    label_command.main(["--verdicts", str(verdicts), "--out", str(labels), "--annotator", "a", "--sample", "30"])
    assert " | ".join(f"{key} {kind}" for kind, key in keys.items()) in prompts[0]
    agreement_command.main(["--verdicts", str(verdicts), "--human", str(labels), "--format", "json"])
    binary, by_type = json.loads(capsys.readouterr().out)["agreements"]
    assert binary["agreeing"] == by_type["agreeing"] == by_type["n"] == 30
    assert by_type["classes"] == ["aligned", *FIVE]


def test_judges_of_other_kinds_are_compared_as_misaligned_only(judged, tmp_path, capsys):
    own, simple = judged(write_prompt(tmp_path)), judged("simple", out="simple")
    capsys.readouterr()
    agreement_command.main(["--verdicts", str(own), "--other", str(simple), "--format", "json"])
    (binary,) = json.loads(capsys.readouterr().out)["agreements"]
    assert binary["classes"] == ["aligned", "misaligned"]
    assert "asked for different ones" in binary["notes"][0]


def test_a_judge_asked_for_no_type_has_tables_figures_and_labels(judged, tmp_path, capsys, monkeypatch):
    verdicts = judged("simple")
    capsys.readouterr()
    alignment.main(["--verdicts", str(verdicts), "--out", str(tmp_path / "tables")])
    shown = capsys.readouterr().out
    assert shown.startswith("test: misalignment, judge local (simple prompt)")
    assert "contradiction" not in shown
    assert json.loads((tmp_path / "tables/alignment.json").read_text())[0]["types"] == {}
    answers = iter(["1", "a"])
    monkeypatch.setattr("builtins.input", lambda shown: next(answers))
    labels = tmp_path / "labels.jsonl"
    label_command.main(["--verdicts", str(verdicts), "--out", str(labels), "--annotator", "a", "--sample", "2"])
    assert [(row["aligns"], row["type"]) for row in jsonl.read(labels)] == [(False, None), (True, None)]
    capsys.readouterr()
    agreement_command.main(["--verdicts", str(verdicts), "--human", str(labels), "--format", "json"])
    assert len(json.loads(capsys.readouterr().out)["agreements"]) == 1


def test_verdicts_of_two_prompts_are_refused_in_one_line(judged, tmp_path, capsys):
    both = tmp_path / "both.jsonl"
    own, taxonomy = judged(write_prompt(tmp_path)), judged("taxonomy", out="taxonomy")
    jsonl.write(both, [*jsonl.read(own)[:60], *jsonl.read(taxonomy)[60:]])
    for main, more in ((alignment.main, []), (agreement_command.main, ["--other", str(own)])):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["--verdicts", str(both), *more])
        errors = capsys.readouterr().err
        assert left.value.code == 2
        assert errors.count("\n") == 1
        assert "both.jsonl line 61: prompt taxonomy (contradiction, " in errors
        assert "but prompt own (wrong_object, " in errors


def test_verdicts_that_name_no_kinds_are_read_as_before(judged, tmp_path, capsys):
    """Those of the first `verdicts.jsonl`: `asks_type` alone. A run goes on in such a file with kinds in its lines."""
    verdicts = judged("taxonomy")
    records = jsonl.read(verdicts)
    table = ["--verdicts", str(verdicts), "--format", "json"]
    capsys.readouterr()
    alignment.main(table)
    new = capsys.readouterr().out
    for count in (60, 120):
        old = [{k: v for k, v in r.items() if k != "kinds" or i >= count} for i, r in enumerate(records)]
        jsonl.write(verdicts, old)
        alignment.main(table)
        assert capsys.readouterr().out == new


def test_reparsing_keeps_the_kinds(server, judged, tmp_path):
    own = write_prompt(tmp_path)
    verdicts = judged(own, rows=8)
    before = jsonl.read(verdicts)
    generations = [f"{arm}={tmp_path / arm}.jsonl" for arm in ("base", "grpo")]
    named = [word for arm in generations for word in ("--generations", arm)]
    more = ["--base-url", server.url, "--model", "local", "--prompt", str(own), "--reparse"]
    command.main([*named, "--out", str(verdicts.parent), *more])
    assert jsonl.read(verdicts) == before


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kinds": ["Wrong"]}, "'Wrong' is no snake_case word"),
        ({"kinds": ["two words"]}, "'two words' is no snake_case word"),
        ({"kinds": [""]}, "'' is no snake_case word"),
        ({"kinds": [True]}, "True is no snake_case word"),
        ({"kinds": ["a", "b", "a"]}, "'a' is there twice"),
        ({"kinds": ["aligned"]}, "'aligned' cannot be a kind"),
        ({"kinds": "contradiction"}, "kinds is 'contradiction'"),
        ({"kinds": {"a": 3}}, "the meaning of 'a' is 3"),
        ({"kinds": {"a": "one\ntwo"}}, "as one line"),
        ({"asks_type": True}, "asks_type gives way to kinds"),
        ({"system": 3}, "system is 3, expected text"),
        ({"types": []}, "expected the keys system, user and kinds"),
    ],
)
def test_a_broken_prompt_is_refused(tmp_path, changes, message):
    path = write_prompt(tmp_path, **changes)
    with pytest.raises(UserError) as raised:
        prompt.load(str(path))
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_a_kind_that_is_there_twice_is_refused(tmp_path):
    path = write_prompt(tmp_path)
    path.write_text(path.read_text() + "  split: again\n")
    with pytest.raises(UserError, match="'split' is there twice"):
        prompt.load(str(path))


@pytest.mark.parametrize("asks, meant", [(True, kinds.PUBLISHED), (False, kinds.NONE)])
def test_a_prompt_in_the_old_form_is_read_with_a_line_on_the_new_one(tmp_path, capsys, asks, meant):
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump({"system": "You judge.", "user": USER, "asks_type": asks}))
    assert prompt.load(str(path)).kinds == meant
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "asks_type is the old form of kinds; write" in errors


def test_the_readme_shows_a_prompt(tmp_path):
    (tmp_path / "own.yaml").write_text(README.read_text().partition("```yaml\n")[2].partition("```")[0])
    shown = prompt.load(str(tmp_path / "own.yaml"))
    assert list(shown.kinds) == ["wrong_object", "no_evidence", "other"]
    assert '- "no_evidence": nothing' in shown.render(question="", reasoning="", answer="")


def test_hashes_cover_texts_and_own_kinds(tmp_path):
    assert prompt.load("taxonomy").hash == "c155654198de7f50184e7ecc53d31617f74ab05edd7697265a961bb201a55659"
    assert prompt.load("simple").hash == "89643f3800d9c0d8520f61f65c7777b4d51ab7df07c5fc8d0daec952ac7b33b0"
    variants = [FIVE, list(FIVE), [*FIVE][:4], [*FIVE][::-1], None, list(kinds.PUBLISHED)]
    hashes = {prompt.load(str(write_prompt(tmp_path, kinds=variant))).hash for variant in variants}
    assert len(hashes) == len(variants)


@pytest.mark.parametrize("count", [1, 4, 8, 40])
def test_no_two_kinds_look_alike(count):
    styles = figures.type_styles([*(f"kind_{i}" for i in range(count)), "other"])
    assert len({tuple(sorted(style.items())) for style in styles.values()}) == count + 1
    assert styles["other"] == {"color": figures.REST_COLOUR}
