#!/usr/bin/env bash
# One stage of the study for one model family; the scripts that people type end with `source run.sh STAGE "$@"`.
#   VLM_GRPO_FAMILY=smolvlm bash scripts/run.sh grpo|sft|soft_prompt|merge|evaluate [ARGUMENT ...]
# The configs are named after the family (default: qwen): configs/vsr/FAMILY_STAGE.yaml are all that a new one needs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$VLM_GRPO_ROOT/scripts/launch.sh"
if [[ ! ${1:-} =~ ^[a-z_]+$ ]] || ! (cd "$VLM_GRPO_ROOT/configs/vsr" && compgen -G "*_$1.yaml" >/dev/null); then
    echo "error: no stage '${1:-}'; usage: bash scripts/run.sh grpo|sft|soft_prompt|merge|evaluate [ARGUMENT ...]" >&2
    exit 2
fi
launch_stage "$@"
