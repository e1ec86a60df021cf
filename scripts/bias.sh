#!/usr/bin/env bash
# Train or evaluate a model family on a biased VSR; the scripts named *_biased.sh end with this one.
#   VLM_GRPO_FAMILY=smolvlm bash scripts/bias.sh text|vision grpo|sft|evaluate LEVEL [ARGUMENT ...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$VLM_GRPO_ROOT/scripts/launch.sh"

# The data set is $DATA_PATH/vsr_KIND_LEVEL, a run goes to $OUT_PATH/bias/FAMILY/METHOD_KIND_LEVEL. Training has the
# study's settings (configs/vsr/), and SFT the length of GRPO by --budget.
train_biased() { # METHOD [ARGUMENT ...]
    local method=$1 more=()
    shift
    if ! is_given --budget "$@" && ! is_given --max_steps "$@"; then
        more+=(--budget samples)
    fi
    if [[ $method == sft ]] && ! is_given --max_steps "$@" && ! is_given --budget_config "$@"; then
        more+=(--budget_config "$(stage_config grpo)")
    fi
    if [[ $kind/$level == text/*extreme* ]] && ! is_given --num_rows "$@"; then
        more+=(--num_rows 5) # the level has no more
    fi
    launch_stage "$method" --data "$data" --output_dir "$(run_folder "$method")" "${more[@]}" "$@"
}

evaluate_biased() { # [ARGUMENT ...]
    local methods=(grpo sft) splits=(test) passed=() method split run stage model is_any=false
    if [[ $kind == vision ]]; then
        splits=(test test_cued test_counter)
    fi
    while (($#)); do
        case $1 in
            --method) methods=("${2:-}") && shift ;;
            --method=*) methods=("${1#*=}") ;;
            --split) splits=("${2:-}") && shift ;;
            --split=*) splits=("${1#*=}") ;;
            *) passed+=("$1") ;;
        esac
        shift
    done
    for method in "${methods[@]}"; do
        run=$(run_folder "$method") stage=evaluate model=()
        case $method in
            base) ;;
            grpo) model=(--adapter "$run/final") ;;
            sft) model=(--adapter "$run/final") stage=evaluate_sft ;;
            *) fail "--method is grpo, sft or base, not '$method'" ;;
        esac
        if [[ $method != base && ! -f $run/manifest.json ]] && ! is_given --dry-run "${passed[@]}"; then
            echo "no finished run in $run" >&2
            continue
        fi
        is_any=true
        for split in "${splits[@]}"; do
            if is_given --where "${passed[@]}" && [[ -f $run/$split/manifest.json ]]; then
                continue # a batch job watches over the first evaluation that is not finished
            fi
            stage_in_turn "$stage" --data "$data" --split "$split" "${model[@]}" --out "$run/$split" "${passed[@]}"
            if is_given --where "${passed[@]}"; then return; fi
        done
    done
    $is_any || fail "nothing to evaluate; train first: run_{grpo,sft}_lora_${kind}_biased.sh"
    if is_given --where "${passed[@]}"; then echo "$run/${splits[-1]}"; fi
}

run_folder() { echo "$OUT_PATH/bias/${VLM_GRPO_FAMILY:-qwen}/${1}_${kind}_$level"; }

# `launch_stage` with something left to do afterwards: signals are passed on, and the exit code comes back.
stage_in_turn() {
    local child
    launch_stage "$@" &
    child=$!
    trap 'kill -s USR1 "$child"' USR1
    trap 'kill -s TERM "$child"' TERM INT
    until wait "$child" || ! kill -0 "$child" 2>/dev/null; do :; done
    wait "$child"
}

# Leave where $level is no level, or its data set $data is not built and no argument stands in for it.
check_level() { # [ARGUMENT ...]
    local options build
    [[ -n $level && $level != -* ]] || fail "say which level first: bash $0 LEVEL ...; see --help"
    [[ $level =~ ^[A-Za-z0-9._-]+$ ]] || fail "level '$level' is no part of a folder's name; see --help"
    if [[ -f $data/manifest.json ]] || is_given --dry-run "$@" || is_given --data "$@"; then
        return
    fi
    options=$(options_of_level) ||
        fail "$data does not exist, and '$level' is no $kind level that could be built; see --help"
    build=$(printf '%q ' python -m "vlm_grpo.bias.$kind" --data "$DATA_PATH/vsr" --out "$data")
    fail "$data is not built; in an environment with scripts/env.sh sourced: $build$options"
}

# Print the options of vlm_grpo.bias.KIND that build the level; fail where its name is none that has a meaning.
options_of_level() {
    local share='(0|1|0?\.[0-9]+|1\.0+)' named='acc_0\.627|acc_0\.69|acc_0\.97|acc_0\.997|extreme|acc_extreme_small'
    if [[ $kind == text && $level =~ ^($share|$named)$ ]]; then
        echo "--level $level"
    elif [[ $kind/$level == vision/published ]]; then
        echo "--settings published"
    elif [[ $kind == vision && $level =~ ^(tint|patch|border)_$share$ ]]; then
        echo "--cue ${level%_*} --probability ${level#*_}"
    else
        return 1
    fi
}

# The comment at the top of the script that was called, then what its arguments mean.
show_help() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    local text_level="a strength from 0 to 1 or a level of the study (acc_0.69)"
    local vision_level="published, or CUE_PROBABILITY (patch_0.9)"
    if [[ $kind == text ]]; then echo "LEVEL is $text_level:"; else echo "LEVEL is $vision_level:"; fi
    echo "what \$DATA_PATH/vsr_${kind}_LEVEL was built with, by python -m vlm_grpo.bias.$kind."
    if [[ $stage == evaluate ]]; then
        echo "Without --method (grpo, sft, base) the finished runs of both methods are evaluated; each result lies in"
        echo "its run's folder, by split. Any other setting of the evaluation and --dry-run go behind the level, too."
    else
        echo "--budget samples (default): SFT is shown each row as often as GRPO is; steps: it takes as many steps."
        echo "Any other setting of the training and --dry-run go behind the level, too."
    fi
}

# The level's name: the number in it may be written in several ways, 0.90 and .9 are the level 0.9.
canonical_level() { # LEVEL
    if [[ $1 =~ ^((tint|patch|border)_)?([0-9]*)\.([0-9]+)$ ]]; then
        local cue=${BASH_REMATCH[1]} whole=${BASH_REMATCH[3]:-0} part=${BASH_REMATCH[4]}
        part=${part%"${part##*[!0]}"}
        echo "$cue$whole${part:+.$part}"
    else
        echo "$1"
    fi
}

# The level as the folder of its data set spells it; as it is called where there is no such folder.
built_level() { # LEVEL
    local folder wanted
    wanted=$(canonical_level "$1")
    for folder in "$DATA_PATH/vsr_${kind}_$1" "$DATA_PATH/vsr_${kind}_$wanted" "$DATA_PATH/vsr_${kind}_"*; do
        if [[ -f $folder/manifest.json && $(canonical_level "${folder#"$DATA_PATH/vsr_${kind}_"}") == "$wanted" ]]; then
            echo "${folder#"$DATA_PATH/vsr_${kind}_"}"
            return
        fi
    done
    echo "$wanted"
}

# Whether the option $1 is among the arguments after it.
is_given() {
    local option=$1 argument
    shift
    for argument in "$@"; do
        case $argument in "$option" | "$option="*) return 0 ;; esac
    done
    return 1
}

fail() {
    echo "error: $*" >&2
    exit 2
}

kind=${1:-} stage=${2:-}
[[ $kind =~ ^(text|vision)$ && $stage =~ ^(grpo|sft|evaluate)$ ]] ||
    fail "usage: bash $0 text|vision grpo|sft|evaluate LEVEL [ARGUMENT ...]"
shift 2
if [[ ${1:-} == --where ]]; then
    set -- "${@:2}" --where
fi
level=$(built_level "${1:-}")
data=$DATA_PATH/vsr_${kind}_$level
if [[ $level == --help || $level == -h ]]; then
    show_help
    exit
fi
check_level "$@"
shift
case $stage in
    evaluate) evaluate_biased "$@" ;;
    *) train_biased "$stage" "$@" ;;
esac
