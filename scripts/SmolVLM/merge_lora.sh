#!/usr/bin/env bash
# Fold a LoRA adapter of SmolVLM into its base; by default the adapter trained by scripts/SmolVLM/run_grpo_lora.sh.
#   bash scripts/SmolVLM/merge_lora.sh [--adapter DIR --out DIR] [--base NAME] [--dtype NAME] [--dry-run] [--help]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../merge_lora.sh"
