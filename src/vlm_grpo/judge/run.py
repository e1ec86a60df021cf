"""One run of a judge: from what a command asks to `verdicts.jsonl`, resumable at any moment."""

import argparse
import asyncio
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from vlm_grpo.errors import UserError
from vlm_grpo.judge import report, rules
from vlm_grpo.judge.batch_notes import BatchNotes
from vlm_grpo.judge.inputs import JudgedArm
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.encoding import well_formed
from vlm_grpo.store.lock import only_writer
from vlm_grpo.verdicts import keys, models, pricing
from vlm_grpo.verdicts.items import Item
from vlm_grpo.verdicts.ledger import VERDICTS, Context, Ledger, is_placed, key_of
from vlm_grpo.verdicts.prompt import Prompt
from vlm_grpo.verdicts.providers import Call, Provider
from vlm_grpo.verdicts.runner import Pace, Runner, Tally
from vlm_grpo.verdicts.spending import ASKED, Spending, StoredReply


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run asks: the items of all `arms`, which are of one `split`, as `prompt` puts them."""

    prompt: Prompt
    arms: Sequence[JudgedArm]
    split: str


class Run:
    """One run: `asked` says what, `given` whom and how (`options`)."""

    kind: ClassVar[str] = "verdicts"

    def __init__(self, given: argparse.Namespace, asked: Asked) -> None:
        self.given = given
        self.prompt, self.arms, self.split = asked.prompt, asked.arms, asked.split
        self.facts = None if given.judge == "rules" else models.load(given.models).get(given.model)
        self.calls = [
            Call(item, repeat, well_formed(self.prompt.system), self._render(item), tuple(self.prompt.kinds))
            for repeat in range(given.repeats)
            for arm in self.arms
            for item in arm.items
        ]
        if given.max_cost is not None and self.facts is None:
            raise UserError(f"no price of {given.model} in {given.models}, so --max-cost cannot hold; add it there")

    def go(self) -> None:
        """Judge what is missing, or print what that would cost; `UserError` when something is left to do."""
        if self.given.dry_run:
            self.print_estimate()
            return
        self.claim()
        with only_writer(self.given.out, doing="judging"):
            self.execute()

    def write_results(self, verdicts: Collection[Mapping[str, Any]]) -> None:
        """Write what follows from all `verdicts`, before the manifest; nothing here."""

    def _render(self, item: Item) -> str:
        return well_formed(self.prompt.render(question=item.question, reasoning=item.reasoning, answer=item.answer))

    @property
    def api(self) -> str:
        """The envelope of this judge's replies."""
        return {"openai": "responses", "compatible": "chat", "rules": "rules"}[self.given.judge]

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same; more repeats only add to a run, and a server may move."""
        return {
            "kind": self.kind,
            "judge": self.given.model,
            "api": self.api,
            "base_url": self.given.base_url,
            "prompt": self.prompt.name,
            "prompt_hash": self.prompt.hash,
            "effort": self.given.effort,
            "temperature": self.temperature,
            "max_output_tokens": self.given.max_output_tokens,
            "split": self.split,
            "generations": {arm.name: arm.fingerprint for arm in self.arms},
        }

    @property
    def temperature(self) -> float | None:
        """As given; else 0 for compatible servers, and nothing for OpenAI and for reasoning models."""
        if (
            self.given.temperature is not None
            or self.given.judge != "compatible"
            or models.is_reasoning(self.given.model)
        ):
            return self.given.temperature
        return 0.0

    def claim(self) -> None:
        """Mark the output folder as this run's."""
        if self.given.base_url:
            keys.check_base_url(self.given.base_url)
        manifest.claim(self.given.out, self.identity(), not_compared=("base_url",))

    def print_estimate(self) -> None:
        """Print calls, tokens and cost of all that a run would ask now."""
        print(f"judge: {self.given.model} ({self.api}), prompt {self.prompt.name}")
        stored, _ = jsonl.read_whole(self.given.out / VERDICTS)
        done = {key_of(record) for record in stored if is_placed(record)}
        for line in report.estimate(self.calls, done, self.given, self.facts):
            print(line)

    def execute(self) -> None:
        """Ask what is missing, then say what is there, and write the manifest when nothing is left."""
        started = time.monotonic()
        context = Context(
            judge=self.given.model,
            api=self.api,
            prompt=self.prompt,
            split=self.split,
            facts=self.facts,
            checkpoints={arm.name: arm.checkpoint for arm in self.arms},
        )
        ledger = Ledger(self.given.out, self.calls, context)
        if self.given.reparse or self.given.ask_again:
            manifest.withdraw(self.given.out)
        ledger.open(reparse=self.given.reparse, ask_again=self.given.ask_again)
        spending = self._spending(ledger)
        pending = ledger.pending()
        if pending:
            manifest.withdraw(self.given.out)
        if len(pending) < len(self.calls):
            print(f"{len(self.calls) - len(pending)} of {len(self.calls)} verdicts are there already", file=sys.stderr)
        try:
            outcome = asyncio.run(self._ask(ledger, spending, pending)) if pending else Tally()
        finally:
            ledger.close()
            spending.close()
        left = ledger.pending()
        if left:
            raise UserError(report.left_over(len(left), outcome, spending, self.given))
        self._finish(spending, outcome, time.monotonic() - started)

    def _spending(self, ledger: Ledger) -> Spending:
        """What earlier sessions spent; a line on stderr where answers were lost that may have been paid."""
        spending = Spending(None if self.given.judge == "rules" else self.given.out / ASKED, self.given.max_cost)
        spending.open(
            StoredReply(
                record.get("asked"), dollars, self._bound(ledger.call_at(key_of(record)), batch=record["batch"])
            )
            for record, dollars in ledger.replies
        )
        if spending.unanswered:
            print(f"note: {report.lost(spending, self.facts)}", file=sys.stderr)
        return spending

    def _bound(self, call: Call, *, batch: bool) -> float:
        return pricing.largest_cost(call.texts, self.given.max_output_tokens, self.facts, batch=batch)

    async def _ask(self, ledger: Ledger, spending: Spending, pending: Sequence[Call]) -> Tally:
        if self.given.reparse:
            raise UserError(f"--reparse asks nobody, and {len(pending)} verdicts have no reply; run without it to ask")
        notes = BatchNotes(self.given.out)
        if notes.under_way() and not self.given.batch:
            raise UserError(
                f"a batch is under way ({notes.in_words()}); add --batch to wait for its answers: they are paid"
            )
        if self.given.judge == "rules":
            print(f"note: {rules.SCOPE}", file=sys.stderr)
            provider: Provider = rules.RulesProvider()
        else:
            from vlm_grpo.verdicts import openai_api, preflight  # the SDK takes a second to import

            settings = self._settings()
            await preflight.check_model(settings, self.facts, first_wait=self.given.retry_wait)
            if self.given.batch:
                from vlm_grpo.judge.batch import BatchRunner

                return await BatchRunner(settings, ledger, spending, self.given, self.facts).run()
            provider = openai_api.OpenAIProvider(settings, concurrency=self.given.concurrency)
        pace = Pace(concurrency=self.given.concurrency, attempts=self.given.attempts, first_wait=self.given.retry_wait)
        runner = Runner(
            provider,
            ledger,
            pace=pace,
            spending=spending,
            facts=self.facts,
            max_output_tokens=self.given.max_output_tokens,
        )
        try:
            return await runner.run(pending)
        finally:
            await provider.close()

    def _settings(self) -> Any:
        from vlm_grpo.verdicts import openai_api, preflight

        name = keys.OPENAI if self.given.judge == "openai" else keys.COMPATIBLE
        key = keys.find_key(name)
        if key is None and self.given.judge == "openai":
            shutdown = self.facts.shutdown if self.facts else None
            gone = f"{self.given.model} left the API on {shutdown}; {preflight.STORED}; " if _is_past(shutdown) else ""
            raise UserError(f"{gone}no {name} in the environment or .env; set it, or use --base-url or --judge rules")
        return openai_api.Settings(
            model=self.given.model,
            api=self.api,
            key=key,
            base_url=self.given.base_url,
            kinds=tuple(self.prompt.kinds),
            form=self.prompt.form,
            max_output_tokens=self.given.max_output_tokens,
            effort=self.given.effort,
            temperature=self.temperature,
            timeout=self.given.timeout,
        )

    def _finish(self, spending: Spending, outcome: Tally, seconds: float) -> None:
        verdicts = jsonl.read(self.given.out / VERDICTS)
        self.write_results(verdicts)
        missing = report.reasons(verdicts)
        rows = len(self.arms[0].items)
        manifest.write(
            self.given.out,
            kind=self.kind,
            config={**self.identity(), "repeats": self.given.repeats},
            inputs={arm.name: arm.fingerprint for arm in self.arms},
            counts={
                "rows": rows,
                "split": self.arms[0].size or rows,
                "verdicts": len(verdicts),
                "missing": missing.total(),
            },
            seconds=seconds,
            missing_by_reason=dict(missing),
            retries=dict(outcome.retries),
            **report.money(spending, self.facts),
        )
        covered = 1 - missing.total() / len(verdicts)
        print(f"{len(verdicts)} verdicts by {self.given.model}, coverage {covered:.1%}: {self.given.out / VERDICTS}")
        for reason, count in missing.most_common():
            print(f"  missing {count}: {reason}")
        if self.facts:
            print(f"cost: ${spending.spent:.4f}{report.uncertain(spending)}")


def _is_past(shutdown: date | None) -> bool:
    return shutdown is not None and shutdown < datetime.now(UTC).date()
