import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from refusals import refusal
from tiny_data import save_pictures, save_tiny_data, tiny_rows
from vlm_grpo.decoding import serving
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.__main__ import main
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.store import manifest

TOKENS = 8


def settings(model, data, out, **changes):
    return EvaluationArguments(
        model=str(model), data=str(data), out=str(out), **({"max_new_tokens": TOKENS, "batch_size": "5"} | changes)
    )


def words(model, data, out, *more):
    return ["--model", str(model), "--data", str(data), "--out", str(out), "--max-new-tokens", str(TOKENS), *more]


def lines(folder):
    return (folder / generations.FILE).read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def finished(tiny_qwen, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    evaluate(settings(tiny_qwen, tiny_data, folder))
    return folder


def test_a_finished_evaluation_is_complete(finished, tiny_data):
    written = manifest.read(finished, kind="evaluation")
    assert written["counts"] == {"rows": 12, "split_rows": 12, "answered_before": 0}
    assert written["config"]["batch_size"] == "5"
    assert written["use_cache"] is True
    scores = json.loads((finished / "scores.json").read_text())
    assert (scores["split"], scores["n"], scores["limit"], scores["clip_rate"]) == ("validation", 12, None, 1.0)
    assert sum(r["n"] for r in scores["relations"].values()) == 12
    said = generations.read(finished)
    assert sorted(said) == sorted(row.id for row in tiny_rows(12))
    lengths = [g.prompt_tokens for g in said.values()]
    assert lengths == sorted(lengths, reverse=True), "longest prompts first"
    assert len(set(lengths)) > 1


def test_a_finished_evaluation_is_not_repeated(finished, tiny_qwen, tiny_data, capsys):
    before = (finished / generations.FILE).stat().st_mtime_ns, (finished / "manifest.json").stat().st_mtime_ns
    main(words(tiny_qwen, tiny_data, finished))
    assert before == ((finished / generations.FILE).stat().st_mtime_ns, (finished / "manifest.json").stat().st_mtime_ns)
    assert "0.000" in capsys.readouterr().out


def test_a_torn_file_is_mended_and_completed(finished, tiny_qwen, tiny_data, tmp_path):
    shutil.copytree(finished, tmp_path / "torn")
    for name in ("manifest.json", "scores.json"):
        (tmp_path / "torn" / name).unlink()
    kept = lines(finished)[:4]
    (tmp_path / "torn" / generations.FILE).write_bytes(b"".join(kept) + lines(finished)[4][:50])
    evaluate(settings(tiny_qwen, tiny_data, tmp_path / "torn", batch_size="3"))
    assert lines(tmp_path / "torn")[:4] == kept
    assert sorted(lines(tmp_path / "torn")) == sorted(lines(finished))
    assert manifest.read(tmp_path / "torn")["counts"]["answered_before"] == 4


def test_killed_at_any_moment_it_goes_on(tiny_qwen, tmp_path):
    data = save_tiny_data(tmp_path / "data", validation=tiny_rows(24))
    asked = words(tiny_qwen, data, tmp_path / "killed", "--batch-size", "1")
    child = subprocess.Popen(
        [sys.executable, "-m", "vlm_grpo.evaluation", *asked], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    path = tmp_path / "killed" / generations.FILE
    while child.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= 3):
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not manifest.exists(tmp_path / "killed")
    cut = lines(tmp_path / "killed")
    assert 3 <= len(cut) < 24
    main(words(tiny_qwen, data, tmp_path / "killed", "--batch-size", "7"))
    main(words(tiny_qwen, data, tmp_path / "whole"))
    assert lines(tmp_path / "killed")[: len(cut)] == cut
    assert sorted(lines(tmp_path / "killed")) == sorted(lines(tmp_path / "whole"))


def test_an_adapter_is_answered_with(finished, tiny_qwen, tiny_qwen_lora, tiny_data, tmp_path):
    evaluate(settings(tiny_qwen, tiny_data, tmp_path / "lora", adapter=str(tiny_qwen_lora)))
    with_adapter, without = generations.read(tmp_path / "lora"), generations.read(finished)
    assert {g.adapter_fingerprint for g in without.values()} == {None}
    assert len({g.adapter_fingerprint for g in with_adapter.values()}) == 1
    assert [with_adapter[i].text for i in sorted(without)] != [without[i].text for i in sorted(without)]


def test_smolvlm_says_whether_it_used_the_cache(tiny_smolvlm, tiny_data, tmp_path, caplog):
    evaluate(settings(tiny_smolvlm, tiny_data, tmp_path / "default", limit=2))
    assert manifest.read(tmp_path / "default")["use_cache"] is False
    evaluate(settings(tiny_smolvlm, tiny_data, tmp_path / "auto", limit=2, use_cache="auto"))
    assert manifest.read(tmp_path / "auto")["use_cache"] is True
    assert "the same tokens, so the cache is on" in caplog.text
    assert lines(tmp_path / "auto") == lines(tmp_path / "default")


def test_what_is_not_served_is_decoded_by_generate(finished, tiny_qwen, tiny_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(serving, "ATTENTION", ())
    evaluate(settings(tiny_qwen, tiny_data, tmp_path / "stock"))
    told = "decoding by transformers' generate: attention sdpa takes no mask over fixed places"
    assert told in capsys.readouterr().err.splitlines()
    assert lines(tmp_path / "stock") == lines(finished)


def test_a_limit_is_seeded_and_told(tiny_qwen, tiny_data, tmp_path):
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        scores = evaluate(settings(tiny_qwen, tiny_data, tmp_path / name, limit=5, seed=seed, max_new_tokens=1))
        assert (scores["n"], scores["limit"], scores["split_rows"]) == (5, 5, 12)
        drawn.append(set(generations.read(tmp_path / name)))
    assert drawn[0] == drawn[1] != drawn[2]


def test_an_all_set_answers_each_question_once(tiny_qwen, tiny_data, tmp_path, capsys):
    scores = evaluate(settings(tiny_qwen, tiny_data, tmp_path / "all", split="validation+test", max_new_tokens=1))
    assert scores["n"] == scores["split_rows"] == 12
    assert "6 rows ask what another one asks; each question is asked once" in capsys.readouterr().err
    assert open_arm(tmp_path / "all").scores["split"] == "validation+test"


def test_a_dry_run_writes_nothing(tiny_qwen, tiny_data, tmp_path, capsys):
    main(words(tiny_qwen, tiny_data, tmp_path / "dry", "--limit", "7", "--dry-run"))
    printed = capsys.readouterr().out
    assert "7 of 12 in split 'validation'" in printed
    assert f"max_new_tokens: {TOKENS}" in printed
    assert not (tmp_path / "dry").exists()


def test_a_config_is_read_and_overridden(tiny_qwen, tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_PATH", str(tiny_data))
    config = tmp_path / "evaluate.yaml"
    config.write_text(
        f"model: {tiny_qwen}\ndata: ${{DATA_PATH}}\nout: {tmp_path / 'unused'}\nmax_new_tokens: 512\nlimit: 2\n"
        "batch_size: 2\nuse_cache: false\n"
    )
    main(["--config", str(config), "--out", str(tmp_path / "out"), "--max_new_tokens", "2"])
    written = manifest.read(tmp_path / "out")
    assert written["config"]["max_new_tokens"] == 2
    assert written["config"]["batch_size"] == "2"
    assert written["use_cache"] is False
    assert not (tmp_path / "unused").exists()


def refused(capsys, arguments):
    return refusal(capsys, main, arguments, alone=False)


def test_a_folder_without_config_is_refused(tiny_data, tmp_path, capsys):
    (tmp_path / "model").mkdir()
    assert "has no config.json" in refused(capsys, words(tmp_path / "model", tiny_data, tmp_path / "out"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model_type": "llava"}, "unsupported model_type 'llava'"),
        ({"auto_map": {"AutoModel": "m.M"}}, "remote code"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused(tiny_qwen, tiny_data, tmp_path, capsys, change, message):
    shutil.copytree(tiny_qwen, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert message in refused(capsys, words(tmp_path / "model", tiny_data, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_pickled_weights_are_refused(tiny_qwen, tiny_data, tmp_path, capsys):
    shutil.copytree(tiny_qwen, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    message = refused(capsys, words(tmp_path / "model", tiny_data, tmp_path / "out"))
    assert "only pickled weights (pytorch_model.bin)" in message


def test_an_absent_split_is_refused(tiny_qwen, tiny_data, tmp_path, capsys):
    message = refused(capsys, words(tiny_qwen, tiny_data, tmp_path / "out", "--split", "train"))
    assert "no split 'train'; it has validation, test" in message


def test_a_solution_that_is_neither_is_refused(tiny_qwen, tmp_path, capsys):
    bad = tiny_rows(3)[1].model_copy(update={"solution": "left"})
    data = save_tiny_data(tmp_path / "data", validation=[tiny_rows(1)[0], bad])
    message = refused(capsys, words(tiny_qwen, data, tmp_path / "out"))
    assert "row validation-001: solution 'left' is neither True nor False" in message


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_missing_picture_is_refused_before_the_model_is_loaded(tiny_qwen, tmp_path, capsys, damage):
    data = save_tiny_data(tmp_path / "data")
    picture = data / "images" / "green.png"
    picture.unlink() if damage == "missing" else picture.write_bytes(b"")
    message = refused(capsys, words(tiny_qwen, data, tmp_path / "out"))
    assert f"green.png is {damage}" in message


def test_a_torn_picture_is_refused_and_nothing_of_it_is_kept(tiny_qwen, tmp_path, capsys):
    data = save_tiny_data(tmp_path / "data")
    picture = data / "images" / "blue.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    message = refused(capsys, words(tiny_qwen, data, tmp_path / "out", "--batch-size", "1"))
    assert "blue.png cannot be read" in message
    save_pictures(data)
    main(words(tiny_qwen, data, tmp_path / "out"))
    assert manifest.exists(tmp_path / "out")


def test_a_row_too_long_for_the_model_is_refused(tiny_qwen, tmp_path, capsys):
    long = tiny_rows(1)[0].model_copy(update={"problem": "word " * 600})
    data = save_tiny_data(tmp_path / "data", validation=[long])
    message = refused(capsys, words(tiny_qwen, data, tmp_path / "out"))
    assert "row validation-000: prompt of" in message
    assert f"more than the {512 - TOKENS} allowed" in message
    assert not (tmp_path / "out").exists(), "the folder stays free for the mended command"


@pytest.mark.parametrize(
    "more, message",
    [
        (("--split", "test"), "split"),
        (("--prompt", "answer"), "prompt"),
        (("--answers", "relaxed"), "answers"),
        (("--temperature", "1"), "sampling"),
    ],
)
def test_the_folder_of_another_run_is_refused(finished, tiny_qwen, tiny_data, capsys, more, message):
    wording = refused(capsys, words(tiny_qwen, tiny_data, finished, *more))
    assert "belongs to another run" in wording
    assert f"{message}: " in wording


def test_the_folder_of_other_rows_is_refused(finished, tiny_qwen, tmp_path, capsys):
    flipped = tiny_rows(12)[0].model_copy(update={"solution": "<answer> False </answer>"})
    data = save_tiny_data(tmp_path / "data", validation=[flipped, *tiny_rows(12)[1:]])
    assert "rows: " in refused(capsys, words(tiny_qwen, data, finished))


def test_the_folder_of_another_model_is_refused(finished, tiny_smolvlm, tiny_data, capsys):
    assert "model_fingerprint" in refused(capsys, words(tiny_smolvlm, tiny_data, finished))


def test_generations_of_another_model_are_refused(finished, tiny_qwen, tiny_data, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "mixed")
    (tmp_path / "mixed" / "manifest.json").unlink()
    path = tmp_path / "mixed" / generations.FILE
    record = json.loads(lines(finished)[0]) | {"model_fingerprint": "another"}
    path.write_text(json.dumps(record) + "\n")
    message = refused(capsys, words(tiny_qwen, tiny_data, tmp_path / "mixed"))
    assert "was generated with model_fingerprint 'another'" in message


def test_a_folder_with_foreign_files_is_refused(tiny_qwen, tiny_data, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert "is not empty" in refused(capsys, words(tiny_qwen, tiny_data, tmp_path / "out"))


def test_a_second_writer_is_refused(tiny_qwen, tiny_data, tmp_path, capsys):
    evaluate(settings(tiny_qwen, tiny_data, tmp_path / "out", limit=1))
    (tmp_path / "out" / "manifest.json").unlink()
    with FileLock(tmp_path / "out" / ".lock"):
        message = refused(capsys, words(tiny_qwen, tiny_data, tmp_path / "out", "--limit", "1", "--batch-size", "5"))
    assert "another process is evaluating there" in message


def test_an_unknown_key_names_the_nearest(tiny_qwen, tiny_data, tmp_path, capsys):
    config = tmp_path / "evaluate.yaml"
    config.write_text("max_new_token: 3\n")
    message = refused(capsys, ["--config", str(config), *words(tiny_qwen, tiny_data, tmp_path / "out")])
    assert "unknown key 'max_new_token'; did you mean 'max_new_tokens'?" in message


@pytest.mark.parametrize(
    "more, message",
    [
        (("--batch-size", "0"), "batch_size '0'"),
        (("--batch-size", "many"), "batch_size 'many'"),
        (("--limit", "0"), "limit 0"),
        (("--max_new_tokens", "0"), "max_new_tokens 0"),
        (("--temperature", "-1"), "temperature -1.0"),
        (("--top_p", "0.5"), "no effect at temperature 0"),
        (("--temperature", "1", "--top_p", "0"), "top_p 0.0"),
        (("--prompt", "shout"), "unknown prompt 'shout'"),
        (("--use_cache", "maybe"), "unknown use_cache 'maybe'"),
        (("--dtype", "int8"), "unknown dtype 'int8'"),
        (("--longest_edge", "100"), "longest_edge has no effect on the family qwen"),
    ],
)
def test_settings_out_of_range_are_refused(tiny_qwen, tiny_data, tmp_path, capsys, more, message):
    assert message in refused(capsys, words(tiny_qwen, tiny_data, tmp_path / "out", *more))
    assert "use_cache" in message or not (tmp_path / "out").exists()
