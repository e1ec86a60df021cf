"""Batched evaluation against a loop of one: `python benchmarks/evaluate_batching.py [--model NAME] [--rows N]`.

Both answer the same rows of synthetic_vsr greedily in one run, pictures opened and encoded included, and must give
equal texts. Batched is the code that `python -m vlm_grpo.evaluation` runs (median of three); the loop of one opens,
encodes and decodes one row after the other by transformers' `generate`, as the study did.

Measured on 340 rows, embedded Qwen2.5-VL, batches of 128. In seconds of one CPU core 6.3 to 9.5 times faster (10.0 to
14.0 s against 1.5 to 1.6 s; five runs, the lowest ratios on an idle machine): LOG.md. By the clock on two idle cores,
OMP_WAIT_POLICY=PASSIVE as the scripts set it: 12.2 to 13.3 times (four runs, 16.1 to 18.6 s against 1.3 to 1.4 s); with
threads that spin: 9.6 to 10.4 times (five runs, 10.9 to 13.7 s against 1.1 to 1.4 s).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.evaluation import batches
from vlm_grpo.evaluation.generate import Decoder, complete
from vlm_grpo.evaluation.settings import AUTO_BATCH_SIZE
from vlm_grpo.option_types import whole
from vlm_grpo.rows import dataset
from vlm_grpo.tasks import asking

REPEATS = 3


@exits_cleanly
def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded:qwen2_5_vl", help="checkpoint folder, embedded:<family> or hub id")
    parser.add_argument("--rows", type=whole("--rows", least=1), default=340, help="rows to answer")
    parser.add_argument("--max-new-tokens", type=whole("--max-new-tokens", least=1), default=40)
    given = parser.parse_args()
    checkpoint = open_checkpoint(given.model)
    processor = checkpoint.load_processor()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = checkpoint.load_model(dtype=torch.float32, device=device)
    decoder, stock = (
        Decoder(
            model=model,
            processor=processor,
            adapter=checkpoint.adapter,
            max_new_tokens=given.max_new_tokens,
            by_engine=by_engine,
        )
        for by_engine in (True, False)
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "synthetic_vsr"
        synthetic_vsr.build(root, seed=0)
        rows = dataset.load(root, "test")[: given.rows]
        asked = batches.longest_first(
            asking.render(rows, processor, template="reason"),
            PromptLengths(checkpoint.adapter, processor, root=root, ask=partial(asking.messages, template="reason")),
        )
        encode = partial(batches.encode, adapter=checkpoint.adapter, processor=processor, root=root)
        decode = partial(decoder, use_cache=True)

        def one_by_one() -> list[str]:
            return [stock([prompt], encode([prompt]), use_cache=True)[0].text for prompt in asked]

        def batched() -> list[str]:
            done = complete(asked, decode=decode, encode=encode, batch_size=AUTO_BATCH_SIZE, may_halve=False)
            return [completion.text for batch in done for completion in batch]

        decode(asked[:2], encode(asked[:2]))
        runs = [timed(batched) for _ in range(REPEATS)]
        slow, expected = timed(one_by_one)
    assert all(texts == expected for _, texts in runs), "batching changed an answer"
    print(f"{given.model}, {len(rows)} rows on {device} ({torch.get_num_threads()} threads), equal texts")
    for name, alone in slow.items():
        fast = statistics.median(seconds[name] for seconds, _ in runs)
        print(f"{name}: one by one {alone:.1f} s, in batches of {AUTO_BATCH_SIZE} {fast:.1f} s: {alone / fast:.1f}x")


def timed(answer: Callable[[], list[str]]) -> tuple[dict[str, float], list[str]]:
    """Seconds of `answer`, by the clock and of all the CPU's cores, and its texts."""
    clock, processor = time.perf_counter(), time.process_time()
    texts = answer()
    return {"by the clock": time.perf_counter() - clock, "of CPU": time.process_time() - processor}, texts


if __name__ == "__main__":
    main()
