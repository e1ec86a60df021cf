"""A web server on loopback that serves pictures, and misbehaves on demand.

Every path answers with the picture unless `script` gives it a list of answers, of which each request takes the next
(the last one stays). `hits` counts GET requests by path; HEAD requests get the same headers.
"""

import io
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

Answer = Callable[["Handler"], None]


def png(size: tuple[int, int] = (32, 24), color: str = "red") -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def answer(code: int, content: bytes = b"", **headers: str) -> Answer:
    """Status `code` with `content`; `_` in header names stands for `-`."""

    def send(handler: "Handler") -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    return send


def picture(content: bytes) -> Answer:
    """HTTP 200 with the bytes of a picture."""
    return answer(200, content, Content_Type="image/png")


def cut_off(handler: "Handler") -> None:
    """A body shorter than its Content-Length says."""
    content = png()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def cut_off_unannounced(handler: "Handler") -> None:
    """Half a picture with its own length: only decoding tells."""
    content = png((400, 300))
    picture(content[: len(content) // 2])(handler)


def reset(handler: "Handler") -> None:
    """The connection is reset before an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def silent(handler: "Handler") -> None:
    """Nothing is ever sent."""
    handler.server.closing.wait()
    handler.close_connection = True


def trickle(handler: "Handler") -> None:
    """A byte now and then: no read times out, but the picture never becomes whole."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


class Handler(BaseHTTPRequestHandler):
    """One connection; requests are counted before they are answered."""

    protocol_version = "HTTP/1.1"
    server: "PictureServer"

    def do_GET(self) -> None:
        try:
            self.server.next_answer(self.path)(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.server.script.get(self.path, [self.server.default])[0](self)

    def log_message(self, *_: object) -> None:
        pass


class PictureServer(ThreadingHTTPServer):
    """See the module; `address` is its base URL."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.default: Answer = picture(png())
        self.script: dict[str, list[Answer]] = {}
        self.hits: Counter[str] = Counter()
        self.closing = threading.Event()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self, path: str) -> Answer:
        with self._lock:
            answers = self.script.get(path, [self.default])
            self.hits[path] += 1
            return answers[min(self.hits[path], len(answers)) - 1]

    def handle_error(self, *_: object) -> None:
        """A client that leaves is part of the tests."""


@contextmanager
def serve_pictures() -> Iterator[PictureServer]:
    """A running server."""
    with PictureServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()
