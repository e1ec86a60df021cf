"""What was spent, from the notes alone: exact where the server tells, at its bound everywhere else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlm_grpo.verdicts.items import Item
from vlm_grpo.verdicts.providers import Call
from vlm_grpo.verdicts.spending import Spending, StoredReply


def call(number=0):
    return Call(Item(f"row-{number}", "base", "q", "True", True, "strict", (), "r", "True", None), 0, "system", "user")


def opened(path, limit=None, replies=()):
    spending = Spending(path, limit)
    spending.open(replies)
    return spending


def test_what_was_sent_counts_until_it_is_known(tmp_path):
    path = tmp_path / "asked.jsonl"
    spending = opened(path, limit=1.0)
    for _ in range(4):
        assert spending.reserve(0.25)
    assert not spending.reserve(0.01)
    numbers = spending.ask([(call(i), 0.25) for i in range(4)])
    assert spending.spent == pytest.approx(1.0)
    spending.charged_nothing(numbers[:1], "HTTP 429")
    spending.answered(StoredReply(numbers[1], 0.1, 0.25))
    spending.answered(StoredReply(numbers[2], None, 0.25))
    assert (spending.spent, spending.uncertain, spending.unanswered) == (pytest.approx(0.6), pytest.approx(0.5), 1)
    # killed here: the next session sees the same, the call in flight at its bound
    replies = [StoredReply(numbers[1], 0.1, 0.25), StoredReply(numbers[2], None, 0.25)]
    again = opened(path, limit=1.0, replies=[*replies, replies[0]])
    assert (again.spent, again.uncertain, again.unanswered) == (pytest.approx(0.6), pytest.approx(0.5), 1)
    assert again.sent == 4
    assert again.reserve(0.4)
    assert not again.reserve(0.01)


def test_replies_from_before_there_were_notes_count(tmp_path):
    spending = opened(tmp_path / "asked.jsonl", replies=[StoredReply(None, 0.1, 0.3), StoredReply(None, None, 0.3)])
    assert spending.spent == pytest.approx(0.4)


def test_odd_notes_are_passed_over(tmp_path):
    path = tmp_path / "asked.jsonl"
    spending = opened(path)
    spending.reserve(0.25)
    spending.ask([(call(), 0.25)], batch="token")
    spending.close()
    path.write_bytes(b"\n" + path.read_bytes() + b'\0\0\0\n[]\n{"asked": 7}\n{"asked": 1, "fr')
    again = opened(path)
    assert (again.spent, again.sent) == (0.25, 1)
    assert again.in_batch("token") == {call().key: 1}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["kill", "free", "told", "untold"]), st.floats(0.01, 1)), max_size=30))
def test_the_limit_holds_whatever_happens(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("spending") / "asked.jsonl"
    limit, paid, replies = 3.0, 0.0, []
    spending = opened(path, limit)
    for number, (event, share) in enumerate(events):
        if not spending.reserve(0.5):
            break
        [asked] = spending.ask([(call(number), 0.5)])
        paid += 0 if event == "free" else 0.5 * share
        if event == "free":
            spending.charged_nothing([asked], "HTTP 500")
        elif event != "kill":
            replies.append(StoredReply(asked, 0.5 * share if event == "told" else None, 0.5))
            spending.answered(replies[-1])
        else:
            spending.close()
            spending = opened(path, limit, replies)
        assert paid <= spending.spent + 1e-9
        assert spending.spent <= limit + 1e-9
    spending.close()
    assert all(json.loads(line) for line in path.read_text().splitlines())
