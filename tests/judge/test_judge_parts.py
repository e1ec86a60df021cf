"""Parsing, prompts, prices and keys, without a server."""

import asyncio
import json

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.judge.inputs import split_response
from vlm_grpo.judge.prompt import load
from vlm_grpo.verdicts import envelopes, models, pricing
from vlm_grpo.verdicts.judgements import parse, schema
from vlm_grpo.verdicts.kinds import PUBLISHED
from vlm_grpo.verdicts.limit import AdaptiveLimit
from vlm_grpo.verdicts.openai_api import Settings, request

FOUR = tuple(PUBLISHED)
GOOD = '{"aligns": false, "type": "other", "why": "x"}'


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```", f"  {GOOD}\n"])
def test_a_judgement_is_read(text):
    assert parse(text, FOUR) == ({"aligns": False, "type": "other", "why": "x"}, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "true",
        '{"aligns": tr',
        '{"aligns": "yes", "type": null, "why": ""}',
        '{"aligns": true, "type": "other", "why": ""}',
        '{"aligns": false, "type": null, "why": ""}',
        '{"aligns": false, "type": "worse", "why": ""}',
        '{"aligns": true, "why": ""}',
        '{"aligns": true, "type": null, "why": "", "score": 3}',
        '{"aligns": true, "aligns": false, "type": "other", "why": ""}',
        '{"aligns": true, "aligns": true, "type": null, "why": ""}',
        '```json\n{"aligns": true, "type": null, "why": "a", "why": "b"}\n```',
    ],
)
def test_anything_else_is_missing_with_a_reason(text):
    judgement, reason = parse(text, FOUR)
    assert judgement == {"aligns": None, "type": None, "why": None}
    assert reason


@pytest.mark.parametrize("kinds", [FOUR, ()])
def test_a_key_given_twice_is_told(kinds):
    kind = '"type": null, ' if kinds else ""
    _, reason = parse(f'{{"aligns": true, {kind}"why": "a", "aligns": true}}', kinds)
    assert reason == "not a judgement: 'aligns' is given twice"


def test_the_schema_is_strict():
    asked = schema(FOUR)
    assert asked["additionalProperties"] is False
    assert set(asked["required"]) == set(asked["properties"]) == {"aligns", "type", "why"}


@pytest.mark.parametrize(
    "api, envelope, reason",
    [
        ("chat", {"choices": []}, "no choice in the reply"),
        ("chat", {"choices": [{"message": {"refusal": "no"}}]}, "refusal: no"),
        ("chat", {"choices": [{"finish_reason": "length", "message": {"content": "{"}}]}, "incomplete: length"),
        ("chat", {"choices": [{"finish_reason": "stop", "message": {"content": ""}}]}, "empty reply"),
        ("responses", {"status": "incomplete", "incomplete_details": {"reason": "max"}}, "incomplete: max"),
        ("responses", {"error": {"message": "broken"}}, "error: broken"),
        (
            "responses",
            {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]},
            "refusal: no",
        ),
        ("responses", {"output": 3}, "empty reply"),
        ("rules", {"cannot_judge": "free text"}, "cannot judge: free text"),
    ],
)
def test_envelopes_without_a_judgement(api, envelope, reason):
    reply = envelopes.read(json.dumps(envelope), api, FOUR)
    assert (reply.judgement["aligns"], reply.missing) == (None, reason)


def test_prompts_keep_braces_and_name_all_types():
    prompt = load("taxonomy")
    text = prompt.render(question="{answer}", reasoning="a {set}", answer="True")
    assert "{answer}" in text
    assert "a {set}" in text
    assert all(kind in text for kind in ("contradiction", "missing_detail", "irrelevant", "other"))
    assert load("simple").hash != prompt.hash
    assert not load("simple").kinds


def test_a_prompt_without_the_answer_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("system: s\nuser: '{question} {reasoning}'\nkinds: [other]\n")
    with pytest.raises(UserError, match=r"lacks \{answer\}"):
        load(str(path))
    with pytest.raises(UserError, match="known: simple, taxonomy"):
        load("nothing")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("<think> a </think> <answer> True </answer>", ("a", "True", None)),
        ("a b <answer>False</answer>", ("a b", "False", None)),
        ("It is.\nAnswer: True", ("It is.", "True", None)),
        ("<think> a </think>", ("a", "", "the response has no single answer")),
        ("<answer> True </answer>", ("", "True", "the response has no reasoning")),
        ("True", ("True", "", "the response has no single answer")),
    ],
)
def test_reasoning_and_answer_are_taken_apart(text, expected):
    assert split_response(text) == expected


def test_reasoning_models_take_no_temperature():
    settings = {"api": "chat", "key": None, "base_url": None, "kinds": FOUR, "max_output_tokens": 9}
    with pytest.raises(UserError, match="reasoning model"):
        Settings(model="o4-mini", temperature=0.0, **settings)
    body = request(Settings(model="o4-mini", effort="low", **settings), "s", "u")
    assert "temperature" not in body
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (9, "low")
    body = request(Settings(model="qwen3-32b", temperature=0.0, **settings), "s", "u")
    assert (body["max_tokens"], body["temperature"]) == (9, 0.0)
    assert models.is_reasoning("gpt-5.6-terra")
    assert not models.is_reasoning("gpt-4o")


def test_costs():
    facts = models.load()["o4-mini"]
    assert pricing.cost(pricing.Usage(1_000_000, 0), facts) == pytest.approx(1.10)
    assert pricing.cost(pricing.Usage(0, 1_000_000), facts, batch=True) == pytest.approx(2.20)
    assert pricing.cost(None, facts) is None
    assert pricing.largest_cost(("ab", "é"), 1000, facts) == pytest.approx(504 * 1.1e-6 + 1000 * 4.4e-6)
    assert pricing.largest_cost(("ab",), 1000, None) == 0


def test_the_limit_shrinks_waits_and_grows_back():
    async def play() -> None:
        limit = AdaptiveLimit(10)
        loop = asyncio.get_running_loop()
        sent = loop.time()
        limit.throttled(sent, None)
        limit.throttled(sent, None)  # sent before the cut: does not cut again
        assert limit.current == 8
        for _ in range(9):
            limit.succeeded()
        assert 9 < limit.current <= 10
        for _ in range(100):
            limit.succeeded()
        assert limit.current == 10
        limit.throttled(loop.time(), 0.2)
        async with limit.slot() as obtained:
            assert obtained - sent >= 0.2
        for _ in range(40):
            limit.throttled(loop.time(), None)
        assert limit.current == 1

    asyncio.run(play())
