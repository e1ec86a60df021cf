"""The key stays out of everything and spoils nothing; addresses and proxies that cannot be used are one line."""

import html
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.verdicts import keys, proxies
from vlm_grpo.verdicts.keys import REDACTED, redact, redact_reply

KEY = "sk-ab/cd+ef=="


def test_the_key_comes_from_the_environment_then_from_dotenv(tmp_path):
    (tmp_path / ".env").write_text("\ufeffOPENAI_API_KEY=from-file\n")
    assert keys.find_key("OPENAI_API_KEY", {"OPENAI_API_KEY": "from-env"}, tmp_path) == "from-env"
    assert keys.find_key("OPENAI_API_KEY", {}, tmp_path) == "from-file"
    assert keys.find_key("JUDGE_API_KEY", {}, tmp_path) is None
    (tmp_path / ".env").write_bytes("OPENAI_API_KEY=von-früher\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8 text"):
        keys.find_key("OPENAI_API_KEY", {}, tmp_path)


@pytest.mark.parametrize(
    "key", ["sk-smart\u2019quote", "\u201csk-abcdef\u201d", "sk-\u200babc", "sk-a\nb", "sk ab", "sk-é"]
)
def test_a_key_that_no_header_carries_is_one_line(key):
    with pytest.raises(UserError, match="holds the character") as raised:
        keys.find_key("JUDGE_API_KEY", {"JUDGE_API_KEY": key})
    assert "sk" not in str(raised.value)


@pytest.mark.parametrize(
    "spelling",
    [
        str,
        lambda key: key.replace("/", "\\/"),
        lambda key: key.replace("/", "\\u002f").replace("+", "\\u002B"),
        lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
        lambda key: key.replace("/", "\\\\/"),
        lambda key: urllib.parse.quote(key, safe=""),
        lambda key: html.escape(key.replace("+", "&")).replace("&amp;", "&#43;"),
    ],
)
def test_every_spelling_of_the_key_is_removed(spelling):
    assert redact(f"bad key {spelling(KEY)}!", KEY) == f"bad key {REDACTED}!"


def test_only_strings_of_a_reply_change():
    inner = json.dumps({"aligns": True, "why": f"key {KEY}"})
    reply = {"n": 12345678, KEY: [KEY, None], "content": inner, "escaped": inner.replace("/", "\\/")}
    clean = json.loads(redact_reply(json.dumps(reply), KEY))
    assert clean["n"] == 12345678
    assert clean[REDACTED] == [REDACTED, None]
    assert json.loads(clean["content"]) == json.loads(clean["escaped"]) == {"aligns": True, "why": f"key {REDACTED}"}
    assert json.loads(redact_reply('{"n": 12345678, "t": "12345678"}', "12345678")) == {"n": 12345678, "t": REDACTED}
    raw = '{"n": 12345678}'
    assert redact_reply(raw, "12345678") is raw
    assert redact_reply(f"no JSON {KEY}", KEY) == f"no JSON {REDACTED}"


@pytest.mark.parametrize(
    "key", ["1", "1234", "null", "a", "true", "EMPTY", "none", "ollama", "aligns", '"', "{", "0", "\\"]
)
def test_a_placeholder_is_no_secret(key):
    reply = (
        '{"id": "chatcmpl-1234", "content": "{\\"aligns\\": true, \\"type\\": null, \\"why\\": \\"a 1 EMPTY none\\"}"}'
    )
    assert redact_reply(reply, key) is reply
    assert redact(reply, key) is reply


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40), st.text(max_size=20))
def test_no_reply_keeps_a_key(key, text):
    raw = json.dumps({"text": f"{text}{key}{text}", "deep": [json.dumps({"why": key})]})
    clean = redact_reply(raw, key)
    assert key not in json.loads(clean)["text"].replace(REDACTED, "")
    assert json.loads(json.loads(clean)["deep"][0])["why"] == REDACTED


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.example.org/v1",
        "http://[::1]:8000/v1",
        "http://node_1:80",
        "http://bücher.example/v1",
    ],
)
def test_addresses(url):
    assert keys.check_base_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1/v1",
        "http://user:secret@[::1:80/v1",
        "http://127.0.0.1/v1?key=secret",
        "http://127.0.0.1/v1#secret",
        "ftp://x",
        "localhost",
        "localhost:8000/v1",
        "http:/localhost/v1",
        "http:///v1",
        "http://:8000/v1",
        "http://[::1:8000/v1",
        "http://[not-six]:8000/v1",
        "http://localhost:port/v1",
        "http://localhost:99999/v1",
        "http://localhost:0/v1",
        "http://localhost:-1/v1",
        "http://local host/v1",
        "http://localhost:8000/v1 ",
        "http://localhost:8000\\v1",
        "http://localhost:8000/v1\n",
        "http://a..b/v1",
        f"http://{'a' * 64}.example/v1",
        "http://<server>/v1",
        "http://host\u2019s/v1",
        "",
    ],
)
def test_what_is_no_address_is_one_line(url):
    with pytest.raises(UserError, match="--base-url") as raised:
        keys.check_base_url(url)
    assert "secret" not in str(raised.value)


@pytest.fixture
def environment(monkeypatch):
    def put(**variables):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            for spelling in (name, name.lower()):
                monkeypatch.delenv(spelling, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    "value", ["socks4://p:1080", "http://p:port", "http://[::1:1", "ftp://p", "http://us:secret@", "x y:1"]
)
@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
def test_a_proxy_that_cannot_be_used_is_one_line_unless_it_is_passed_by(environment, name, value):
    environment(**{name: value, "NO_PROXY": "127.0.0.1,localhost,::1"})
    assert not proxies.stand_before("http://127.0.0.1:8000/v1")
    assert not proxies.stand_before("http://[::1]:8000/v1")
    with pytest.raises(UserError, match=f"{name.upper()} .*add host to NO_PROXY") as raised:
        proxies.stand_before("http://host:8000/v1")
    assert "secret" not in str(raised.value)


def test_proxies_that_can_be_used(environment):
    environment(HTTP_PROXY="http://proxy:3128", HTTPS_PROXY="proxy:3128", ALL_PROXY="https://proxy")
    assert proxies.stand_before("http://host/v1")
