"""The options of `alignment_judge/judge.py`."""

import argparse
import math
from collections.abc import Iterable

from vlm_grpo.errors import UserError
from vlm_grpo.judge import rules
from vlm_grpo.paths import user_path
from vlm_grpo.verdicts import models

JUDGE_OF_RECORD = "o4-mini"
JUDGES = {
    "openai": "Responses API",
    "compatible": "chat completions of --base-url (default with it)",
    "rules": "offline",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="judge.py",
        description="Ask a judge whether the reasoning of saved generations entails their answers. A rerun asks only "
        f"for what is missing. Without a network: --judge rules ({rules.SCOPE}).",
    )
    p.add_argument(
        "--generations",
        action="append",
        required=True,
        metavar="NAME=FILE",
        help="generations.jsonl of one arm, named as in the tables (base=..., grpo=...); once or twice",
    )
    p.add_argument(
        "--questions", type=user_path, help="JSONL of id, problem, solution, where generations do not carry them"
    )
    p.add_argument("--split", help="name of the split, where generations do not carry it")
    p.add_argument(
        "--out", type=user_path, required=True, help="folder for verdicts.jsonl, responses.jsonl, manifest.json"
    )
    judge = add_judging(p, judges=JUDGES)
    judge.add_argument("--prompt", default="taxonomy", help="taxonomy, simple, or a YAML file (default taxonomy)")
    judge.add_argument("--repeats", type=int, default=1, help="ask everything this often, for test-retest (default 1)")
    return p


def add_judging(p: argparse.ArgumentParser, *, judges: Iterable[str]) -> argparse._ArgumentGroup:
    """Give `p` all options on whom of `judges` to ask, how fast, and for how much; returns the group of the first."""
    judge = p.add_argument_group("judge")
    judge.add_argument(
        "--judge",
        choices=judges,
        help="; ".join(f"{name}: {JUDGES[name]}" for name in judges),
    )
    judge.add_argument("--model", help=f"judge model (default {JUDGE_OF_RECORD}, the judge of record)")
    judge.add_argument("--base-url", help="OpenAI-compatible server (vLLM, llama.cpp, Ollama); key: JUDGE_API_KEY")
    judge.add_argument("--effort", help="reasoning effort, where the model takes one")
    judge.add_argument("--temperature", type=float, help="default: 0 for compatible servers, not sent to OpenAI")
    judge.add_argument("--max-output-tokens", type=int, default=4096, help="longest answer with its reasoning")

    pace = p.add_argument_group("pace")
    pace.add_argument("--concurrency", type=int, default=32, help="most calls under way (default 32); adapts below it")
    pace.add_argument("--timeout", type=float, default=120.0, help="seconds that a call may take, its answer included")
    pace.add_argument("--attempts", type=int, default=10, help="attempts per call and run (default 10)")
    pace.add_argument("--retry-wait", type=float, default=1.0, help="first retry wait in seconds, doubling (default 1)")

    money = p.add_argument_group("money")
    money.add_argument("--dry-run", action="store_true", help="print calls, tokens and cost; ask nothing")
    money.add_argument("--max-cost", type=float, help="US dollars over all runs into --out; stops in time")
    money.add_argument("--models", type=user_path, default=models.FILE, help="price file (default: the package's)")
    money.add_argument("--output-tokens", type=int, default=300, help="expected tokens of an answer, for --dry-run")
    money.add_argument("--batch", action="store_true", help="use the Batch API: cheaper, within 24 hours")
    money.add_argument("--batch-poll", type=float, default=60.0, help="seconds between looks at a batch (default 60)")

    again = p.add_argument_group("again")
    again.add_argument("--reparse", action="store_true", help="make all verdicts anew from the stored replies")
    again.add_argument(
        "--ask-again", action="store_true", help="ask once more where the verdict is missing (costs again)"
    )
    return judge


def complete(options: argparse.Namespace) -> argparse.Namespace:
    """Check the options against each other and fill in what follows from them."""
    if options.judge is None:
        options.judge = "compatible" if options.base_url else "openai"
    if options.judge == "compatible" and not options.base_url:
        raise UserError("--judge compatible needs --base-url, for example http://127.0.0.1:8000/v1")
    if options.judge == "rules":
        for name in ("model", "base_url", "effort", "temperature", "max_cost"):
            if getattr(options, name) is not None:
                raise UserError(f"--{name.replace('_', '-')} has no effect on --judge rules; leave it out")
        if options.batch or options.prompt != "taxonomy":
            raise UserError(
                "--judge rules answers at once and as the taxonomy prompt does; leave out --batch and --prompt"
            )
    options.model = options.model or ("rules" if options.judge == "rules" else JUDGE_OF_RECORD)
    for name in ("timeout", "retry_wait", "batch_poll", "max_cost", "temperature"):
        if not math.isfinite(getattr(options, name) or 0.0) or (getattr(options, name) or 0.0) < 0:
            raise UserError(f"--{name.replace('_', '-')} must be a number from 0 on, not {getattr(options, name)}")
    if options.timeout == 0:
        raise UserError("--timeout must be more than 0 seconds")
    if options.reparse and (options.ask_again or options.batch):
        raise UserError("--reparse asks nobody; leave out --ask-again and --batch")
    for name in ("repeats", "concurrency", "attempts", "max_output_tokens"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1")
    return options
