#!/usr/bin/env bash
# Install the hash-locked packages into an environment, making a virtual one where there is none.
#
#   bash scripts/setup_env.sh [PREFIX]         make or update it; nothing to do takes milliseconds
#   bash scripts/setup_env.sh --check PREFIX   only tell, by the exit status, whether it is up to date
#
# PREFIX is the active Pixi environment, or VLM_GRPO_VENV, or .venv, unless given. requirements/cuda.txt is used where
# `nvidia-smi -L` works, requirements/cpu.txt elsewhere; VLM_GRPO_TORCH=cpu|cuda decides instead (a cluster's login node
# often has no GPU: say cuda there). An environment with CUDA also serves a machine without a GPU.
#
# Several may start at once: one works, the others wait for it on a lock, which the kernel releases whatever happens to
# its holder. A stamp, written last, says what is installed; without it the next call starts again where pip stopped.
set -euo pipefail

VLM_GRPO_ROOT=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
source "$VLM_GRPO_ROOT/scripts/dotenv.sh"
requirements=${VLM_GRPO_REQUIREMENTS:-$VLM_GRPO_ROOT/requirements}
export PYTHONNOUSERSITE=1

say() { echo "vlm-grpo: $*" >&2; }
fail() {
    echo "error: $*" >&2
    exit 2
}

check_only=false
if [[ ${1:-} == --check ]]; then
    check_only=true
    shift
