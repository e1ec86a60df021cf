"""A copy of what a study needs of the checkout, in an odd place, and the quickstart run in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_checkout(folder: Path) -> Path:
    """A checkout below `folder` whose name needs quoting; the sources are those of this one."""
    checkout = folder / "it's a (b) & $x"
    for name in ("scripts", "slurm", "workflow", "alignment_judge", "configs"):
        shutil.copytree(ROOT / name, checkout / name)
    (checkout / "src").symlink_to(ROOT / "src")
    return checkout


def quickstart(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The quickstart in `checkout`, whose data and runs lie in it; with the interpreter of the tests."""
    kept = {k: v for k, v in os.environ.items() if k not in ("OUT_PATH", "VIRTUAL_ENV", "PYTHONPATH")}
    variables = {"VLM_GRPO_PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "DATA_PATH": f"{checkout}/data"}
    command = ["bash", "scripts/quickstart.sh", *words]
    return subprocess.run(
        command, cwd=checkout, env=kept | variables, capture_output=True, text=True, timeout=1800, check=False
    )
