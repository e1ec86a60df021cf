"""What a reply means: by its envelope, its codes and its words, whatever status it came with."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.judge import batch_output
from vlm_grpo.verdicts import envelopes
from vlm_grpo.verdicts.classify import Replies
from vlm_grpo.verdicts.kinds import PUBLISHED
from vlm_grpo.verdicts.providers import RefusedError, RejectedError, TransientError

CHAT = Replies(api="chat", model="m", key=None)
RESPONSES = Replies(api="responses", model="m", key=None)
GOOD = '{"aligns": true, "type": null, "why": "x"}'
CHOICE = {"finish_reason": "stop", "message": {"content": GOOD}}
OUTPUT = [{"type": "message", "content": [{"type": "output_text", "text": GOOD}]}]


def error(**fields):
    return {"error": {"message": "told so", **fields}}


def meaning(replies, body, status=200):
    """What is raised, or the judgement."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        raw = replies.answer(body, status=status)
    except (TransientError, RejectedError, RefusedError) as raised:
        return raised
    return envelopes.read(raw, replies.api, tuple(PUBLISHED)).judgement["aligns"]


@pytest.mark.parametrize(
    "replies, body",
    [
        (CHAT, {"choices": [CHOICE]}),
        (CHAT, [{"choices": [CHOICE]}]),
        (CHAT, {"choices": [CHOICE], "error": None}),
        (CHAT, {"choices": [{**CHOICE, "error": None}]}),
        (CHAT, {"choices": [{"finish_reason": None, "message": {"content": [{"type": "text", "text": GOOD}]}}]}),
        (CHAT, b"\xef\xbb\xbf" + json.dumps({"choices": [CHOICE]}).encode()),
        (CHAT, json.dumps({"choices": [CHOICE]}).encode("utf-16")),
        (CHAT, b"\n \n" + json.dumps({"choices": [CHOICE]}).encode()),
        (CHAT, json.dumps({"id": "a?b", "choices": [CHOICE]}).encode().replace(b"?", b"\x01")),
        (CHAT, json.dumps({"id": "a?b", "choices": [CHOICE]}).encode().replace(b"?", b"\xff")),
        (CHAT, b"data: " + json.dumps({"choices": [CHOICE]}).encode() + b"\n\ndata: [DONE]\n\n"),
        (CHAT, b"event: x\r\ndata: " + json.dumps({"choices": [CHOICE]}).encode() + b"\r\n\r\n"),
        (RESPONSES, {"output": OUTPUT}),
        (RESPONSES, {"status": "completed", "output": OUTPUT, "error": None}),
        (
            RESPONSES,
            b'event: response.created\ndata: {"type": "response.created"}\n\ndata: '
            + json.dumps({"type": "response.completed", "response": {"output": OUTPUT}}).encode(),
        ),
    ],
)
def test_an_answer_is_read_in_every_wrapping(replies, body):
    assert meaning(replies, body) is True


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b"", b'data: {"choices": [], "usage": {"prompt_tokens": 9}}\n\n'])
def test_a_stream_of_chunks_is_put_together(end):
    pieces = [GOOD[i : i + 7] for i in range(0, len(GOOD), 7)]
    events = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    stream = b": keep-alive\n\n" + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert meaning(CHAT, stream + end) is True
    torn = stream[: stream.index(pieces[-1][:3].encode())]
    assert meaning(CHAT, torn).reason == "damaged body"


