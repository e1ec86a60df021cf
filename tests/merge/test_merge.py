import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from refusals import refusal
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.merge import command as merge
from vlm_grpo.merge import probe
from vlm_grpo.store import manifest


def run(adapter, out, *more):
    merge.main(["--adapter", str(adapter), "--out", str(out), *more])
    return out


def refused(capsys, adapter, out, *more):
    return refusal(capsys, merge.main, ["--adapter", adapter, "--out", out, *more], alone=False)


@pytest.fixture(scope="module")
def merged_qwen(tiny_qwen_lora, tmp_path_factory):
    return run(tiny_qwen_lora, tmp_path_factory.mktemp("merged") / "qwen")


def test_the_merged_model_answers_as_base_plus_adapter(tiny_qwen, tiny_qwen_lora, tiny_data, tmp_path):
    exact = run(tiny_qwen_lora, tmp_path / "exact", "--dtype", "float32")
    texts = {}
    for name, model, adapter in (
        ("merged", exact, None),
        ("adapted", tiny_qwen, str(tiny_qwen_lora)),
        ("base", tiny_qwen, None),
    ):
        evaluate(
            EvaluationArguments(
                model=str(model),
                data=str(tiny_data),
                out=str(tmp_path / name),
                adapter=adapter,
                max_new_tokens=8,
            )
        )
        texts[name] = {i: g.text for i, g in generations.read(tmp_path / name).items()}
    assert texts["merged"] == texts["adapted"] != texts["base"]


def test_the_manifest_tells_the_differences(merged_qwen, tiny_qwen):
    written = manifest.read(merged_qwen, kind="merge")
    assert written["dtype"] == "float16"
    assert written["inputs"]["base"] == open_checkpoint(str(tiny_qwen)).fingerprint
    differences = written["probe"]
    assert differences["merged"]["relative"] < 1e-5
    assert differences["merged"]["relative"] < differences["saved"]["relative"] < written["tolerance"]["saved"]
    assert differences["saved"]["relative"] < differences["without_adapter"]["relative"]
    assert differences["merged"]["argmax_agreement"] == 1.0
    assert 0 < differences["saved"]["mean"] < differences["saved"]["max"]


def test_all_but_the_weights_is_the_bases(merged_qwen, tiny_qwen):
    own = {"manifest.json", "run.json"}
    assert {f.name for f in merged_qwen.iterdir()} - own == {f.name for f in tiny_qwen.iterdir()}
    for file in tiny_qwen.iterdir():
        if file.suffix == ".json" and file.name != "config.json":
            assert (merged_qwen / file.name).read_bytes() == file.read_bytes(), file.name
    assert manifest.read_json(merged_qwen / "config.json") == manifest.read_json(tiny_qwen / "config.json")
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_qwen, merged_qwen))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("language_model" in name and name.endswith("_proj.weight") for name in changed)
    assert {tensor.dtype for tensor in after.values()} == {torch.float16}


@pytest.mark.parametrize("family", ["tiny_smolvlm", "tiny_internvl"])
def test_the_others_merge_too_and_in_another_format(family, request, tmp_path):
    out = run(request.getfixturevalue(f"{family}_lora"), tmp_path / "merged", "--dtype", "bfloat16")
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.bfloat16}
    config = manifest.read_json(out / "config.json")
    assert config["dtype"] == config["text_config"]["dtype"] == "bfloat16"
    processor = open_checkpoint(str(out)).load_processor()
    assert (
        processor.chat_template == open_checkpoint(str(request.getfixturevalue(family))).load_processor().chat_template
    )


def test_the_probe_says_no_picture_token(tiny_smolvlm):
    checkpoint = open_checkpoint(str(tiny_smolvlm))
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32)
    never = checkpoint.adapter.placeholder_ids(processor.tokenizer)
    with torch.no_grad():
        model.get_output_embeddings().weight[never] *= 100
    inputs = probe.encode(checkpoint.adapter, processor)
    asked = inputs["input_ids"].shape[1]
    extended = probe.extend(model, inputs, never=never)
    said = extended["input_ids"][:, asked:]
    assert said.shape[1] == probe.CONTINUATION
    assert not torch.isin(said, torch.tensor(never)).any()
    assert torch.isfinite(probe.logits(model, extended)).all()


def test_a_finished_merge_is_kept(merged_qwen, tiny_qwen_lora, capsys):
    before = (merged_qwen / "model.safetensors").stat().st_mtime_ns
    run(tiny_qwen_lora, merged_qwen)
    assert (merged_qwen / "model.safetensors").stat().st_mtime_ns == before
    assert "merged already" in capsys.readouterr().err


def test_a_merge_cut_off_while_saving_is_made_again(merged_qwen, tiny_qwen_lora, tmp_path):
    shutil.copytree(merged_qwen, tmp_path / "cut")
    (tmp_path / "cut" / "manifest.json").unlink()
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    run(tiny_qwen_lora, tmp_path / "cut")
    assert open_checkpoint(str(tmp_path / "cut")).fingerprint == open_checkpoint(str(merged_qwen)).fingerprint


def test_a_dry_run_writes_nothing(tiny_qwen_lora, tmp_path, capsys):
    run(tiny_qwen_lora, tmp_path / "out", "--dry-run")
    assert "dtype: auto" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_another_base_is_refused(tiny_qwen_lora, tiny_smolvlm, tmp_path, capsys):
    message = refused(capsys, tiny_qwen_lora, tmp_path / "out", "--base", str(tiny_smolvlm))
    assert "another checkpoint" in message
    assert not (tmp_path / "out").exists()


def test_a_base_of_the_same_shape_with_other_weights_is_refused(tiny_qwen_lora, merged_qwen, tmp_path, capsys):
    assert "another checkpoint" in refused(capsys, tiny_qwen_lora, tmp_path / "out", "--base", str(merged_qwen))


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors", "base.json"])
def test_a_folder_that_is_no_adapter_is_refused(tiny_qwen_lora, tmp_path, capsys, missing):
    shutil.copytree(tiny_qwen_lora, tmp_path / "adapter")
    (tmp_path / "adapter" / missing).unlink()
    assert f"no {missing}" in refused(capsys, tmp_path / "adapter", tmp_path / "out")


def test_a_base_note_without_fingerprint_is_refused(tiny_qwen_lora, tmp_path, capsys):
    shutil.copytree(tiny_qwen_lora, tmp_path / "adapter")
    note = tmp_path / "adapter" / "base.json"
    note.write_text(json.dumps({"name": json.loads(note.read_text())["name"]}))
    assert "no 'fingerprint'" in refused(capsys, tmp_path / "adapter", tmp_path / "out")


def test_a_merge_beyond_tolerance_leaves_no_weights(tiny_qwen_lora, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(merge.TOLERANCE, torch.float16, 1e-9)
    message = refused(capsys, tiny_qwen_lora, tmp_path / "out")
    assert "saved in torch.float16 is not base plus adapter" in message
    assert not list((tmp_path / "out").glob("*.safetensors"))
    assert not manifest.exists(tmp_path / "out")


def test_the_folder_of_another_merge_is_refused(merged_qwen, tiny_smolvlm_lora, capsys):
    assert "belongs to another run" in refused(capsys, tiny_smolvlm_lora, merged_qwen)


@pytest.mark.parametrize(
    "more, message", [(("--dtype", "int8"), "unknown dtype 'int8'"), (("--device", "tpu"), "unknown device 'tpu'")]
)
def test_unknown_settings_are_refused(tiny_qwen_lora, tmp_path, capsys, more, message):
    assert message in refused(capsys, tiny_qwen_lora, tmp_path / "out", *more)
