"""Who may ask the labelling page's server for what."""

import threading

import httpx
import pytest
from labelled import COUNT, write_verdicts

from vlm_grpo.labelling import server, verdicts
from vlm_grpo.labelling.desk import Desk
from vlm_grpo.store import jsonl


@pytest.fixture
def client(tmp_path):
    path = write_verdicts(tmp_path)
    work = verdicts.work(path, size=COUNT, seed=0, images=tmp_path / "pictures")
    running = server.start(Desk(work, tmp_path / "labels.jsonl", annotator="ann", seed=0))
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    with httpx.Client(base_url=server.address(running), trust_env=False) as client:
        client.headers["Origin"] = f"http://127.0.0.1:{running.server_port}"
        yield client
    running.shutdown()
    thread.join()
    running.server_close()


def label(client, *, headers=None, **changes):
    asked = {"annotator": "ann", "place": client.get("state").json()["item"]["place"], "said": "a", "note": ""}
    return client.post("label", json=asked | changes, headers=headers)


def test_only_the_loopback_interface_listens(client):
    assert client.base_url.host == "127.0.0.1"
    assert len(client.base_url.path.strip("/")) >= 32


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_other_hosts_and_origins_are_refused(client, tmp_path, headers, status):
    assert label(client, headers=headers).status_code == status
    assert not (tmp_path / "labels.jsonl").exists()


@pytest.mark.parametrize("path", ["/", "/state", "/wrong/state", "/%2e%2e/state"])
def test_nothing_is_here_without_the_token(client, path):
    reply = httpx.get(client.base_url.join(path), trust_env=False)
    assert (reply.status_code, reply.json()) == (404, {"error": "nothing is here"})


@pytest.mark.parametrize(
    "path", ["picture/0/1", "picture/99/0", "picture/-1/0", "picture/0/..", "../label.css", "desk.py"]
)
def test_only_pages_and_the_samples_pictures_are_served(client, path):
    assert client.get(path).status_code == 404


def test_results_wait_for_the_last_label(client):
    refused = client.get("results")
    assert refused.status_code == 403
    assert refused.headers["Connection"] == "close", "a client must not ask again over a connection that ends"
    for _ in range(COUNT):
        assert label(client).status_code == 200
    assert client.get("results").json()["tables"]


@pytest.mark.parametrize(
    "changes, status",
    [
        ({"said": "9"}, 422),
        ({"said": 1}, 400),
        ({"note": "x" * 10_001}, 400),
        ({"place": 99}, 404),
        ({"place": "0"}, 404),
        ({"annotator": ""}, 400),
        ({"annotator": "x" * 101}, 400),
    ],
)
def test_what_says_nothing_is_not_stored(client, tmp_path, changes, status):
    assert label(client, **changes).status_code == status
    assert not (tmp_path / "labels.jsonl").exists()


def test_a_page_that_is_behind_labels_nothing(client, tmp_path):
    place = client.get("state").json()["item"]["place"]
    assert label(client).status_code == 200
    assert label(client, place=place).status_code == 409
    assert len(jsonl.read(tmp_path / "labels.jsonl")) == 1


def test_answers_say_what_browsers_must_not_do(client):
    headers = client.get("").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_a_broken_label_file_is_told_on_the_page(client, tmp_path):
    (tmp_path / "labels.jsonl").write_text("junk\n")
    reply = client.get("state?annotator=bob")
    assert reply.status_code == 500
    assert "labels.jsonl line 1: not JSON" in reply.json()["error"]