fi
[[ $# -le 1 && ${1:-} != -* ]] || fail "usage: bash scripts/setup_env.sh [--check] [PREFIX]"
default=${VLM_GRPO_VENV:-$VLM_GRPO_ROOT/.venv}
if [[ -n ${CONDA_PREFIX:-} && ${PIXI_PROJECT_ROOT:-} -ef $VLM_GRPO_ROOT ]]; then
    default=$CONDA_PREFIX
fi
prefix=$(realpath --canonicalize-missing "${1:-$default}")
python=$prefix/bin/python
stamp=$prefix/.vlm-grpo-stamp
log=$prefix/.vlm-grpo-setup.log
digest=$(grep -hv '^ *#' "$requirements"/*.txt | sha256sum | cut -c 1-16)

[[ ${VLM_GRPO_TORCH:=auto} =~ ^(auto|cpu|cuda)$ ]] || fail "VLM_GRPO_TORCH is '$VLM_GRPO_TORCH': say auto, cpu or cuda"

# Print which packages this machine wants: cpu or cuda.
flavour() {
    if [[ $VLM_GRPO_TORCH != auto ]]; then
        echo "$VLM_GRPO_TORCH"
    elif nvidia-smi -L &>/dev/null; then
        echo cuda
    else
        echo cpu
    fi
}

up_to_date() {
    local installed=""
    [[ -x $python && -f $stamp ]] && read -r installed <"$stamp"
    [[ $installed == "cuda $digest $prefix" || $installed == "$(flavour) $digest $prefix" ]]
}

# Print the first interpreter of a version that the locked packages are for.
find_python() {
    local candidate seen=""
    for candidate in ${VLM_GRPO_BASE_PYTHON:-python3.11 python3.12 python3 python}; do
        type -P "$candidate" >/dev/null || continue
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
        seen="${seen:+$seen, }$candidate is $("$candidate" --version 2>&1 | head -n 1)"
    done
    fail "Python 3.11 or 3.12 is needed (${seen:-no Python found}): install one, name one in" \
        "VLM_GRPO_BASE_PYTHON, or install Pixi, which brings its own"
}

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' &>/dev/null; }

make_environment() {
    local base stamped_prefix=$prefix
    if [[ -f $prefix/pyvenv.cfg ]]; then
        [[ ! -f $stamp ]] || read -r _ _ stamped_prefix <"$stamp"
        if "$python" -c '' &>/dev/null && [[ $stamped_prefix == "$prefix" ]]; then
            return
        fi
        say "$prefix was moved, or its Python is gone: making it anew"
    elif [[ -x $python ]]; then
        return
    elif [[ -n $(ls -A "$prefix" 2>/dev/null) ]]; then
        fail "$prefix is no virtual environment and not empty: remove it, or name another place in VLM_GRPO_VENV"
    fi
    base=$(find_python)
    "$base" -c 'import ensurepip, venv' &>/dev/null ||
        fail "$base cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)"
    say "making a virtual environment with $("$base" --version) in $prefix"
    "$base" -m venv --clear "$prefix"
}

# Run pip on a requirements file. Its long output goes to a log; here comes a line for every 25 packages.
pip_install() {
    "$python" -m pip install --no-input --disable-pip-version-check --no-compile --require-hashes --no-deps \
        --no-build-isolation --requirement "$1" 2>&1 | tee -a "$log" | awk '
            /^(Collecting|Processing|Requirement already satisfied)/ && ++n % 25 == 0 { print "  " n " fetched" }
            /^Building wheels/ || /Retrying/ { print "  " $0 }
            /^Installing collected/ { print "  unpacking" }
            { fflush() }' >&2
}

install_list() {
    local list=$requirements/$1
    say "installing $(grep -c '==' "$list") packages from $(basename "$requirements")/$1 (log: $log)"
    if ! pip_install "$list"; then
        tail -n 15 "$log" >&2
        fail "pip could not install $list: see above; the same command goes on from there"
    fi
}

# Install torch's CPU-only build, if an index or folder that pip is set up for has one of those in cpu.txt.
install_cpu_torch() {
    local list=$prefix/.vlm-grpo-torch.txt
    sed -n '/^torch==/,/[^\\]$/ { s/^torch==[^ ]*/&+cpu/; p }' "$requirements/cpu.txt" >"$list"
    [[ ! -s $list ]] || pip_install "$list"
}

# Import what the commands use: shows that it starts, and writes its bytecode, which pip has been told not to do for all
# that is never loaded (that would take longer than the rest).
load_once() {
    local modules process processes=()
    for modules in "$@"; do
        # shellcheck disable=SC2086
        env -u PYTHONDONTWRITEBYTECODE "$python" -c \
            'import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]' $modules >>"$log" 2>&1 &
        processes+=($!)
    done
    for process in "${processes[@]}"; do
        wait "$process" || fail "an installed package does not load (exit status $?), see the end of $log"
    done
}

if up_to_date; then
    exit 0
elif $check_only; then
    exit 1
fi
mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock"
if ! flock --nonblock 9; then
    say "waiting for another process that sets up $prefix"
    flock 9 || fail "cannot lock $prefix.lock: name a place on a file system with locks in VLM_GRPO_VENV"
fi
if up_to_date; then
    exit 0
fi

started=$SECONDS
wanted=$(flavour)
make_environment
supported "$python" || fail "$prefix has $("$python" --version): the locked packages are for Python 3.11 and 3.12"
rm -f "$stamp" "$log"
if [[ $wanted == cuda ]] && (cd "$prefix/lib" && compgen -G "python3*/site-packages/torch-*+cpu.dist-info" >/dev/null); then
    "$python" -m pip uninstall --quiet --yes torch
fi
export DS_BUILD_OPS=0 # deepspeed compiles its kernels when they are first used
install_list build.txt
if [[ $wanted == cpu ]] && ! install_cpu_torch; then
    say "pip finds no CPU-only build of torch here; the other one needs NVIDIA's libraries (3 GB) even on a CPU: taking both"
    wanted=cuda
fi
install_list "$wanted.txt"
if grep -q '^trl==' "$requirements/$wanted.txt"; then
    say "loading the packages once"
    load_once "torch trl.trainer.sft_trainer trl.trainer.grpo_trainer peft datasets deepspeed \
        transformers.models.qwen2_5_vl.modeling_qwen2_5_vl transformers.models.idefics3.modeling_idefics3" \
        "scipy.stats sklearn.metrics statsmodels.api matplotlib.pyplot openai snakemake.cli hypothesis pytest"
fi
# The project's own sources, so that programs of this environment find them without env.sh too.
echo "$VLM_GRPO_ROOT/src" >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vlm_grpo.pth"
echo "$wanted $digest $prefix" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "$prefix is ready ($wanted, $((SECONDS - started)) s)"
