"""New pictures in calls of a fixed size against one by one: `python benchmarks/tower_calls.py [--size proxy]`.

Both encode the same pictures, none of them known, in turns within one run, timed by the clock on a GPU and in
CPU-seconds without one; medians. How many pictures a call takes is the GPU's rule, or `--a-call` (a CPU's is one).
`same bits` says whether each picture's features are what they are when it alone is new, and in another order; `off` is
how far they are from those of calls of one, over their norm. `waits` counts how often the host waits for the GPU in one
encoding. One new picture is the dearest case: the rest of its call is filling.

`tiny` and `proxy` are for a CPU, `qwen3b` and `smolvlm2b` have the real shapes in bfloat16, for a GPU. On one H200,
qwen3b, pictures of 640 x 480: four new ones 2.4 times faster (156 and 64 ms), a single one 0.65 times (42 and 64 ms),
the same bits alone and among others (benchmarks/results/tower_calls_h200.json). On one CPU core beside other work,
calls of four, the same bits throughout: proxy, four new pictures 1.00 times faster, a single one 0.25 times, which is
why a CPU takes one; tiny towers, where launching counts there too, four new ones 1.55 to 1.70 times.
"""

import argparse
import json
import statistics
import warnings
from contextlib import nullcontext
from typing import Any

import torch
import transformers
from grpo_shapes import SIZES, build, rows
from phase_clock import now

from vlm_grpo.adapters.checkpoint import see_faster
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods.fast import vision_features
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path

FEATURES = 1 << 30
RULE = vision_features.pictures_a_call
SHOWN = ("pixel_values", "image_grid_thw", "pixel_attention_mask")


class Bench:
    """The frozen tower of a size, its features reused, and pictures as the processor makes them."""

    def __init__(self, size_name: str, *, device: str, pictures: int, a_call: int | None) -> None:
        size = SIZES[size_name]
        shaped = build(size, device=device)
        see_faster(shaped.model)
        self.backbone = shaped.model.eval().requires_grad_(False).base_model
        self.cache = vision_features.reuse_features(self.backbone, limit=FEATURES, precision=nullcontext)
        self.rules = {"one": lambda *_: 1, "together": RULE if a_call is None else lambda *_: a_call}
        turn = {"role": "user", "content": [{"type": "image"}]}
        text = shaped.processor.apply_chat_template([turn], tokenize=False)
        self.shown = []
        for row in rows(shaped, size, prompts=pictures, prompt_tokens=size.prompt):
            inputs = shaped.adapter.encode(shaped.processor, [text], [row["images"]]).to(device)
            inputs["pixel_values"] = inputs["pixel_values"].to(size.dtype)
            self.shown.append({name: inputs[name] for name in SHOWN if name in inputs})

    def measure(self, new: int, repeats: int) -> dict[str, Any]:
        """Both ways of encoding `new` pictures; the first time of each is not counted."""
        pictures = list(range(new))
        seconds: dict[str, list[float]] = {rule: [] for rule in self.rules}
        for _ in range(repeats + 1):
            for rule, taken in seconds.items():
                started = now()
                self.encode(rule, pictures)
                taken.append(now() - started)
        ms = {rule: 1000 * statistics.median(taken[1:]) for rule, taken in seconds.items()}
        one, together = (self.encode(rule, pictures) for rule in self.rules)
        alone = torch.cat([self.encode("together", [picture]) for picture in pictures])
        turned = self.encode("together", pictures[::-1])
        return {
            "new": new,
            "ms_one": ms["one"],
            "ms_together": ms["together"],
            "ratio": ms["one"] / ms["together"],
            "same_bits": torch.equal(alone, together) and torch.equal(turned.flip(0), together),
            "off": ((one - together).norm() / one.norm()).item(),
            "waits": self._waits(pictures),
        }

    def encode(self, rule: str, pictures: list[int]) -> torch.Tensor:
        """The features (pictures, values) of `pictures`, none of them known."""
        self.cache.clear()
        vision_features.pictures_a_call = self.rules[rule]
        some = {name: torch.cat([self.shown[picture][name] for picture in pictures]) for name in self.shown[0]}
        pooled = torch.cat(list(self.backbone.get_image_features(**some).pooler_output))
        return pooled.float().reshape(len(pictures), -1)

    def _waits(self, pictures: list[int]) -> int | None:
        if self.backbone.device.type != "cuda":
            return None
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            self.encode("together", pictures)
        torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in told)


def table(size: str, results: list[dict[str, Any]]) -> str:
    """Results as a Markdown table."""
    lines = [
        "| size | new pictures | one by one, ms | together, ms | ratio | same bits | off | waits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {size} | {r['new']} | {r['ms_one']:.1f} | {r['ms_together']:.1f} | {r['ratio']:.2f}x "
            f"| {'yes' if r['same_bits'] else 'no'} | {r['off']:.1e} | {r['waits']} |"
        )
    return "\n".join(lines)


@exits_cleanly
def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="proxy")
    parser.add_argument(
        "--new", type=whole("--new", least=1), nargs="+", default=[1, 2, 4, 8], help="pictures that are new at once"
    )
    parser.add_argument(
        "--a-call", type=whole("--a-call", least=1), help="pictures, or tiles, in a call; default: the rule"
    )
    parser.add_argument("--repeats", type=whole("--repeats", least=1), default=5)
    parser.add_argument("--json", type=user_path, help="write the results here")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bench = Bench(given.size, device=device, pictures=max(given.new), a_call=given.a_call)
    results = [bench.measure(new, given.repeats) for new in given.new]
    print(table(given.size, results), flush=True)
    if given.json:
        hardware = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
        versions = {module.__name__: module.__version__ for module in (torch, transformers)}
        content = {"size": given.size, "results": results, "device": hardware, "versions": versions}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
