#!/usr/bin/env bash
# Check style, formatting, types and shell scripts; --fix mends what the tools can.
#   bash scripts/lint.sh [--fix]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"

if [[ ${1:-} == --fix ]]; then
    ruff check --fix .
    ruff format .
fi
echo "== ruff"
ruff check .
ruff format --check .
echo "== shellcheck"
git ls-files '*.sh' '*.sbatch' '.ci/run' | xargs shellcheck
echo "== mypy"
mypy
