# Sourced by the run scripts: start a module with its default config, on one process or through accelerate.
#
#   launch MODULE CONFIG [ARGUMENT ...]
#   launch_stage STAGE [ARGUMENT ...]          a stage of the study with the config of its family, VLM_GRPO_FAMILY, and,
#                                              with --task NAME among the arguments, of its task: configs/NAME/
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
    local config arguments=()
    config=$(stage_config "$@")
    local stage=$1
    shift
    while (($#)); do
        case $1 in
            --task) shift ;;
            --task=*) ;;
            *) arguments+=("$1") ;;
        esac
        shift $(($# > 0))
    done
    case $stage in
        merge) VLM_GRPO_ACCELERATE="" launch vlm_grpo.merge "$config" "${arguments[@]}" ;;
        evaluate*) VLM_GRPO_ACCELERATE="" launch vlm_grpo.evaluation "$config" "${arguments[@]}" ;;
        *) launch "vlm_grpo.training.$stage" "$config" "${arguments[@]}" ;;
    esac
}

# Own records, which --data_file_paths names among the arguments, have configs of their own, as the tasks have that --task
# names.
stage_config() {
    local name=${VLM_GRPO_FAMILY:-qwen}_$1.yaml words=" ${*:2} " configs=$VLM_GRPO_ROOT/configs folder=vsr
    [[ $words == *" --data_file_paths"[=\ ]* ]] && folder=jsonl
    if [[ $words =~ \ --task[=\ ]([^\ ]*) ]]; then
        folder=${BASH_REMATCH[1]}
        if [[ -z $folder || ! -f $configs/$folder/$name ]]; then
            local known=("$configs"/*/"$name")
            known=("${known[@]%/*}")
            echo "error: --task '$folder': no task of that name has a config $name; known: ${known[*]##*/}" >&2
            return 2
        fi
    fi
    echo "$configs/$folder/$name"
}
