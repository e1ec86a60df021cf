import socket
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from picture_server import (
    Answer,
    PictureServer,
    answer,
    cut_off,
    cut_off_unannounced,
    picture,
    png,
    reset,
    silent,
    trickle,
)
from vlm_grpo.errors import UserError
from vlm_grpo.rows.download import OUTAGE, Policy, fetch_pictures, retry_after

PATIENT = Policy(workers=4, timeout=30, retries=1, pause=0.02)
HASTY = Policy(workers=4, timeout=0.4, retries=1, pause=0.02)


def test_fetches_every_picture_once_and_writes_its_bytes(picture_server: PictureServer, tmp_path: Path) -> None:
    wanted = {f"{picture_server.address}/{i}.png": tmp_path / f"{i}.png" for i in range(30)}
    outcome = fetch_pictures(wanted, Policy(workers=8))
    assert (outcome.fetched, outcome.kept, outcome.failed) == (30, 0, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(f"{i}.png" for i in range(30))
    assert all(path.read_bytes() == png() for path in wanted.values())
    assert set(picture_server.hits.values()) == {1}


@pytest.mark.parametrize(
    "misbehaviour, requests, reason",
    [
        (answer(404), 1, "HTTP 404 Not Found"),
        (answer(403), 1, "HTTP 403"),
        (answer(204), 1, "is empty"),
        (answer(200, b"<html>gone</html>", Content_Type="text/html"), 1, "(text/html) cannot be read"),
        (cut_off_unannounced, 1, "truncated"),
        (answer(302, Location="ftp://127.0.0.1/a.png"), 1, "UnsupportedProtocol"),
        (answer(500), 2, "HTTP 500"),
        (answer(429), 2, "HTTP 429"),
        (cut_off, 2, "RemoteProtocolError"),
        (reset, 2, "Read"),
        (silent, 2, "ReadTimeout"),
        (trickle, 2, "not whole after 0.4 s"),
    ],
)
def test_a_misbehaving_server_costs_the_picture_and_is_asked_again_only_where_that_may_help(
    picture_server: PictureServer, tmp_path: Path, misbehaviour: Answer, requests: int, reason: str
) -> None:
    picture_server.script["/bad.png"] = [misbehaviour]
    bad = f"{picture_server.address}/bad.png"
    outcome = fetch_pictures({bad: tmp_path / "bad.png"}, HASTY if misbehaviour in (silent, trickle) else PATIENT)
    assert reason in outcome.failed[bad]
    assert "\n" not in outcome.failed[bad]
    assert picture_server.hits == {"/bad.png": requests}
    assert not list(tmp_path.iterdir())


def test_one_bad_picture_does_not_cost_the_others(picture_server: PictureServer, tmp_path: Path) -> None:
    picture_server.script = {"/0.png": [answer(404)], "/1.png": [reset]}
    wanted = {f"{picture_server.address}/{i}.png": tmp_path / f"{i}.png" for i in range(10)}
    outcome = fetch_pictures(wanted, PATIENT)
    assert outcome.fetched == 8
    assert set(outcome.failed) == {f"{picture_server.address}/0.png", f"{picture_server.address}/1.png"}


@pytest.mark.parametrize("trouble", [answer(500), answer(503, Retry_After="0"), cut_off, reset, silent, trickle])
def test_passing_trouble_passes(picture_server: PictureServer, tmp_path: Path, trouble: Answer) -> None:
    picture_server.script["/a.png"] = [trouble, picture(png())]
    policy = Policy(timeout=1, retries=5, pause=0.02) if trouble in (silent, trickle) else PATIENT
    outcome = fetch_pictures({f"{picture_server.address}/a.png": tmp_path / "a.png"}, policy)
    assert outcome.fetched == 1
    assert (tmp_path / "a.png").read_bytes() == png()


def test_retries_are_bounded(picture_server: PictureServer, tmp_path: Path) -> None:
    picture_server.default = answer(503)
    fetch_pictures({f"{picture_server.address}/a.png": tmp_path / "a.png"}, Policy(retries=2, pause=0.02))
    assert picture_server.hits["/a.png"] == 3


def test_redirects_are_followed(picture_server: PictureServer, tmp_path: Path) -> None:
    picture_server.script["/old.png"] = [answer(301, Location="/new.png")]
    assert fetch_pictures({f"{picture_server.address}/old.png": tmp_path / "a.png"}, PATIENT).fetched == 1


def test_retry_after_is_waited_for(picture_server: PictureServer, tmp_path: Path) -> None:
    moments: list[float] = []

    def noting(then: Answer) -> Answer:
        def send(handler: object) -> None:
            moments.append(time.monotonic())
            then(handler)

        return send

    picture_server.script["/a.png"] = [noting(answer(429, Retry_After="2")), noting(picture(png()))]
    assert fetch_pictures({f"{picture_server.address}/a.png": tmp_path / "a.png"}, PATIENT).fetched == 1
    assert moments[1] - moments[0] >= 2


def test_a_server_that_asks_to_come_back_much_later_is_left_alone(
    picture_server: PictureServer, tmp_path: Path
) -> None:
    picture_server.default = answer(429, Retry_After="3600")
    outcome = fetch_pictures({f"{picture_server.address}/a.png": tmp_path / "a.png"}, PATIENT)
    assert list(outcome.failed.values()) == ["HTTP 429 Too Many Requests; the server asks to come back in 3600 s"]
    assert picture_server.hits["/a.png"] == 1


def test_retry_after_reads_seconds_and_dates() -> None:
    assert retry_after("7") == 7
    assert retry_after(None) is None
    assert retry_after("soon") is None
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    later = retry_after(formatdate(time.time() + 600, usegmt=True))
    assert later is not None
    assert 500 < later <= 600


def test_good_pictures_are_kept_and_broken_ones_fetched_again(picture_server: PictureServer, tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(png(color="blue"))
    (tmp_path / "torn.png").write_bytes(png()[:40])
    (tmp_path / "empty.png").touch()
    (tmp_path / ".left.png.part").write_bytes(b"from a killed run")
    names = ("good", "torn", "empty", "left")
    outcome = fetch_pictures({f"{picture_server.address}/{n}.png": tmp_path / f"{n}.png" for n in names}, PATIENT)
    assert (outcome.fetched, outcome.kept) == (3, 1)
    assert (tmp_path / "good.png").read_bytes() == png(color="blue")
    assert all((tmp_path / f"{n}.png").read_bytes() == png() for n in names[1:])
    assert "/good.png" not in picture_server.hits
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/a.png", "a.png", "http://", "http://[::1/a.png"])
def test_an_address_that_is_none_costs_its_row_only(tmp_path: Path, address: str) -> None:
    outcome = fetch_pictures({address: tmp_path / "a.png"}, PATIENT)
    assert list(outcome.failed) == [address]


def test_an_outage_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        wanted = {f"{address}/{i}.png": tmp_path / f"{i}.png" for i in range(10 * OUTAGE)}
        with pytest.raises(UserError, match=rf"no connection for {OUTAGE} pictures in a row.*check the network"):
            fetch_pictures(wanted, Policy(workers=4, retries=0))


def test_a_full_disk_is_not_taken_for_a_missing_picture(picture_server: PictureServer, tmp_path: Path) -> None:
    (tmp_path / ".a.png.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        fetch_pictures({f"{picture_server.address}/a.png": tmp_path / "a.png"}, PATIENT)
    assert not (tmp_path / "a.png").exists()
