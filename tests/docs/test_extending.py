"""docs/extending.md, followed word for word in a copy of the repository: files, registry lines, commands."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tiny_generations import save_tiny_arm
from vlm_grpo.judge import prompt
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.registry import MODULES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/extending.md"
BLOCK = re.compile(r"^```(\w+) *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = r"^{} +{} +\d+ +0\.\d+ "
"""A line of an evaluation's table: the folder, the number of rows, how many are right."""


@dataclass
class Section:
    """What one section of the page has people write: whole files, lines below others, commands."""

    files: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    commands: str = ""


def read_page() -> dict[str, Section]:
    sections = {}
    for text in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        section = sections[text.partition("\n")[0]] = Section()
        for language, info, body in BLOCK.findall(text):
            attributes = dict(word.split("=", 1) for word in shlex.split(info))
            if "below" in attributes:
                section.lines.append((attributes["title"], attributes["below"], body))
            elif "title" in attributes:
                section.files[attributes["title"]] = body
            else:
                assert language == "bash", f"a block of {language} that names no file"
                section.commands += body
    return sections


class Copy:
    """The checkout's tracked files in a repository of their own, in which commands run with the copy's package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
        for name in filter(None, listing.stdout.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.run("git init --quiet && git add --all --force")
        self.commit()

    def run(self, commands: str) -> str:
        """What `commands` print; fails where one of them does."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=kept
            | {
                "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
                "PYTHONPATH": str(self.folder / "src"),
                "PYTEST_ADDOPTS": "--verbose",
                "DATA_PATH": str(self.folder / "data"),
                "OUT_PATH": str(self.folder / "runs"),
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def commit(self) -> None:
        self.run("git add --all && git -c user.name=test -c user.email=test commit --quiet --message x")

    def write(self, section: Section) -> None:
        for name, text in section.files.items():
            assert not (self.folder / name).exists()
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")
        for name, below, text in section.lines:
            above, line, rest = (self.folder / name).read_text(encoding="utf-8").partition(f"{below}\n")
            assert line, f"{name} has no line {below!r}"
            (self.folder / name).write_text(above + line + text + rest, encoding="utf-8")

    def changes(self) -> tuple[list[str], dict[str, tuple[int, int]]]:
        """New files, and of each changed one how many lines were added and how many removed, as git sees it."""
        new = self.run("git ls-files --others --exclude-standard").splitlines()
        changed = [line.split("\t") for line in self.run("git diff --numstat").splitlines()]
        return new, {name: (int(added), int(removed)) for added, removed, name in changed}


def passed(printed: str, test: str) -> int:
    """How many cases of `test` passed."""
    return len(re.findall(rf"::{test}\[[^\n]*\] PASSED", printed))


def check_task(copy: Copy, printed: str) -> None:
    assert passed(printed, "test_a_task_proves_itself_on_both_sides") == len(MODULES) + 1
    assert "::test_hacks_earn_nothing[relaxed-parity-6] PASSED" in printed
    assert "::test_no_import_runs_upwards[tasks/parity.py] PASSED" in printed
    modules = list((copy.folder / "src/vlm_grpo").rglob("*.py"))
    assert passed(printed, "test_no_import_runs_upwards") == len(modules) - 1, "all but the package's own __init__"


def check_reward(copy: Copy, printed: str) -> None:
    known = sum(len(reward.gold) for reward in REWARDS.values())
    assert passed(printed, "test_gold_earns_the_maximum") == known + 2
    assert "::test_hacks_earn_the_minimum[strict-brief-4] PASSED" in printed
    rollouts = jsonl.read(copy.folder / "runs/parity/grpo/completions.jsonl")
    assert {tuple(rollout["rewards"]) for rollout in rollouts} == {("accuracy", "brief")}
    assert re.search(TABLE.format("runs/parity/test", 8), printed, re.MULTILINE), printed
    outcomes = jsonl.read(copy.folder / "runs/parity/test/outcomes.jsonl")
    assert [(line["task"], line["truth"]) for line in outcomes] == [("parity", "odd"), ("parity", "even")] * 4


def check_family(copy: Copy, printed: str) -> None:
    assert re.search(TABLE.format("runs/parity/llava", 2), printed, re.MULTILINE), printed
    assert len(jsonl.read(copy.folder / "runs/parity/llava/outcomes.jsonl")) == 2
    from peft import LoraConfig, get_peft_model
    from transformers import LlavaForConditionalGeneration

    from vlm_grpo.methods.placement import check_placement

    adapter = runpy.run_path(str(copy.folder / "src/vlm_grpo/adapters/llava.py"))["LLAVA"]
    model = LlavaForConditionalGeneration.from_pretrained(copy.folder / "runs/tiny_llava")
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=adapter.lora_targets))
    assert check_placement(adapted, adapter)
    layers = model.config.text_config.num_hidden_layers
    assert sum(weights.requires_grad for weights in adapted.parameters()) == 2 * 7 * layers


def check_prompt(copy: Copy, printed: str) -> None:
    assert "(responses), prompt grounds\ncalls: 12, " in printed
    own = prompt.load(str(copy.folder / "src/vlm_grpo/judge/prompts/grounds.yaml"))
    assert tuple(own.kinds) == ("wrong_object", "no_evidence", "reversed", "other")
    assert "reversed" in own.render(question="?", reasoning="!", answer="True")


SECTIONS: dict[str, tuple[str, dict[str, int], Callable[[Copy, str], None]]] = {
    "A task": ("src/vlm_grpo/tasks/parity.py", {"src/vlm_grpo/tasks/registry.py": 1}, check_task),
    "A reward": ("src/vlm_grpo/rewards/brief.py", {"src/vlm_grpo/rewards/registry.py": 1}, check_reward),
    "A model family": ("src/vlm_grpo/adapters/llava.py", {"src/vlm_grpo/adapters/registry.py": 2}, check_family),
    "A judge prompt": ("src/vlm_grpo/judge/prompts/grounds.yaml", {}, check_prompt),
}
"""By the section's title: its one new file, how many lines each registry gains, what must come of its commands."""


@pytest.mark.slow
def test_the_page_is_true_word_for_word(tmp_path, tiny_data):
    from tiny_llava import save_tiny_llava

    copy = Copy(tmp_path / "copy")
    save_tiny_llava(copy.folder / "runs/tiny_llava")
    save_tiny_arm(copy.folder / "runs/vsr/qwen/grpo/validation", tiny_data, right=range(6))
    page = read_page()
    assert list(page) == list(SECTIONS)
    for title, (new_file, gained, check) in SECTIONS.items():
        copy.write(page[title])
        addition = [new_file], {name: (lines, 0) for name, lines in gained.items()}
        assert copy.changes() == addition
        check(copy, copy.run(page[title].commands))
        assert copy.changes() == addition, "the commands leave nothing behind that git sees"
        copy.commit()
