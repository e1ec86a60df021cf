"""A token by transformers' generate against the engine: `python benchmarks/decode.py [--size proxy] [--json FILE]`.

Both decode the same prompts (groups of 8, LoRA apart, pictures encoded before) with the same seed, one after the other
in one run, timed by the clock on a GPU and in CPU-seconds without one; in float32 their tokens must be equal. `tiny`
and `proxy` are for a CPU, `qwen3b` and `smolvlm2b` have the real shapes in bfloat16, for a GPU. `ms_per_token` is what
one more token costs all rows; `rollout_seconds` is the whole, with each row's prefill by generate and each prompt's by
the engine. `floor_ms` is what reading the weights, keys and values once takes at the device's measured copy speed.

Measured on one CPU core beside other work, tokens equal: proxy, 64 tokens, batch 8 and 16: a token 1.44 and 1.34 times
faster, the rollout 3.2 and 3.7 times. Before the lean step, on the tower's own: tiny, 40 tokens, batch 8, 16, 64 and
128: a token 1.0 to 1.1 times, the rollout 1.2, 1.3, 1.7 and 2.1 times. By the lean step, tiny_internvl, 40 tokens,
batch 8 and 16: a token 1.8 and 1.4 times, the rollout 1.9 and 1.8 times. Nothing is captured on a CPU. On one H200, 48
tokens: qwen3b at batch 16 and 64 a token 10.5 and 9.4 times faster (5.42 and 6.17 ms), the rollout 7.9 and 8.0 times
(64 tokens, in a run whose `generate` took 84 and 96 ms a token: 11.7 and 12.3 times); smolvlm2b at 16 9.6 times (3.66
ms) and 7.5 times. benchmarks/results/decode_h200.json, decode_smolvlm_h200.json.
"""

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import transformers
from grpo_shapes import SIZES, build, rows
from peft import LoraConfig, get_peft_model
from phase_clock import now

from vlm_grpo.decoding.capture import Run, capture
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.pictures import by_row, counts_of
from vlm_grpo.decoding.prompts import DistinctPrompts
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.methods.fast.vision_features import reuse_features
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path

GROUP = 8
LORA_B = 0.02
FEATURES = 1 << 30
COPIED = {"cuda": 1 << 30, "cpu": 1 << 28}
"""Bytes of the tensor that is copied to measure the device's speed: more than its caches hold."""
COPIES = 5
FEW = 2
"""Tokens of the rollout that is taken off the whole: one step, which all preparations precede."""


