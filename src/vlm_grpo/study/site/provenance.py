"""Where the numbers come from: every stage's manifest, settings side by side, and what the machine was."""

import json
from collections.abc import Mapping
from typing import Any

from vlm_grpo.study.site.charts import wide
from vlm_grpo.study.site.source import TRAIN, Source
from vlm_grpo.tables import NOTHING

PLACES = ("output_dir", "out", "data", "model", "adapter")
"""Settings that say where things lie: not shown as differences between arms, which they always are."""


def provenance(source: Source) -> dict[str, Any]:
    """The template's variables."""
    stages = [_stage(name, written) for name, (_, written) in source.stages.items()]
    trainings = {n.removeprefix(TRAIN): w["config"] for n, (_, w) in source.stages.items() if n.startswith(TRAIN)}
    evaluations = {run: arm.manifest["config"] for run, arm in source.runs.items()}
    gpu_hours = sum(stage["gpu_hours"] for stage in stages)
    return {
        "stages": stages,
        "total": wide(sum(source.summary["seconds"].values())),
        "gpu_hours": gpu_hours,
        "settings": [
            (title, side_by_side(configs))
            for title, configs in (("Training settings", trainings), ("Evaluation settings", evaluations))
            if configs
        ],
        "commits": _distinct(source, "git_commit"),
        "locks": _distinct(source, "locks"),
        "packages": _distinct(source, "packages"),
        "hardware": _distinct(source, "hardware"),
        "manifests": [(name, json.dumps(w, indent=2, ensure_ascii=False)) for name, (_, w) in source.stages.items()],
    }


def side_by_side(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Settings by key, first those that differ between runs that have them, last those that not every run has."""
    keys = sorted({key for config in configs.values() for key in config})
    lines: list[dict[str, Any]] = []
    for key in keys:
        cells = [_cell(config, key) for config in configs.values()]
        differs = len(set(cells) - {NOTHING}) > 1 and key not in PLACES
        lines.append({"key": key, "cells": cells, "differs": differs})
    lines.sort(key=lambda line: (not line["differs"], NOTHING in line["cells"]))
    return {"runs": list(configs), "lines": lines, "differing": sum(bool(line["differs"]) for line in lines)}


def _cell(config: Mapping[str, Any], key: str) -> str:
    if key not in config:
        return NOTHING
    value = config[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _stage(name: str, written: Mapping[str, Any]) -> dict[str, Any]:
    hardware = written.get("hardware", {})
    gpus = hardware.get("gpus", [])
    machine = ", ".join(map(str, gpus)) or f"{hardware.get('cpus', '?')} CPUs, {hardware.get('machine', '?')}"
    counts = ", ".join(f"{key} {value}" for key, value in written.get("counts", {}).items())
    return {
        "name": name,
        "kind": written["kind"],
        "seconds": wide(written["seconds"]),
        "gpu_hours": len(gpus) * written["seconds"] / 3600,
        "finished": written["finished"],
        "commit": (written.get("git_commit") or "none")[:10],
        "machine": machine,
        "counts": counts,
    }


def _distinct(source: Source, key: str) -> list[tuple[str, list[str]]]:
    """The values of `key` over the stages, each as text with the stages that have it."""
    stages: dict[str, list[str]] = {}
    for name, (_, written) in source.stages.items():
        value = written.get(key)
        if isinstance(value, Mapping):
            text = "\n".join(f"{part}: {_cell(value, part)}" for part in value)
        else:
            text = str(value)
        stages.setdefault(text, []).append(name)
    return list(stages.items())
