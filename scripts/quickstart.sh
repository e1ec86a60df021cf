#!/usr/bin/env bash
# The whole study on the embedded model and data set, on a CPU: some six minutes on two cores after the set-up.
#   bash scripts/quickstart.sh [--no-bias] [SNAKEMAKE_ARGUMENT ...]
#   bash scripts/quickstart.sh --no-bias                    leave out the arms trained on biased data: half the time
#   bash scripts/quickstart.sh --dry-run                    list the jobs
#   bash scripts/quickstart.sh --config seeds=[42,43,44]    three seeds per arm
# The results are in results/embedded/: summary.md, examples.html, figures, alignment/, bias/. A second call does only
# what is missing.
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
fi
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"

target=all arguments=()
for argument in "$@"; do
    if [[ $argument == --no-bias ]]; then target=study; else arguments+=("$argument"); fi
done
snakemake "$target" --snakefile workflow/Snakefile --configfile configs/study/embedded.yaml \
    --profile workflow/profiles/local "${arguments[@]}"
if [[ " $* " != *" --dry-run "* && " $* " != *" -n "* ]]; then
    for table in runs/study/embedded/logs/report.log results/embedded/alignment/*/*/alignment.txt \
        runs/study/embedded/logs/report-bias.log; do
        if [[ -f $table ]]; then echo && cat "$table"; fi
    done
fi
