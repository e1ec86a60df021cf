#!/usr/bin/env bash
# SFT of the embedded study with GRPO's budget, on its unbiased and its biased data set: the figures that README quotes.
# After scripts/quickstart.sh, whose data sets it takes; some two minutes. A second call does only what is missing.
#   bash scripts/dev/equal_budget.sh
set -euo pipefail
if (($# > 0)); then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    [[ $1 == --help || $1 == -h ]] && exit
    echo "error: $1: there are no arguments" >&2
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$VLM_GRPO_ROOT"

arms=()
for budget in samples steps; do
    for level in 0 0.9; do
        data=data/synthetic_vsr_text_$level out=runs/equal_budget/${budget}_$level
        [[ -f $data/manifest.json ]] || { echo "error: $data is missing; run scripts/quickstart.sh first" >&2 && exit 2; }
        python -m vlm_grpo.training.sft --config configs/embedded/qwen_sft.yaml --data "$data" --output_dir "$out/sft" \
            --max_steps -1 --budget "$budget" --budget_config configs/embedded/qwen_grpo.yaml
        python -m vlm_grpo.evaluation --config configs/embedded/qwen_evaluate_sft.yaml --adapter "$out/sft/final" \
            --data "$data" --split test --out "$out/test"
        arms+=("--arm=$budget:$level=$out/test")
    done
done
python -m vlm_grpo.bias.report "${arms[@]}" --groups-from data/synthetic_vsr_text_0.9 \
    --title "SFT with GRPO's budget" --out results/embedded/equal_budget
