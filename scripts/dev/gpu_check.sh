#!/usr/bin/env bash
# What a person with ten minutes of a GPU should run, most important first; results and one table in the folder OUT.
#   bash scripts/dev/gpu_check.sh OUT [--wheels DIR] [--only PART ...] [--list]
#   --wheels DIR    with the Python and the torch that are here, before their other packages those of the wheels in DIR
#   --only PART     these parts; one that ended well is not run again, unless it is named
#   --list          the parts, their limits in seconds and their commands
# A part that fails or exceeds its limit is told in the table, and the next one begins. Without a GPU it says so and runs
# small sizes, which proves all but CUDA.
set -euo pipefail

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
fail() {
    echo "error: $*" >&2
    exit 2
}
out="" wheels="" is_list=false only=()
while (($#)); do
    case $1 in
        --help | -h) usage && exit ;;
        --list) is_list=true ;;
        --wheels) wheels=${2:-} && shift ;;
        --only) while [[ -n ${2:-} && $2 != -* ]]; do only+=("$2") && shift; done ;;
        -*) fail "$1: unknown; see --help" ;;
        *) out=$1 ;;
    esac
    shift
done
$is_list || [[ -n $out ]] || fail "give the folder OUT; see --help"
[[ -z $wheels || -d $wheels ]] || fail "--wheels $wheels: no such folder"
[[ -z $wheels || -n $(compgen -G "$wheels/*.whl") ]] || fail "--wheels $wheels: no wheel (*.whl) in it"
parts=(exact:120 decode:80 step_4x8:110 step_2x8:70 embedded:80 decode_smolvlm:50 step_smolvlm:50 tower:40)
for part in "${only[@]}"; do
    [[ " ${parts[*]%:*} " == *" $part "* ]] || fail "--only $part: unknown part; known: ${parts[*]%:*}"
done
if [[ -n $out ]]; then
    mkdir -p "$out"
    out=$(cd "$out" && pwd)
fi
if [[ -n $wheels ]]; then
    export VLM_GRPO_PYTHON=${VLM_GRPO_PYTHON:-$(type -P python3)}
    "$VLM_GRPO_PYTHON" -m pip install --quiet --no-index --no-deps --upgrade --target "$out/site" "$wheels"/*.whl
    export PYTHONPATH=$out/site${PYTHONPATH:+:$PYTHONPATH}
fi
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$VLM_GRPO_ROOT"
export PYTHONWARNINGS=ignore HF_HUB_OFFLINE=1
export DATA_PATH=$out/data OUT_PATH=$out/runs

gpu=$(python -c 'import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else "")')
if [[ -n $gpu ]]; then
    device=cuda workers=6 slower=1 qwen=(--size qwen3b) smolvlm=(--size smolvlm2b) tokens=(--batches 16 64 --tokens 64) steps=() grpo=()
else
    echo "no GPU is here: small sizes on the CPU" >&2
    device=cpu workers=0 slower=5 qwen=(--size tiny) smolvlm=(--size tiny_smolvlm) tokens=(--batches 8 16 --tokens 16)
    steps=(--completion 8) grpo=(--max_steps 2 --save_steps 2)
fi

exact() {
    VLM_GRPO_TEST_DEVICE=$device python -m pytest -q -n "$workers" -p no:cacheprovider \
        tests/decoding/test_{engine_exactness,engine,choosing}.py tests/methods/fast/test_{packed,vision_features,fast_exactness}.py
}
decode() { python benchmarks/decode.py "${qwen[@]}" "${tokens[@]}" --json "$out/decode.json"; }
decode_smolvlm() { python benchmarks/decode.py "${smolvlm[@]}" "${tokens[@]}" --json "$out/decode_smolvlm.json"; }
step() { # a name, prompts, more arguments
    python benchmarks/grpo_step.py --prompts "$2" "${@:3}" "${steps[@]}" --repeats 2 --warm-up 1 --limit 30 --json "$out/$1.json"
}
step_2x8() { step step_2x8 2 "${qwen[@]}"; }
step_4x8() { step step_4x8 4 "${qwen[@]}"; }
step_smolvlm() { step step_smolvlm 2 "${smolvlm[@]}"; }
tower() { python benchmarks/tower_calls.py "${qwen[@]}" --new 1 4 --repeats 3 --json "$out/tower.json"; }
embedded() {
    python -m vlm_grpo.embedded.synthetic_vsr --seed 0 --out "$DATA_PATH/synthetic_vsr"
    python -m vlm_grpo.training.grpo --config configs/embedded/qwen_grpo.yaml "${grpo[@]}"
    python -m vlm_grpo.merge --adapter "$OUT_PATH/embedded/qwen/grpo/final" --out "$OUT_PATH/merged"
    python -m vlm_grpo.evaluation --config configs/embedded/qwen_evaluate.yaml --model "$OUT_PATH/merged" \
        --out "$OUT_PATH/test" --limit 40
    echo "trained, merged and asked $(wc -l <"$OUT_PATH/test/generations.jsonl") rows"
}

if $is_list; then
    for part in "${parts[@]}"; do
        echo "${part%:*}, at most $((slower * ${part#*:})) s:"
        declare -f "${part%:*}" | sed '1,2d;$d'
    done
    exit
fi

for part in "${parts[@]}"; do
    name=${part%:*} limit=$((slower * ${part#*:}))
    if ((${#only[@]})); then
        [[ " ${only[*]} " == *" $name "* ]] || continue
    elif [[ -f $out/$name.ok ]]; then
        continue
    fi
    rm -f "$out/$name.ok" "$out/$name.json"
    echo "== $name, at most $limit s: $out/$name.log" >&2
    began=$SECONDS code=0
    run=$(declare -p qwen smolvlm tokens steps grpo out device workers && declare -f step "$name" && echo "$name")
    timeout --kill-after=5 "$limit" bash -euo pipefail -c "$run" >"$out/$name.log" 2>&1 || code=$?
    echo "$code $((SECONDS - began))" >"$out/$name.code"
    if ((code == 0)); then touch "$out/$name.ok"; fi
done
python scripts/dev/gpu_table.py "$out" "${parts[@]%:*}" | tee "$out/table.md"
