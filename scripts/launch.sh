# Sourced by the run scripts: start a module with its default config, on one process or through accelerate.
#
#   launch MODULE CONFIG [ARGUMENT ...]
#   launch_stage STAGE [ARGUMENT ...]          a stage of the study with the config of its family, VLM_GRPO_FAMILY
#
# VLM_GRPO_CONFIG names another config than CONFIG, and --config among the arguments yet another. VLM_GRPO_ACCELERATE
# names an accelerate config (see configs/accelerate/) for several processes, VLM_GRPO_LAUNCH_OPTIONS further options of
# `accelerate launch`; without it the module runs in one process. Either way a signal to this shell's process reaches the
# training, and its exit code comes back. --where only prints the folder that the command would write to.

launch() {
    local module=$1 config=(--config "${VLM_GRPO_CONFIG:-$2}") arguments=() where=false options=()
    shift 2
    local argument
    for argument in "$@"; do
        case $argument in
            --config | --config=*) config=() ;;
            --where) where=true && continue ;;
        esac
        arguments+=("$argument")
    done
    local runner=(python -m)
    if $where; then
        module=vlm_grpo.where
    elif [[ -n ${VLM_GRPO_ACCELERATE:-} ]]; then
        read -ra options <<<"${VLM_GRPO_LAUNCH_OPTIONS:-}"
        runner=(python -m vlm_grpo.training.launch "${options[@]}" "$VLM_GRPO_ACCELERATE")
    fi
    exec "${runner[@]}" "$module" "${config[@]}" "${arguments[@]}"
}

# STAGE is a training method, merge, evaluate, or evaluate_METHOD for the checkpoints of one method.
launch_stage() {
    local config
    config=$(stage_config "$@")
    case $1 in
        merge) VLM_GRPO_ACCELERATE="" launch vlm_grpo.merge "$config" "${@:2}" ;;
        evaluate*) VLM_GRPO_ACCELERATE="" launch vlm_grpo.evaluation "$config" "${@:2}" ;;
        *) launch "vlm_grpo.training.$1" "$config" "${@:2}" ;;
    esac
}

# Own records, which --data_file_paths names among the arguments, have configs of their own.
stage_config() {
    local folder=vsr
    [[ " ${*:2} " == *" --data_file_paths"[=\ ]* ]] && folder=jsonl
    echo "$VLM_GRPO_ROOT/configs/$folder/${VLM_GRPO_FAMILY:-qwen}_$1.yaml"
}
