#!/usr/bin/env bash
# A soft prompt before Qwen2.5-VL-3B, taught VSR's bare answers; another family: VLM_GRPO_FAMILY.
#   bash scripts/run_softprompt.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" soft_prompt "$@"
