"""The labelling page: a server on the loopback interface whose address holds a token.

It answers requests that name this machine as their host and know the token; what changes labels must come from its own
page as well. Others get nothing.
"""

import hmac
import io
import json
import mimetypes
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from vlm_grpo.errors import UserError
from vlm_grpo.labelling.desk import Desk, Refused
from vlm_grpo.labelling.work import Work
from vlm_grpo.rows.images import open_image

HOSTS = ("127.0.0.1", "localhost", "[::1]")
LONGEST_BODY = 1 << 16
PAGES = {"": "index.html", "label.css": "label.css", "label.js": "label.js"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve(work: Work, path: Path, *, annotator: str | None, seed: int, port: int) -> None:
    """Serve the page until interrupted; its address is printed."""
    desk = Desk(work, path, annotator=annotator, seed=seed)
    try:
        server = start(desk, port=port)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; give another one, or none for a free one") from None
    print(
        f"{len(work.items)} items to label; open\n  {address(server)}\nCtrl-C stops; labels are in {path}", flush=True
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on")
    finally:
        server.server_close()


def address(server: ThreadingHTTPServer) -> str:
    """The page's address, token included."""
    return f"http://127.0.0.1:{server.server_port}/{server.RequestHandlerClass.token}/"  # type: ignore[attr-defined]


def start(desk: Desk, *, port: int = 0) -> ThreadingHTTPServer:
    """A bound server, not yet serving, with a token of its own."""

    class Handler(_Handler):
        token = secrets.token_urlsafe(24)
        lock = threading.Lock()

    Handler.desk = desk
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _Handler(BaseHTTPRequestHandler):
    desk: Desk
    token: str
    lock: threading.Lock
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Page, state, results or picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Label, skip or undo."""
        self._answer(self._post)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged: their addresses hold the token."""

    def _answer(self, respond: Callable[[list[str]], tuple[str, bytes]]) -> None:
        try:
            with self.lock:
                kind, body = respond(self._parts())
            status = HTTPStatus.OK
        except Refused as refusal:
            status = refusal.status
            kind, body = _json({"error": str(refusal)})
            self.close_connection = True  # its body may not have been read
        except UserError as error:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            kind, body = _json({"error": str(error)})
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _parts(self) -> list[str]:
        """The path below the token; `Refused` where host or token are not ours."""
        host = self.headers.get("Host", "")
        if host.rpartition(":")[0] not in HOSTS:
            raise Refused(HTTPStatus.FORBIDDEN, "this page is served to its own machine only")
        _, *parts = urlsplit(self.path).path.split("/")
        token = parts.pop(0) if parts else ""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "nothing is here")
        return parts

    def _get(self, parts: list[str]) -> tuple[str, bytes]:
        match parts:
            case [page] if page in PAGES:
                content = (files("vlm_grpo.labelling") / "page" / PAGES[page]).read_bytes()
                return f"{mimetypes.guess_type(PAGES[page])[0]}; charset=utf-8", content
            case ["state"]:
                name = self._annotator()
                session = None if name is None else self.desk.session(name)
                return _json({"annotator": None} if session is None else self.desk.state(session))
            case ["results"]:
                return _json(self.desk.results(self.desk.session(self._annotator() or "")))
            case ["picture", place, n]:
                stored = io.BytesIO()
                open_image(self.desk.picture(place, n)).save(stored, "PNG", compress_level=1)
                return "image/png", stored.getvalue()
        raise Refused(HTTPStatus.NOT_FOUND, "nothing is here")

    def _annotator(self) -> str | None:
        given = parse_qs(urlsplit(self.path).query).get("annotator")
        return given[0] if given else self.desk.annotator

    def _post(self, parts: list[str]) -> tuple[str, bytes]:
        if self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            raise Refused(HTTPStatus.FORBIDDEN, "only this page may do that")
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too long")
        body = self.rfile.read(int(length))
        try:
            asked = json.loads(body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "send a JSON object")
        match parts:
            case ["label" | "skip" | "undo" as action]:
                return _json(self.desk.act(action, asked))
        raise Refused(HTTPStatus.NOT_FOUND, "nothing is here")


def _json(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()
