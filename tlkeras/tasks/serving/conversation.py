"""One connection: its requests read within bounds of size and time, one answer to each.

header ─ length known, not too long? ─ body, in pieces, within the time ─ respond ─ reply
"""

import io
import logging
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tlkeras import __version__
from tlkeras.data.picture import printable
from tlkeras.tasks.serving.rest import Reply, asks_the_model, error, respond
from tlkeras.tasks.serving.tensors import RequestError

if TYPE_CHECKING:
    from tlkeras.tasks.serving.server import Server

logger = logging.getLogger(__name__)

PIECE = 1 << 16
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DRAIN_S = 5.0
"""How long what still comes of a refused body is thrown away, so that its sender can read why."""


class Conversation(BaseHTTPRequestHandler):
    """What the server says on one connection; made by `Server` for each."""

    server: "Server"
    rfile: io.BufferedReader
    protocol_version = "HTTP/1.1"
    server_version = f"tlkeras/{__version__}"
    sys_version = ""

    def setup(self) -> None:
        """Read through a clock that no client can hold up."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.clock = _Timed(self.connection)
        self.rfile = io.BufferedReader(self.clock, PIECE)

    def handle_one_request(self) -> None:
        """One request, which must have come whole before the time is up."""
        self.clock.allow(self.server.limits.request_s)
        with self.server.waiting(self.connection):
            first = self.rfile.peek(1) if not self.server.stopping else b""
        if not first:
            self.close_connection = True
            return
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def handle(self) -> None:
        """All requests of the connection; one that broke off ends it."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def handle_expect_100(self) -> bool:
        """Whether the body may come: said before it is sent, where the client asks."""
        try:
            self._length()
        except RequestError as refused:
            self.close_connection = True
            self._send(error(refused.status, str(refused)))
            return False
        return super().handle_expect_100()

    def _request(self) -> None:
        try:
            self._check_caller()
            body = self._body()
        except RequestError as refused:
            self.close_connection = True
            self._send(error(refused.status, str(refused)))
            self._drain()
            return
        try:
            self._send(self._reply(body))
        finally:
            self.server.room.give(len(body))

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _request  # noqa: N815

    def _reply(self, body: bytes) -> Reply:
        try:
            if not asks_the_model(self.command, self.path):
                return respond(self.server.servable, self.command, self.path, body)
            with self.server.turn():
                return respond(self.server.servable, self.command, self.path, body)
        except RequestError as refused:
            return error(refused.status, str(refused), {"Retry-After": "1"})
        except Exception:
            logger.exception("a request failed: %s", printable(self.requestline[:200]))
            return error(500, "The server failed on this request; its log says why")

    def _check_caller(self) -> None:
        """Refuses what a page of another site sends through the user's browser."""
        if not self.server.only_here:
            return
        named, origin = self.headers.get("Host", "localhost"), self.headers.get("Origin")
        try:
            host = urlsplit("//" + named).hostname
            foreign = origin is not None and urlsplit(origin).netloc != named
        except ValueError:  # half an IPv6 address
            host, foreign = None, True
        if host not in LOOPBACK or foreign:
            raise RequestError(
                403,
                "This server answers programs and its own page on this machine. Received: a "
                "request through another host's name or page. Use http://127.0.0.1, or start it "
                "with --host to serve others",
            )

    def _length(self) -> int:
        lengths = self.headers.get_all("Content-Length", [])
        most = self.server.limits.body_bytes
        if self.headers.get("Transfer-Encoding"):
            raise RequestError(411, "Send the body with a Content-Length, not in chunks")
        if self.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RequestError(415, "Send the body as it is, not compressed")
        if not lengths:
            return 0
        text = lengths[0].strip() if len(lengths) == 1 else ""
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise RequestError(400, "A request has one Content-Length, the bytes of its body")
        if int(text) > most:
            raise RequestError(
                413,
                f"A body may have {most:,} bytes. Received: {int(text):,}. Send fewer or smaller "
                "pictures, or start the server with a larger --max-mb",
            )
        return int(text)

    def _body(self) -> bytes:
        """The whole body; what has come of it counts against the server's room."""
        missing, taken = self._length(), 0
        pieces: list[bytes] = []
        try:
            while missing:
                piece = self.rfile.read1(min(missing, PIECE))
                if not piece:
                    raise RequestError(400, f"The body ended {missing:,} bytes early")
                self.server.room.take(len(piece))
                taken += len(piece)
                missing -= len(piece)
                pieces.append(piece)
        except BaseException as failure:
            self.server.room.give(taken)
            if isinstance(failure, TimeoutError):
                raise RequestError(408, "The request did not come in time") from failure
            raise
        return b"".join(pieces)

    def _send(self, reply: Reply) -> None:
        self.close_connection = self.close_connection or self.server.stopping
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST" if asks_the_model("POST", self.path) else "GET, HEAD")
        self.end_headers()
        self.connection.settimeout(self.server.limits.request_s)
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _drain(self) -> None:
        """Throw away what still comes: closing at once would take the answer back."""
        self.connection.shutdown(socket.SHUT_WR)
        self.clock.allow(_DRAIN_S)
        with suppress(TimeoutError, ConnectionError):
            while self.rfile.read1(PIECE):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself, as JSON too."""
        self.close_connection = True
        self.command, self.request_version = self.command or "", self.protocol_version
        self._send(error(code, (message or HTTPStatus(code).phrase)[:200]))

    def version_string(self) -> str:
        """The server's name and nothing of the machine."""
        return self.server_version

    def log_message(self, format: str, *args: object) -> None:
        """One line a request, whatever bytes a client put into it."""
        logger.info("%s %s", self.client_address[0], printable(format % args))


class _Timed(io.RawIOBase):
    """A socket to read from until a moment, however slowly the bytes come."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = 0.0

    def allow(self, seconds: float) -> None:
        """Reading may go on for so long from now."""
        self.until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)
