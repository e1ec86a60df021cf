"""Fixtures that several folders of tests use; those that need torch import it themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from picture_server import PictureServer, serve_pictures

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples at every run: a red suite is a changed tree. `--hypothesis-profile=search` looks for new examples.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("suite")


@pytest.fixture
def picture_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """A loopback server of pictures that can be told to misbehave; no proxy stands before it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve_pictures() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium, headless. Of a module: Playwright's event loop runs in its thread while it is there."""
    from chromium import chromium

    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL checkpoint with random weights. Read it; copy it to change it."""
    from tiny_models import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny_qwen", "qwen2_5_vl")


@pytest.fixture(scope="session")
def tiny_hub_qwen(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path) -> Path:
    """`tiny_qwen` with its tensors called as in the checkpoints on the hub, where no part is a `language_model`."""
    from tiny_models import save_with_hub_names

    return save_with_hub_names(tmp_path_factory.mktemp("models") / "tiny_hub_qwen", tiny_qwen)


@pytest.fixture(scope="session")
def tiny_smolvlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SmolVLM (Idefics3) checkpoint with random weights. Read it; copy it to change it."""
    from tiny_models import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny_smolvlm", "smolvlm")


@pytest.fixture(scope="session")
def tiny_internvl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An InternVL checkpoint with random weights. Read it; copy it to change it."""
    from tiny_models import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny_internvl", "internvl")


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 12 validation and 6 test rows over four pictures. Read it; copy it to change it."""
    from tiny_data import save_tiny_data

    return save_tiny_data(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def tiny_qwen_lora(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path) -> Path:
    """A LoRA adapter of `tiny_qwen` that changes what it says. Read it; copy it to change it."""
    from tiny_lora import save_tiny_lora

    return save_tiny_lora(tmp_path_factory.mktemp("adapters") / "tiny_qwen", tiny_qwen)


@pytest.fixture(scope="session")
def tiny_smolvlm_lora(tmp_path_factory: pytest.TempPathFactory, tiny_smolvlm: Path) -> Path:
    """A LoRA adapter of `tiny_smolvlm` that changes what it says. Read it; copy it to change it."""
    from tiny_lora import save_tiny_lora

    return save_tiny_lora(tmp_path_factory.mktemp("adapters") / "tiny_smolvlm", tiny_smolvlm)


@pytest.fixture(scope="session")
def tiny_internvl_lora(tmp_path_factory: pytest.TempPathFactory, tiny_internvl: Path) -> Path:
    """A LoRA adapter of `tiny_internvl` that changes what it says. Read it; copy it to change it."""
    from tiny_lora import save_tiny_lora

    return save_tiny_lora(tmp_path_factory.mktemp("adapters") / "tiny_internvl", tiny_internvl)
