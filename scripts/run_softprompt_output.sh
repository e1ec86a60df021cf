#!/usr/bin/env bash
# A soft prompt before Qwen2.5-VL-3B, taught the traces of its GRPO arm; another family: VLM_GRPO_FAMILY.
#   bash scripts/run_softprompt_output.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/vsr/${VLM_GRPO_FAMILY:-qwen}_soft_prompt_output.yaml}
export VLM_GRPO_CONFIG
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" soft_prompt "$@"
