#!/usr/bin/env bash
# A whole study on an embedded model and data set, on a CPU; the first takes some six minutes on two cores after the set-up.
#   bash scripts/quickstart.sh [--study NAME] [--no-bias] [SNAKEMAKE_ARGUMENT ...]
#   bash scripts/quickstart.sh --study NAME                 the study configs/study/embedded_NAME.yaml
#   bash scripts/quickstart.sh --no-bias                    leave out the arms trained on biased data: half the time
#   bash scripts/quickstart.sh --dry-run                    list the jobs
#   bash scripts/quickstart.sh --config seeds=[42,43,44]    three seeds per arm
# The results are in results/embedded/ or results/embedded_NAME/: index.html (pages to look at), summary.md, figures,
# alignment/, bias/. A second call does only what is missing.
set -euo pipefail
shopt -s globstar nullglob

fail() {
    echo "error: $*" >&2
    exit 2
}

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=embedded target=all is_dry=false arguments=()
while (($#)); do
    case $1 in
        --study) name=embedded_${2:-} && shift ;;
        --study=*) name=embedded_${1#*=} ;;
        --no-bias) target=study ;;
        --dry-run | -n) is_dry=true && arguments+=("$1") ;;
        *) arguments+=("$1") ;;
    esac
    shift $(($# > 0))
done
study=configs/study/$name.yaml
if [[ ! -f $study ]]; then
    known=(configs/study/embedded_*.yaml)
    known=("${known[@]#configs/study/embedded_}")
    names=${known[*]%.yaml}
    fail "--study '${name#embedded_}': there is no $study; known: ${names:-none}"
fi
if [[ $target == study ]] && ! grep -q '^bias_reports:' "$study"; then
    fail "--no-bias: $study has no bias reports to leave out"
fi
source scripts/env.sh

python -m snakemake "$target" --snakefile workflow/Snakefile --configfile "$study" \
    --profile workflow/profiles/local "${arguments[@]}"
if ! $is_dry; then
    logs=runs/study/$name/logs
    for table in "$logs"/report.log "results/$name"/alignment/**/alignment.txt "$logs"/report-*.log; do
        if [[ ! -f $table ]]; then continue; fi
        echo
        if [[ $table == "$logs"/report-*.log ]]; then
            table_name=${table##*/report-}
            echo "== ${table_name%.log}"
        fi
        cat "$table"
    done
    if [[ -f results/$name/manifest.json ]]; then
        echo && python -m vlm_grpo.study.page "results/$name"
    fi
fi
