"""What a server has to put up with: each request has an answer that is allowed, and only that.

Either a status from 400 to 499 with {"error": text}, or 200 with the broken picture's row marked
`ok` false, without a label, and every other row answered.
"""

import base64
import http.client
import json
import socket
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 120.0
PAUSE_S = 0.2
LARGE = 30_000_000  # bytes of a body
BOMB_SIDE_PX = 20_000
MARKED = "marked"
HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Case:
    """A request that is not as it should be, and what may be said to it.

    `allowed` holds statuses, and MARKED for 200 with row `broken` marked and all others answered.
    """

    about: str
    body: bytes
    allowed: tuple[int | str, ...]
    broken: int = 0
    path: str = "{predict}"


@dataclass
class Siege:
    """What came of all cases: how often each answer, and which answers were not allowed."""

    answers: dict[str, Counter] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, answer: str, failure: str = "") -> None:
        """One more answer."""
        self.answers.setdefault(case, Counter())[answer] += 1
        if failure:
            self.failures.append(f"{case}: {failure}"[:300])


def cases(picture: bytes) -> list[Case]:
    """The cases; `picture` is a JPEG that the server can read."""
    good, half = _b64(picture), _b64(picture[: len(picture) // 2])
    empty, page = _b64(b""), _b64(b"<!doctype html><html>not found</html>")
    named = {"instances": [{"image_bytes": good}]}
    return [
        Case("a 30 MB body", _large(), (MARKED, 413)),
        Case("half a picture", _rows(half), (MARKED,)),
        Case("no bytes", _rows(empty), (MARKED,)),
        Case("a page of HTML", _rows(page), (MARKED,)),
        Case(f"a picture of {BOMB_SIDE_PX}² pixels", _rows(_b64(_bomb())), (MARKED, 413)),
        Case("a broken row amid good ones", _rows(good, half, good), (MARKED,), broken=1),
        Case("a wrong key", _json({"pictures": [good]}), (400,)),
        Case("a wrong name", _json({"instances": [{"picture": good}]}), (400,)),
        Case("a wrong signature", _json({**named, "signature_name": "no"}), (400,)),
        Case("rows that are no list", _json({"instances": 5}), (400,)),
        Case("no base64", _json({"instances": [{"b64": "not base64!"}]}), (400,)),
        Case("a list", b"[1, 2]", (400,)),
        Case("an empty body", b"", (400,)),
        Case("broken JSON", b'{"instances": [', (400,)),
        Case("100,000 brackets", b'{"instances": ' + b"[" * 100_000, (400,)),
        Case("no such model", _json(named), (404,), path="/v1/models/nobody:predict"),
    ]


def verdict(case: Case, status: int, body: bytes) -> tuple[str, str]:
    """The answer in short, and what is wrong with it, if anything."""
    try:
        told = json.loads(body)
    except ValueError:
        return str(status), f"{status} without JSON: {body[:100]!r}"
    if status != 200:
        clear = isinstance(told, dict) and isinstance(told.get("error"), str) and told["error"]
        if status in case.allowed and clear:
            return str(status), ""
        return str(status), f"{status} {body[:200]!r}"
    if MARKED not in case.allowed:
        return "200", f"answered: {body[:200]!r}"
    rows = told.get("predictions", [])
    for number, row in enumerate(rows):
        if (row["ok"], bool(row["label"])) != ((number != case.broken),) * 2:
            return "200", f"row {number}: {str(row)[:200]}"
    return (MARKED, "") if len(rows) > case.broken else ("200", f"{len(rows)} rows")


def besiege(url: str, found: Sequence[Case], until: threading.Event, siege: Siege) -> None:
    """Sends the cases in turn, again and again, each on a connection of its own, until the event.

    Every round ends with a client that hangs up in the middle of its body. All cases are sent at
    least once.
    """
    parts = urlsplit(url)
    rounds = 0
    while not (until.is_set() and rounds):
        rounds += 1
        for case in found:
            if until.is_set() and rounds > 1:
                return
            connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
            try:
                path = case.path.format(predict=parts.path)
                connection.request("POST", path, case.body, HEADERS)
                reply = connection.getresponse()
                siege.add(case.about, *verdict(case, reply.status, reply.read()))
            except (OSError, http.client.HTTPException) as error:
                siege.add(case.about, "none", repr(error))
            finally:
                connection.close()
            until.wait(PAUSE_S)
        _hang_up(parts.hostname or "", parts.port or 80, parts.path)
        siege.add("a client that hangs up", "none")


def _hang_up(host: str, port: int, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(head.encode() + b'{"instances": [{"b64": "')
        # Without lingering: the server gets a reset, as of a process that was killed.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode("ascii")}


def _rows(*files: dict[str, str]) -> bytes:
    return _json({"instances": [{"image_bytes": file} for file in files]})


def _json(request: object) -> bytes:
    return json.dumps(request).encode("ascii")


def _large() -> bytes:
    head, tail = b'{"instances": [{"b64": "', b'"}]}'
    letters = (LARGE - len(head) - len(tail)) // 4 * 4
    return head + b"ab9/" * (letters // 4) + tail


def _bomb() -> bytes:
    """A PNG of 50 kB that is 400 million pixels large."""
    side = BOMB_SIDE_PX
    pixels = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
