# Sourced: export the settings of the checkout's .env (see .env_example). What the environment already says wins.

if [[ -f $VLM_GRPO_ROOT/.env ]]; then
    _environment=$(export -p)
    set -a
    # shellcheck source=/dev/null
    source "$VLM_GRPO_ROOT/.env"
    set +a
    eval "$_environment"
    unset _environment
fi
