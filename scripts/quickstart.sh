#!/usr/bin/env bash
# The whole study on the embedded model and data set, on a CPU: some five minutes on two cores after the set-up.
#   bash scripts/quickstart.sh [SNAKEMAKE_ARGUMENT ...]
#   bash scripts/quickstart.sh --dry-run                    list the jobs
#   bash scripts/quickstart.sh --config seeds=[42,43,44]    three seeds per arm
# The results are in results/embedded/: summary.md, examples.html, figures, alignment/. A second call does only what is
# missing.
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
fi
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"
snakemake --snakefile workflow/Snakefile --configfile configs/study/embedded.yaml \
    --profile workflow/profiles/local "$@"
if [[ " $* " != *" --dry-run "* && " $* " != *" -n "* ]]; then
    for table in runs/study/embedded/logs/report.log results/embedded/alignment/*/*/alignment.txt; do
        if [[ -f $table ]]; then echo && cat "$table"; fi
    done
fi
