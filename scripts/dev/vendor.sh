#!/usr/bin/env bash
# Bring the two JavaScript libraries that the pages and their tests use, each at its pinned version, through npm.
#   bash scripts/dev/vendor.sh            write them where they are kept
#   bash scripts/dev/vendor.sh --check    say whether what is kept is what npm ships, byte for byte
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

place=src/vlm_grpo/study/site/assets/vendor/uplot tests_place=tests/axe
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in uplot@1.6.32 axe-core@4.10.3; do
    (cd "$folder" && npm pack --silent "$package" >/dev/null)
    mkdir "$folder/${package%@*}"
    tar -xzf "$folder/${package/@/-}.tgz" -C "$folder/${package%@*}" --strip-components=1
done
mkdir -p "$place" "$tests_place"
while read -r from to; do
    if [[ ${1:-} == --check ]]; then
        cmp "$folder/$from" "$to"
    else
        cp "$folder/$from" "$to"
    fi
done <<FILES
uplot/dist/uPlot.iife.min.js $place/uPlot.iife.min.js
uplot/dist/uPlot.min.css $place/uPlot.min.css
uplot/LICENSE $place/LICENSE
axe-core/axe.min.js $tests_place/axe.min.js
axe-core/LICENSE $tests_place/LICENSE
FILES
