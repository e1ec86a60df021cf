#!/usr/bin/env bash
# Run the linters, the type checker and the tests; arguments go to pytest.
#   bash scripts/test.sh [-k EXPRESSION] [tests/PATH ...] [any pytest argument]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"

bash scripts/lint.sh
python -m pytest "$@"
