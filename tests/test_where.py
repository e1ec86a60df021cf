"""Which folder a command line writes to."""

from pathlib import Path

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.where import output_folder


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OUT_PATH", "/results")
    path = tmp_path / "config.yaml"
    path.write_text("seed: 42\noutput_dir: ${OUT_PATH}/run\n")
    return str(path)


def test_the_config_names_it(config):
    assert output_folder(["--config", config, "--seed", "1"]) == Path("/results/run")


def test_a_config_that_the_config_extends_names_it(config):
    top = Path(config).with_name("top.yaml")
    top.write_text("extends: config.yaml\nseed: 1\n")
    assert output_folder(["--config", str(top)]) == Path("/results/run")


@pytest.mark.parametrize(
    "words", [["--output_dir", "there"], ["--output_dir=there"], ["--out", "there"], ["--output-dir", "there"]]
)
def test_the_command_line_wins(config, words):
    assert output_folder([f"--config={config}", "--seed", "1", *words]) == Path("there")


def test_nowhere_is_told(config, tmp_path):
    empty = tmp_path / "empty.yaml"
    empty.write_text("seed: 1\n")
    with pytest.raises(UserError, match="name the output folder"):
        output_folder(["--seed", "1"])
    with pytest.raises(UserError, match="no such file"):
        output_folder(["--config", "absent.yaml"])
    with pytest.raises(UserError, match=r"empty.yaml has no output_dir or out"):
        output_folder(["--config", str(empty)])