@pytest.mark.parametrize(
    "replies, body, status, reason",
    [
        (CHAT, error(code=429), 200, "rate limit"),
        (CHAT, error(code="429"), 200, "rate limit"),
        (CHAT, error(type="rate_limit_error"), 200, "rate limit"),
        (CHAT, [error(code=429, status="RESOURCE_EXHAUSTED")], 200, "rate limit"),
        (CHAT, error(), 429, "rate limit"),
        (
            CHAT,
            error(message="You exceeded your current quota, check billing details. Please retry in 35s."),
            429,
            "rate limit",
        ),
        (CHAT, {"type": "error", "error": {"type": "overloaded_error"}}, 200, "HTTP 500"),
        (CHAT, {"object": "error", "message": "no", "code": 503}, 200, "HTTP 503"),
        (CHAT, error(), 500, "HTTP 500"),
        (CHAT, b"<html>Bad Gateway</html>", 502, "HTTP 502"),
        (CHAT, b"", 503, "HTTP 503"),
        (CHAT, b'data: {"error": {"code": 502, "message": "broke off"}}\n\n', 200, "HTTP 502"),
        (
            CHAT,
            {"choices": [{"finish_reason": "error", "error": {"code": 503}, "message": {"content": "{"}}]},
            200,
            "HTTP 503",
        ),
        (CHAT, {"choices": [], "error": {"code": 500}}, 200, "HTTP 500"),
        (RESPONSES, {"status": "failed", "error": {"code": "server_error"}, "output": []}, 200, "HTTP 500"),
        (RESPONSES, {"status": "failed", "error": {"code": "rate_limit_exceeded"}}, 200, "rate limit"),
        (RESPONSES, {"type": "response.failed", "response": {"status": "failed"}}, 200, "an error without a code"),
        (RESPONSES, {"status": "in_progress", "output": []}, 200, "an error without a code"),
        (RESPONSES, {"status": "cancelled"}, 200, "an error without a code"),
        (CHAT, {"error": "Unexpected endpoint"}, 200, "an error without a code"),
        (CHAT, {"detail": "no"}, 200, "an error without a code"),
        (CHAT, {"choices": None}, 200, "an error without a code"),
        (CHAT, {"choices": []}, 200, "an error without a code"),
        (CHAT, {"choices": [None]}, 200, "an error without a code"),
        (CHAT, {"choices": [{"text": "x"}]}, 200, "an error without a code"),
        (RESPONSES, {"status": "completed", "output": []}, 200, "an error without a code"),
        (RESPONSES, {"output": [{"type": "message", "content": 3}]}, 200, "an error without a code"),
        (CHAT, {}, 200, "an error without a code"),
        (CHAT, b"<html>Sign in</html>", 200, "damaged body"),
        (CHAT, b"", 200, "damaged body"),
        (CHAT, b"\0" * 50, 200, "damaged body"),
        (CHAT, b"[" * 100_000, 200, "damaged body"),
        (CHAT, b'{"choices": [{"mess', 200, "damaged body"),
        (CHAT, b"null", 200, "damaged body"),
        (CHAT, b"[]", 200, "damaged body"),
    ],
)
def test_worth_another_try(replies, body, status, reason):
    raised = meaning(replies, body, status)
    assert isinstance(raised, TransientError), raised
    assert raised.reason == reason
    assert raised.throttled == (reason == "rate limit")
    assert raised.doubtful == (reason in ("damaged body", "an error without a code"))


@pytest.mark.parametrize(
    "body, status",
    [
        (error(), 402),
        (error(code=402), 200),
        (error(code="insufficient_quota"), 429),
        (error(type="insufficient_quota"), 403),
        (error(code="billing_hard_limit_reached"), 400),
        (error(message="Your credit balance is too low to access the API."), 400),
        (error(message="Insufficient Balance"), 403),
        (error(code="1113", message="Insufficient balance or no resource package. Please recharge."), 429),
        ({"error": "Insufficient credits. Add more credits to go on."}, 200),
    ],
)
def test_no_money_stops_the_run(body, status):
    raised = meaning(CHAT, body, status)
    assert isinstance(raised, RefusedError), raised
    assert "add credit" in str(raised)


