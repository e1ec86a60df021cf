#!/usr/bin/env bash
# Run the linters, the type checker and the tests; arguments go to pytest.
#   bash scripts/test.sh [-k EXPRESSION] [tests/PATH ...] [any pytest argument]
# Tests run on up to four cores, each with one thread; -n 0 runs them in one process.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"

bash scripts/lint.sh
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
