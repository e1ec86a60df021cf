"""Every setting is documented in `.env_example`, none is required or secret, and `.env` stays out of git."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / ".env_example").read_text()
DOCUMENTED = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))

# What others set: the shell, a launcher, Slurm inside a job, an active environment.
FOREIGN = re.compile(
    r"BASH_REMATCH|BASH_SOURCE|CI|CONDA_\w+|HOME|LINENO|LOCAL_RANK|MPLCONFIGDIR|PATH|PIXI_\w+|PPID|PWD|PYTHON\w+|RANK|SECONDS|SLURM_\w+"
    r"|TMPDIR|UID|USER|VIRTUAL_ENV|VLM_GRPO_ROOT|WORLD_SIZE|XDG_\w+"
)
READS = {
    "*.py": re.compile(r"""environ(?:\.get\(|\[)\s*["']([A-Z][A-Z0-9_]+)["'](?!\]\s*=[^=])|getenv\(["'](\w+)"""),
    "*.sh": re.compile(r"\$\{?([A-Z][A-Z0-9_]+)"),
    "*.sbatch": re.compile(r"\$\{?([A-Z][A-Z0-9_]+)"),
    "*.yaml": re.compile(r"\$\{([A-Z][A-Z0-9_]+)\}|_(?:env|key): *([A-Z][A-Z0-9_]+)"),
}
SECRETS = re.compile(r"\b(sk-[A-Za-z0-9_-]{40,}|hf_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|ghp_[A-Za-z0-9]{30,})\b")


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("pattern", READS)
def test_what_is_read_is_documented(pattern: str) -> None:
    undocumented = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked(pattern)
        if "tests" not in path.relative_to(ROOT).parts
        for match in READS[pattern].finditer(path.read_text())
        for name in match.groups()
        if name and name not in DOCUMENTED and not FOREIGN.fullmatch(name)
    }
    assert not undocumented


def test_the_search_finds_what_is_known_to_be_read() -> None:
    read = {name for path in tracked("*.sh") for name in READS["*.sh"].findall(path.read_text())}
    assert {"DATA_PATH", "VLM_GRPO_TORCH", "VLM_GRPO_VENV"} <= read


def test_nothing_is_required_and_nothing_is_set() -> None:
    assert all(line.startswith("#") or not line.strip() for line in EXAMPLE.splitlines())


def test_example_is_a_shell_file_when_uncommented(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("\n".join(re.findall(r"^# ([A-Z][A-Z0-9_]+=.*)", EXAMPLE, re.MULTILINE)))
    names = sorted(DOCUMENTED)
    script = f"set -eua; source {settings}; printf '%s\\n' " + " ".join(f'"${name}"' for name in names)
    output = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    assert len(output.stdout.splitlines()) == len(names)
    assert not output.stderr


@pytest.mark.parametrize("name", [".env", ".venv/bin/python", "results/embedded/summary.json", "data/x", "runs/x"])
def test_git_ignores(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "--quiet", "--no-index", name], cwd=ROOT).returncode == 0


def test_no_secret_is_tracked() -> None:
    for path in tracked():
        match = SECRETS.search(path.read_bytes().decode("utf-8", errors="ignore"))
        assert match is None, f"{path.relative_to(ROOT)}: {match[0][:8] if match else ''}… looks like a key"


def test_what_installs_names_no_address() -> None:
    address = re.compile(r"://(?!127\.0\.0\.1|localhost)")
    for path in tracked("pyproject.toml", "pixi.toml", "requirements/*", "scripts/*.sh", "scripts/dev/*", ".ci/*"):
        assert not address.search(path.read_text()), f"{path.relative_to(ROOT)} holds an address"
