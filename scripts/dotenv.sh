# Sourced: export the settings of the checkout's .env (see .env_example), which is a bash file. What the environment
# already says wins. A leading `~` of a path means home, quoted or not. Line ends may be those of Windows.
# Returns 2, after one line that names the file's line, when a command in it fails.

vlm_grpo_read_settings() {
    local file=$VLM_GRPO_ROOT/.env environment settings name home=~
    if [[ -f $file ]]; then
        # A bash of its own reads it: lines are reported under the name given last, output is not taken for settings.
        settings=$(
            report="trap '((\$? > 125)) || echo \"\$0: line \$LINENO: exit status \$?\"' ERR"
            text=$(sed $'1s/^\xef\xbb\xbf//; s/\r$//' "$file")
            VLM_GRPO_ROOT=$VLM_GRPO_ROOT bash -euc "exec 3>&1 >&2; $report; set -a; $text
                trap - ERR; set +a -o posix; export -p >&3" "error: $file"
        ) || return 2
        environment=$(set -o posix && export -p)
        eval "$settings"
        eval "$environment"
    fi
    for name in DATA_PATH OUT_PATH PIP_FIND_LINKS "${!VLM_GRPO_@}" "${!HF_@}" "${!WANDB_@}"; do
        if [[ ${!name:-} =~ ^~(/|$) ]]; then export "$name=$home${!name:1}"; fi
    done
}

vlm_grpo_read_settings || return 2
unset -f vlm_grpo_read_settings
