# Sourced by the run scripts: start a module with its default config, on one process or through accelerate.
#
#   launch MODULE CONFIG [ARGUMENT ...]
#
# CONFIG is used unless --config is among the arguments. VLM_GRPO_ACCELERATE names an accelerate config (see
# configs/accelerate/) for several processes; without it the module runs in one process.

launch() {
    local module=$1 default=$2
    shift 2
    local config=(--config "$default")
    local argument
    for argument in "$@"; do
        case $argument in --config | --config=*) config=() ;; esac
    done
    local runner=(python)
    if [[ -n ${VLM_GRPO_ACCELERATE:-} ]]; then
        runner=(accelerate launch --config_file "$VLM_GRPO_ACCELERATE")
    fi
    exec "${runner[@]}" -m "$module" "${config[@]}" "$@"
}
