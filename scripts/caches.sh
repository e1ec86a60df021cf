# Sourced: where the caches of this account cannot be written (a read-only or absent home, as on many compute nodes),
# put them into a folder of /tmp (TMPDIR) and say so. Models that are in the old cache are still found there.

vlm_grpo_place_caches() {
    local cache=${XDG_CACHE_HOME:-${HOME:-~}/.cache} config=${XDG_CONFIG_HOME:-${HOME:-~}/.config}
    local other=${TMPDIR:-/tmp}/vlm-grpo-cache-$UID
    if ! { mkdir -p "$cache" && [[ -w $cache ]]; } 2>/dev/null; then
        if ! { (umask 077 && mkdir -p "$other") && [[ -w $other && -O $other ]]; } 2>/dev/null; then
            echo "error: neither $cache nor $other can be written; name a folder in XDG_CACHE_HOME" >&2
            return 2
        fi
        if [[ -z ${HF_HOME:-} && -d $cache/huggingface ]]; then export HF_HOME=$cache/huggingface; fi
        echo "vlm-grpo: $cache cannot be written: caches go to $other; HF_HOME in .env names a place for models" >&2
        export XDG_CACHE_HOME=$other
    fi
    if ! { mkdir -p "$config" && [[ -w $config ]]; } 2>/dev/null; then
        export MPLCONFIGDIR=${MPLCONFIGDIR:-${XDG_CACHE_HOME:-$cache}/matplotlib}
    fi
}

vlm_grpo_place_caches || return 2
unset -f vlm_grpo_place_caches
