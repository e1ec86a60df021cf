# Sourced by the scripts that train and evaluate on a biased VSR.
#
#   train_biased METHOD KIND FAMILY LEVEL [ARGUMENT ...]       METHOD is grpo or sft, KIND text or vision
#   evaluate_biased KIND FAMILY LEVEL [ARGUMENT ...]           FAMILY is qwen or smolvlm
#
# The data set is $DATA_PATH/vsr_KIND_LEVEL, a run goes to $OUT_PATH/bias/FAMILY/METHOD_KIND_LEVEL. Training has the
# study's settings (configs/vsr/), and SFT the length of GRPO by --budget.

source "$VLM_GRPO_ROOT/scripts/launch.sh"

train_biased() {
    local method=$1 kind=$2 family=$3
    shift 3
    bias_level "$kind" "$@"
    local data=$bias_data more=()
    set -- "${bias_arguments[@]}"
    if ! bias_given --budget "$@" && ! bias_given --max_steps "$@"; then
        more+=(--budget samples)
    fi
    if [[ $method == sft ]] && ! bias_given --max_steps "$@" && ! bias_given --budget_config "$@"; then
        more+=(--budget_config "$VLM_GRPO_ROOT/configs/vsr/${family}_grpo.yaml")
    fi
    if [[ $kind/$bias_name == text/*extreme* ]] && ! bias_given --num_rows "$@"; then
        more+=(--num_rows 5) # the level has no more
    fi
    launch "vlm_grpo.training.$method" "$VLM_GRPO_ROOT/configs/vsr/${family}_$method.yaml" \
        --data "$data" --output_dir "$OUT_PATH/bias/$family/${method}_${kind}_$bias_name" "${more[@]}" "$@"
}

evaluate_biased() {
    local kind=$1 family=$2
    shift 2
    bias_level "$kind" "$@"
    local methods=(grpo sft) splits=(test) passed=() method split run settings model is_found=false
    set -- "${bias_arguments[@]}"
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
        run=$OUT_PATH/bias/$family/${method}_${kind}_$bias_name
        settings=$VLM_GRPO_ROOT/configs/vsr/${family}_evaluate.yaml model=()
        case $method in
            base) ;;
            grpo) model=(--adapter "$run/final") ;;
            sft) model=(--adapter "$run/final") settings=$VLM_GRPO_ROOT/configs/vsr/${family}_evaluate_sft.yaml ;;
            *) bias_fail "--method is grpo, sft or base, not '$method'" ;;
        esac
        if [[ $method != base && ! -f $run/manifest.json ]] && ! bias_given --dry-run "${passed[@]}"; then
            echo "no finished run in $run" >&2
            continue
        fi
        is_found=true
        for split in "${splits[@]}"; do
            if bias_given --where "${passed[@]}" && [[ -f $run/$split/manifest.json ]]; then
                continue # a batch job watches over the first evaluation that is not finished
            fi
            bias_in_turn vlm_grpo.evaluation "$settings" --data "$bias_data" --split "$split" "${model[@]}" \
                --out "$run/$split" "${passed[@]}"
            if bias_given --where "${passed[@]}"; then return; fi
        done
    done
    $is_found || bias_fail "nothing to evaluate; train first: run_{grpo,sft}_lora_${kind}_biased.sh"
    if bias_given --where "${passed[@]}"; then echo "$run/${splits[-1]}"; fi
}

# `launch` with something left to do afterwards: signals are passed on, and the exit code comes back.
bias_in_turn() {
    local child
    VLM_GRPO_ACCELERATE="" launch "$@" &
    child=$!
    trap 'kill -s USR1 "$child"' USR1
    trap 'kill -s TERM "$child"' TERM INT
    until wait "$child" || ! kill -0 "$child" 2>/dev/null; do :; done
    wait "$child"
}

# Set bias_name to the level, bias_data to its data set's folder, and bias_arguments to the arguments behind it. Leaves
# when the first argument is no level, or its data set is not built and nothing stands in for it.
bias_level() {
    local kind=$1 options
    shift
    bias_arguments=("${@:2}")
    if [[ ${1:-} == --where ]]; then
        set -- "${@:2}"
        bias_arguments=("${@:2}" --where)
    fi
    bias_name=${1:-} bias_data=$DATA_PATH/vsr_${kind}_${1:-}
    if [[ $bias_name == --help || $bias_name == -h ]]; then
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
        exit
    fi
    [[ -n $bias_name && $bias_name != -* ]] || bias_fail "say which level first: bash $0 LEVEL ...; see --help"
    [[ $bias_name =~ ^[A-Za-z0-9._-]+$ ]] || bias_fail "level '$bias_name' is no part of a folder's name; see --help"
    if [[ -f $bias_data/manifest.json ]] || bias_given --dry-run "$@" || bias_given --data "$@"; then
        return
    fi
    options=$(bias_options "$kind" "$bias_name") ||
        bias_fail "$bias_data does not exist, and '$bias_name' is no $kind level that could be built; see --help"
    bias_fail "$bias_data is not built; in an environment with scripts/env.sh sourced:" \
        "python -m vlm_grpo.bias.$kind --data $DATA_PATH/vsr --out $bias_data $options"
}

# Print the options of vlm_grpo.bias.KIND that build a level; fail where its name is none that has a meaning.
bias_options() {
    local share='(0|1|0?\.[0-9]+|1\.0+)' named='acc_0\.627|acc_0\.69|acc_0\.97|acc_0\.997|extreme|acc_extreme_small'
    if [[ $1 == text && $2 =~ ^($share|$named)$ ]]; then
        echo "--level $2"
    elif [[ $1/$2 == vision/published ]]; then
        echo "--settings published"
    elif [[ $1 == vision && $2 =~ ^(tint|patch|border)_$share$ ]]; then
        echo "--cue ${2%_*} --probability ${2#*_}"
    else
        return 1
    fi
}

# Whether the option $1 is among the arguments after it.
bias_given() {
    local option=$1 argument
    shift
    for argument in "$@"; do
        case $argument in "$option" | "$option="*) return 0 ;; esac
    done
    return 1
}

bias_fail() {
    echo "error: $*" >&2
    exit 2
}
