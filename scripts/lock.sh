#!/usr/bin/env bash
# Pin every package again, with hashes, from pyproject.toml into requirements/ (see scripts/dev/lock.py).
#   bash scripts/lock.sh [--upgrade] [--cpu-wheels FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
python "$VLM_GRPO_ROOT/scripts/dev/lock.py" "$@"