@pytest.mark.parametrize(
    "body, status, remedy",
    [
        (error(), 401, "check the key"),
        (error(code="invalid_api_key", type="invalid_request_error"), 200, "check the key"),
        (
            error(status="INVALID_ARGUMENT", message="API key not valid. Please pass a valid API key."),
            400,
            "check the key",
        ),
        (error(type="permission_error"), 403, "check the key"),
        (error(code="account_deactivated"), 403, "check the key"),
        (error(), 404, "check --model"),
        (error(code="model_not_found"), 200, "check --model"),
        (error(code="model_not_found", type="invalid_request_error"), 403, "check --model"),
        ({"detail": "Method Not Allowed"}, 405, "check --model"),
        (b"", 307, "check --model"),
    ],
)
def test_a_wrong_key_or_address_stops_the_run(body, status, remedy):
    raised = meaning(CHAT, body, status)
    assert isinstance(raised, RefusedError), raised
    assert remedy in str(raised)


@pytest.mark.parametrize(
    "body, status, alone",
    [
        (error(code="context_length_exceeded"), 400, True),
        (error(code="context_length_exceeded"), 200, True),
        (error(code="content_filter"), 200, True),
        (error(), 422, True),
        ([{"error": "too large"}], 413, True),
        (error(code=403, message="Your input was flagged"), 403, True),
        (error(code=403, message="Your input was flagged"), 200, True),
        (error(message="no"), 403, False),
        (b"<html>Forbidden</html>", 403, False),
    ],
)
def test_one_input_is_not_wanted(body, status, alone):
    raised = meaning(CHAT, body, status)
    assert isinstance(raised, RejectedError), raised
    assert raised.alone == alone


def test_what_may_have_been_paid():
    assert meaning(CHAT, b"{").paid
    assert meaning(CHAT, b"", 504).paid
    assert meaning(CHAT, {"choices": [{"finish_reason": "error", "message": {}}]}).paid
    assert meaning(RESPONSES, {"status": "failed", "usage": {"input_tokens": 9}}).paid
    assert not meaning(CHAT, error(code=429)).paid
    assert not meaning(CHAT, error(), 500).paid
    assert not meaning(CHAT, error(), 400).paid


NAMES = ["error", "choices", "message", "content", "refusal", "finish_reason", "output", "type", "text", "status"]
NAMES += ["usage", "prompt_tokens", "completion_tokens", "total_tokens", "code", "model", "id", "response", "detail"]
NAMES += ["status_code", "body", "custom_id", "errors", "data", "delta"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just(GOOD),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([CHAT, RESPONSES]), st.sampled_from([200, 307, 400, 403, 429, 500]))
def test_any_json_is_an_answer_or_a_known_error(value, replies, status):
    body = json.dumps(value).encode()
    meant = meaning(replies, body, status)
    assert meant in (True, False, None) or isinstance(meant, TransientError | RejectedError | RefusedError)
    json.dumps(envelopes.read(json.dumps(value), replies.api, ()).judgement)
    lines, damaged = batch_output.read(b"\n".join([body, b"data: " + body, body]), replies)
    assert len(lines) + damaged <= 3


@given(st.binary(max_size=60))
def test_any_bytes_are_no_answer(body):
    assert isinstance(meaning(CHAT, body), TransientError | RejectedError | RefusedError)


@pytest.mark.parametrize(
    "usage, expected",
    [
        ({"prompt_tokens": 400, "completion_tokens": 100}, (400, 100)),
        ({"input_tokens": 400, "output_tokens": 100, "total_tokens": 500}, (400, 100)),
        ({"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 900}, (400, 500)),  # reasoning apart
        (None, None),
        ({}, None),
        ([400, 100], None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": 400}, None),
        ({"prompt_tokens": -400, "completion_tokens": 100}, None),
        ({"prompt_tokens": 400, "completion_tokens": -1}, None),
        ({"prompt_tokens": True, "completion_tokens": True}, None),
        ({"prompt_tokens": "400", "completion_tokens": "100"}, None),
        ({"prompt_tokens": 400.5, "completion_tokens": float("nan")}, None),
        ({"prompt_tokens": 10**15, "completion_tokens": 1}, None),
    ],
)
def test_usage_that_cannot_be_true_is_none(usage, expected):
    read = envelopes.read(json.dumps({"choices": [CHOICE], "usage": usage}), "chat", tuple(PUBLISHED)).usage
    assert (read and (read.input, read.output)) == expected
