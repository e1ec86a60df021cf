"""The arms as a small graph: from which checkpoint each was trained, laid out in columns for an SVG."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.source import MERGE, TRAIN, Source

WIDTH, HEIGHT, ACROSS, DOWN = 190, 54, 310, 78
"""Of a node, and from one to the next, in the SVG's units."""
BEND = 36
"""How much of an edge's way is curved; on the rest of it stands the label."""


@dataclass(frozen=True)
class Node:
    """An arm, or a model that no arm of the report answers for; `x` and `y` are its upper left corner."""

    name: str
    note: str
    tone: int | None
    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """A training: the line from one node to another, and the method's name on it."""

    path: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """Nodes and edges with the size of the whole."""

    nodes: list[Node]
    edges: list[Edge]
    width: int
    height: int


def graph(source: Source, tones: dict[str, int]) -> Graph:
    """The graph of the arms, `tones` being their colours' numbers."""
    starts = _starts(source)
    names = list(dict.fromkeys([*source.arms, *starts, *(start for start, _ in starts.values())]))
    depth: dict[str, int] = {}
    for name in names:
        links, seen = 0, name
        while seen in starts and links < len(names):
            seen, links = starts[seen][0], links + 1
        depth[name] = links
    at: dict[str, tuple[int, int]] = {}
    for name in names:
        rank = sum(depth[other] == depth[name] for other in at)
        at[name] = (depth[name] * ACROSS, rank * DOWN)
    nodes = [Node(name, _note(source, name), tones.get(name), *at[name]) for name in names]
    edges = [_edge(at[start], at[name], label) for name, (start, label) in starts.items()]
    width = max(x for x, _ in at.values()) + WIDTH
    return Graph(nodes, edges, width, max(y for _, y in at.values()) + HEIGHT)


def _starts(source: Source) -> dict[str, tuple[str, str]]:
    """By arm, where it starts and by which method it is trained."""
    merged = {str(folder): arm_of(name.removeprefix(MERGE)) for name, (folder, _) in source.stages.items()}
    asked: dict[Any, dict[str, str]] = {}
    for run, arm in source.runs.items():
        config = arm.manifest["config"]
        asked.setdefault(config["model"], {})[arm_of(run)] = config["prompt"]
    starts: dict[str, tuple[str, str]] = {}
    for name, (_, written) in source.stages.items():
        if name.startswith(TRAIN):
            model, prompt = written["config"].get("model"), written["config"].get("prompt")
            trained = arm_of(name.removeprefix(TRAIN))
            start = merged.get(model) or _likeliest(trained, prompt, asked.get(model, {})) or str(model)
            if start != trained:
                starts.setdefault(trained, (start, written["kind"]))
    return starts


def _likeliest(trained: str, prompt: str | None, starts: Mapping[str, str]) -> str | None:
    """Of the arms of one checkpoint, `starts` with the prompt that each is asked with, the one to be `trained`'s start.

    It is of the same study where two are compared, and asked as `trained` was while it trained.
    """
    study = trained.rpartition(":")[0]
    return min(starts, key=lambda start: (start.rpartition(":")[0] != study, starts[start] != prompt), default=None)


def _note(source: Source, name: str) -> str:
    if name not in source.summary["arms"]:
        return "not asked"
    scores, runs = source.summary["arms"][name], source.summary["spread"][name]["runs"]
    seeds = f", {runs} seeds" if runs > 1 else ""
    return f"{scores['accuracy']:.3f} right of {scores['n']}{seeds}"


def _edge(start: tuple[int, int], end: tuple[int, int], label: str) -> Edge:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT / 2
    x2, y2 = end[0] - 8, end[1] + HEIGHT / 2
    turn = x1 + BEND
    middle = (x1 + turn) / 2
    path = f"M{x1} {y1:g} C{middle:g} {y1:g} {middle:g} {y2:g} {turn} {y2:g} L{x2} {y2:g}"
    return Edge(path, label, x2 - 10, y2 - 7)
