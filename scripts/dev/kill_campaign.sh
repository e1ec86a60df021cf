#!/usr/bin/env bash
# Strike training runs twenty times each, by SIGKILL and SIGUSR1 at random moments, and compare them with undisturbed
# ones: SFT and GRPO, both families; on two processes, once. Some twenty minutes on two cores.
#   bash scripts/dev/kill_campaign.sh [any pytest argument]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$VLM_GRPO_ROOT"
OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 -m nightly -o faulthandler_timeout=0 tests/methods/test_{kill_campaign,launch}.py "$@"