class Bench:
    """A model of a size with LoRA, its engine, and prompts for the largest batch."""

    def __init__(self, size_name: str, *, device: str, largest: int) -> None:
        self.size, self.device = SIZES[size_name], device
        shaped = build(self.size, device=device)
        lora = LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules=shaped.adapter.lora_targets)
        self.model = shaped.model
        self.policy = get_peft_model(shaped.model, lora).eval()
        for name, parameter in self.policy.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=LORA_B)
        reuse_features(self.model.base_model, limit=FEATURES, precision=nullcontext)
        self.captures: list[float] = []
        self.engine = Engine(self.model, record=self._capture if device == "cuda" else None)
        self.adapter, self.processor = shaped.adapter, shaped.processor
        self._rows = rows(shaped, self.size, prompts=-(-largest // GROUP), prompt_tokens=self.size.prompt)

    def measure(self, batch: int, tokens: int) -> dict[str, Any]:
        """Both ways of decoding `batch` rows to `tokens` tokens each."""
        of_row = [row // GROUP for row in range(batch)]
        inputs = self._inputs(of_row)
        distinct = DistinctPrompts(first=list(range(0, batch, GROUP)), of_row=of_row)
        placeholder = self.model.config.image_token_id
        counts = counts_of(inputs["input_ids"].tolist(), inputs["pixel_values"], [1] * batch, placeholder=placeholder)
        shown = by_row(inputs, counts)

        def stock(length: int) -> torch.Tensor:
            torch.manual_seed(0)
            said: torch.Tensor = self.policy.generate(
                **inputs,
                do_sample=True,
                top_k=0,
                max_new_tokens=length,
                min_new_tokens=length,
                suppress_tokens=self.adapter.placeholder_ids(self.processor.tokenizer),
                use_cache=True,
            )
            return said[:, inputs["input_ids"].shape[1] :]

        def ours(length: int) -> torch.Tensor:
            with self.engine.in_place_of_generate(distinct, shown), self._as_scored():
                return stock(length)

        self.captures.clear()
        said = ours(tokens)
        expected = stock(tokens)
        equal = (said == expected).float().mean().item()
        assert equal == 1 or self.size.dtype is not torch.float32, "the tokens differ"
        floor = self._bytes(batch, inputs["input_ids"].shape[1] + tokens / 2) / copy_speed(self.device)
        result = {"batch": batch, "prompt": inputs["input_ids"].shape[1], "tokens": tokens, "equal_tokens": equal}
        result |= {"capture_seconds": sum(self.captures), "floor_ms": 1000 * floor}
        for name, decode in (("generate", stock), ("engine", ours)):
            decode(FEW)  # a shorter rollout may be of another bucket, which is captured here
            few, whole = seconds(decode, FEW), seconds(decode, tokens)
            result[name] = {
                "ms_per_token": 1000 * (whole - few) / (tokens - FEW),
                "tokens_per_second": batch * tokens / whole,
                "rollout_seconds": whole,
            }
        for name in ("ms_per_token", "rollout_seconds"):
            result[f"ratio_{name}"] = result["generate"][name] / result["engine"][name]
        return result

    def _as_scored(self) -> AbstractContextManager[Any]:
        """As the trainer rolls out: LoRA in the number format that scores it."""
        is_short = self.size.dtype is not torch.float32
        return torch.autocast(self.device, dtype=self.size.dtype) if is_short else nullcontext()

    def _capture(self, run: Run) -> Run:
        started = now()
        replay = capture(run)
        self.captures.append(now() - started)
        return replay

    def _inputs(self, of_row: list[int]) -> Any:
        asked = [self._rows[prompt] for prompt in of_row]
        texts = [self._rendered(row["prompt"][0]["content"]) for row in asked]
        inputs = self.adapter.encode(self.processor, texts, [row["images"] for row in asked]).to(self.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self.size.dtype)
        return inputs

    def _rendered(self, text: str) -> str:
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}
        rendered: str = self.processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        return rendered

    def _bytes(self, batch: int, length: float) -> float:
        """What a step has to read: the language tower with its LoRA, the output layer, keys and values."""
        text = self.model.config.get_text_config()
        parts = (self.model.get_decoder(), self.model.get_output_embeddings())
        weights = {id(p): p.numel() * p.element_size() for part in parts for p in part.parameters()}
        weights.pop(id(self.model.get_input_embeddings().weight), None)
        tied = self.model.get_output_embeddings().weight
        weights[id(tied)] = tied.numel() * tied.element_size()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        per_token = 2 * text.num_hidden_layers * text.num_key_value_heads * width * self.size.dtype.itemsize
        return sum(weights.values()) + batch * length * per_token


def seconds(decode: Callable[[int], torch.Tensor], tokens: int) -> float:
    """How long that takes."""
    started = now()
    decode(tokens)
    return now() - started


def copy_speed(device: str) -> float:
    """Bytes a second that the device reads while it copies, writing not counted: half of what passes."""
    source = torch.ones(COPIED[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    started = now()
    for _ in range(COPIES):
        target.copy_(source)
    return 2 * COPIES * COPIED[device] / (now() - started)


def table(size: str, results: list[dict[str, Any]]) -> str:
    """Results as a Markdown table."""
    lines = [
        "| size | batch | generate, ms a token | engine | ratio | floor | tokens/s | rollout | capture, s | equal |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {size} | {r['batch']} | {r['generate']['ms_per_token']:.2f} | {r['engine']['ms_per_token']:.2f} "
            f"| {r['ratio_ms_per_token']:.2f}x | {r['floor_ms']:.2f} | {r['engine']['tokens_per_second']:.0f} "
            f"| {r['ratio_rollout_seconds']:.2f}x | {r['capture_seconds']:.1f} | {r['equal_tokens']:.3f} |"
        )
    return "\n".join(lines)


@exits_cleanly
def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="proxy")
    parser.add_argument(
        "--batches", type=whole("--batches", least=1), nargs="+", default=[8, 16, 64, 128], help="rows, multiples of 8"
    )
    parser.add_argument(
        "--tokens", type=whole("--tokens", least=FEW + 1), help="completion tokens; default: the size's"
    )
    parser.add_argument("--json", type=user_path, help="write the results here")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    tokens = given.tokens or SIZES[given.size].completion
    bench = Bench(given.size, device=device, largest=max(given.batches))
    results: list[dict[str, Any]] = []
    for batch in given.batches:
        results.append(bench.measure(batch, tokens))
        print(table(given.size, results[-1:]), flush=True)
        if given.json:
            content = {
                "size": given.size,
                "results": results,
                "device": hardware,
                "versions": {m.__name__: m.__version__ for m in (torch, transformers)},
            }
            given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
