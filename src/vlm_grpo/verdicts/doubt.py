"""When failures in a row mean that the server answers nothing, so that the run stops instead of paying on.

Single failures say little: a connection breaks, one input is refused. What counts is how many came since the last
answer. Calls without hope are held back until an answer shows that the others have some: only then are they missing.
"""

from collections import Counter

from vlm_grpo.verdicts.ledger import Entry
from vlm_grpo.verdicts.providers import Key, RefusedError

SUSPICIOUS = 8
"""Failures without any answer after which a run stops, where fewer than twice as many calls are made at once."""


class Doubt:
    """What failed since the last answer.

    `trusted` says whether this run has answers from earlier, or has them now; `at_once` is how many calls are made at
    a time: the more there are, the more failures may come back before the first answer does.
    """

    def __init__(self, *, trusted: bool, at_once: int) -> None:
        self._many = max(SUSPICIOUS, at_once // 2)
        self._trusted = trusted
        self._failed: Counter[Key] = Counter()
        self._held: list[tuple[int, Entry]] = []

    def answered(self, number: int) -> list[Entry]:
        """The call with this number was answered: returns what was held back before it was sent, to be stored."""
        self._trusted = True
        self._failed.clear()
        released = [entry for sent, entry in self._held if sent < number]
        self._held = [(sent, entry) for sent, entry in self._held if sent >= number]
        return released

    def failed(self, key: Key, reason: str) -> None:
        """A call came to nothing, and may again. `RefusedError` when many did, one of them twice.

        Where answers came before, only different calls count: one or two may stay without for ever.
        """
        self._failed[key] += 1
        many = len(self._failed) if self._trusted else self._failed.total()
        if many >= self._many and max(self._failed.values()) > 1:
            raise self._refused(reason)

    def hopeless(self, entry: Entry, *, alone: bool, sent: int) -> list[Entry]:
        """A call will never be answered; returns what may be stored.

        `alone`: surely no other call shares its fate; `sent`: how many calls are sent by now.
        """
        if alone and self._trusted:
            return [entry]
        self._held.append((sent, entry))
        if len(self._held) >= SUSPICIOUS:
            raise self._refused(entry.reason)
        return []

    def finish(self) -> list[Entry]:
        """The run ends: returns what may be stored; `RefusedError` when nothing was ever answered."""
        if self._held and not self._trusted:
            raise self._refused(self._held[0][1].reason)
        return [entry for _, entry in self._held]

    def _refused(self, reason: str) -> RefusedError:
        nothing = "nothing any more" if self._trusted else "nothing"
        return RefusedError(
            f"the judge's server answers {nothing} ({reason}); check --model, --base-url, --timeout and the key"
        )
