"""A server for trying a model out on this machine: bounded in memory, time and threads.

    accept ─ a connection free? ─▶ thread: read ─ a turn free? ─▶ model ─▶ answer
                  503                                503

Not for production: no TLS, no authentication, one process.
"""

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import HTTPServer
from socketserver import ThreadingMixIn
from typing import Any

from tlkeras.errors import TlkerasError
from tlkeras.tasks.serving.conversation import Conversation
from tlkeras.tasks.serving.rest import error
from tlkeras.tasks.serving.servable import Servable
from tlkeras.tasks.serving.tensors import RequestError
from tlkeras.threads import cores

logger = logging.getLogger(__name__)

_BUSY = "The server is busy. Try again in a moment"


@dataclass(frozen=True)
class Limits:
    """How much is taken on at once.

    Attributes:
        body_bytes: of one request.
        held_bytes: of all bodies that are being read or answered.
        connections: open at once; each is a thread.
        turns: requests that are at the model at once.
        turn_s: how long a request waits for the model.
        request_s: how long a request may take to come, and a connection to be silent.
        grace_s: how long a request that runs is waited for at the end.
    """

    body_bytes: int = 32 << 20
    held_bytes: int = 256 << 20
    connections: int = 128
    turns: int = field(default_factory=cores)
    turn_s: float = 30.0
    request_s: float = 30.0
    grace_s: float = 10.0


class Server(ThreadingMixIn, HTTPServer):
    """A model on a port. `serve_forever` works until another thread calls `stop`.

    Args:
        servable: the model.
        host: the address to listen on; a loopback address is reached from this machine only.
        port: 0 for any that is free; `url` says which it is.
        limits: how much is taken on at once.

    Raises:
        TlkerasError: the address can't be listened on.

    Example::

        with Server(servable(classifier, "flowers"), port=0) as server:
            threading.Thread(target=server.serve_forever).start()
            print(server.url)
            server.stop()
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        servable: Servable,
        host: str = "127.0.0.1",
        port: int = 8501,
        limits: Limits | None = None,
    ) -> None:
        self.servable = servable
        self.limits = limits or Limits()
        self.room = Room(self.limits.held_bytes)
        self.only_here = is_loopback(host)
        self.stopping = False
        self._turns = threading.BoundedSemaphore(self.limits.turns)
        self._open: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._changed = threading.Condition()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), Conversation)
        except (OSError, OverflowError) as failure:
            raise TlkerasError(
                f"The server needs an address and a port of its own. Received: {host} port "
                f"{port} ({failure}). Choose another --port, or 0 for any that is free."
            ) from failure

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        host, port = self.server_address[:2]
        shown = host.decode() if isinstance(host, bytes | bytearray) else host
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn at the model.

        Raises:
            RequestError: 503, none became free in time.
        """
        if not self._turns.acquire(timeout=self.limits.turn_s):
            raise RequestError(503, _BUSY)
        try:
            yield
        finally:
            self._turns.release()

    @contextmanager
    def waiting(self, connection: socket.socket) -> Iterator[None]:
        """While a connection waits for a request, `stop` may end it."""
        with self._changed:
            self._silent.add(connection)
        try:
            yield
        finally:
            with self._changed:
                self._silent.discard(connection)

    def stop(self) -> None:
        """Take no more, finish what runs, close; `serve_forever` returns. From another thread."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        until = time.monotonic() + self.limits.grace_s
        with self._changed:
            for connection in self._silent:
                _hang_up(connection)
            self._changed.wait_for(lambda: not self._open, max(0.0, until - time.monotonic()))
            if self._open:
                logger.warning("%d requests did not end in time and are cut", len(self._open))

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, or 503 where there are too many."""
        with self._changed:
            full = len(self._open) >= self.limits.connections
            if not full:
                self._open.add(request)
        if full:
            _turn_away(request)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The connection from its first byte to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What failed on a connection goes to the log."""
        logger.exception("a connection failed")

    def server_bind(self) -> None:
        """Listen, without asking a name server what this machine is called."""
        super(HTTPServer, self).server_bind()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class Room:
    """Bytes of bodies that may be held at once.

    >>> room = Room(10)
    >>> room.take(8); room.give(8); room.take(10)
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Raises RequestError 503 where there is not so much."""
        with self._lock:
            if count > self._left:
                raise RequestError(503, _BUSY)
            self._left -= count

    def give(self, count: int) -> None:
        """What was taken and is free again."""
        with self._lock:
            self._left += count


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _turn_away(connection: socket.socket) -> None:
    reply = error(503, _BUSY)
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(reply.body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):  # gone already
        connection.settimeout(0.5)
        connection.sendall(head.encode("ascii") + reply.body)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # gone already
        connection.shutdown(socket.SHUT_RD)
