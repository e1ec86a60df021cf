"""Stands for Pixi, which cannot run here: activates as Pixi does, then runs a command or a task.

    python tests/pixi_stand_in.py run [--frozen] [--manifest-path FILE] COMMAND ...

As in Pixi, one bash prints its environment, sets Pixi's variables, sources the scripts of `[activation]` and prints its
environment again; what it prints besides is kept from the terminal, and what changed is what the command gets.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

SEPARATOR = "<=== ENVIRONMENT ===>"


def variables(root: Path) -> dict[str, str]:
    """What Pixi sets in the default environment of the workspace `root`."""
    prefix = root / ".pixi/envs/default"
    return {
        "PATH": f"{prefix}/bin:{os.environ['PATH']}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "vlm-grpo",
        "PIXI_PROJECT_ROOT": str(root),
        "PIXI_PROJECT_MANIFEST": str(root / "pixi.toml"),
        "PIXI_PROJECT_NAME": "vlm-grpo",
        "PIXI_ENVIRONMENT_NAME": "default",
        "PIXI_IN_SHELL": "1",
        "PIXI_EXE": sys.executable,
    }


def activated(root: Path, scripts: list[str]) -> dict[str, str]:
    """The environment after activation."""
    exports = [f'export {name}="{value}"' for name, value in variables(root).items()]
    sources = [f'. "{root / script}"' for script in scripts]
    lines = ["env -0", f"echo '{SEPARATOR}'", *exports, *sources, f"echo '{SEPARATOR}'", "env -0"]
    script = root / ".pixi/activation.sh"
    script.write_text("\n".join(lines) + "\n")
    done = subprocess.run(["bash", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    *_, after = done.stdout.split(SEPARATOR + "\n")
    return dict(entry.split("=", 1) for entry in after.split("\0") if entry)


def main() -> None:
    """Find the workspace, activate, and become the command."""
    words = [word for word in sys.argv[2:] if word != "--frozen"]
    root = Path.cwd()
    if words[0] == "--manifest-path":
        root, words = Path(words[1]).parent, words[2:]
    manifest = tomllib.loads((root / "pixi.toml").read_text())
    environment = activated(root, manifest.get("activation", {}).get("scripts", []))
    if words[0] in manifest["tasks"]:
        os.chdir(root)
        words = ["bash", "-c", manifest["tasks"][words[0]]["cmd"]]
    os.execvpe(words[0], words, environment)


if __name__ == "__main__":
    main()
