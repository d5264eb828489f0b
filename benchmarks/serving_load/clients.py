"""Clients at once, each on its own connection with its own pictures, and the tally of what came.

right    the picture's own answer
crossed  the answer to another client's picture
wrong    an answer to none of them
refused  another status than 200
lost     no answer: the connection broke, or the time was up
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 120.0
NEAR = 1e-4
"""How far a number of one and the same picture's answer may be from the other time's."""
HEADERS = {"Content-Type": "application/json"}
SHOWN = 5  # of the answers that were not right


@dataclass(frozen=True)
class Asked:
    """A picture in a request, and what the server answers when nobody else asks.

    `mark` are the numbers of the answer; no two pictures of a load have the same.
    """

    name: str
    body: bytes
    label: str
    mark: tuple[float, ...]


@dataclass
class Tally:
    """What came of the requests of one client, or of all."""

    counts: Counter = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, what: str, latency_s: float, note: str = "") -> None:
        """One more request."""
        self.counts[what] += 1
        if what != "lost":
            self.latencies_s.append(latency_s)
        if what != "right" and len(self.shown) < SHOWN:
            self.shown.append(f"{what}: {note}"[:300])

    def __iadd__(self, other: "Tally") -> "Tally":
        self.counts += other.counts
        self.latencies_s += other.latencies_s
        self.shown = (self.shown + other.shown)[:SHOWN]
        return self


def mark_of(row: dict) -> tuple[float, ...]:
    """The numbers of one answer: probabilities, and the unknown score where there is one."""
    return (*row["probabilities"], row.get("unknown_score", 0.0))


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether these are the numbers of one picture.

    >>> same((0.2, 0.8, 1.31), (0.20001, 0.79999, 1.31)), same((0.2, 0.8, 1.31), (0.2, 0.8, 1.4))
    (True, False)
    """
    return len(one) == len(other) and all(
        abs(a - b) <= NEAR * max(1.0, abs(b)) for a, b in zip(one, other, strict=True)
    )


def verdict(asked: Asked, others: Sequence[Asked], status: int, body: bytes) -> tuple[str, str]:
    """What came of a request, and a note for whoever has to look into it."""
    if status != 200:
        return "refused", f"{asked.name}: {status} {body[:200]!r}"
    try:
        (row,) = json.loads(body)["predictions"]
        label, mark = row["label"], mark_of(row)
    except (ValueError, KeyError, TypeError) as error:
        return "wrong", f"{asked.name}: {error} in {body[:200]!r}"
    if label == asked.label and same(mark, asked.mark):
        return "right", ""
    for other in others:
        if same(mark, other.mark):
            return "crossed", f"{asked.name} got the answer of {other.name}"
    return "wrong", f"{asked.name}: {label} {mark} for {asked.label} {asked.mark}"


def load(url: str, asked: Sequence[Asked], clients: int, seconds: float) -> Tally:
    """All requests that so many clients sent for so long; each waits for its answer, then goes on.

    Client i asks about pictures i, i + clients, … in turn. A request that runs when the time is up
    is waited for and counts.

    Args:
        url: of the model's `:predict`.
        asked: at least as many as there are clients.
        clients: how many ask at once.
        seconds: for how long.
    """
    begin = threading.Barrier(clients + 1)
    tallies = [Tally() for _ in range(clients)]
    threads = [
        threading.Thread(
            target=_client, args=(url, asked, asked[i::clients], begin, seconds, tally)
        )
        for i, tally in enumerate(tallies)
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    whole = Tally(seconds=time.perf_counter() - started)
    for tally in tallies:
        whole += tally
    return whole


def _client(
    url: str,
    everybody: Sequence[Asked],
    mine: Sequence[Asked],
    begin: threading.Barrier,
    seconds: float,
    tally: Tally,
) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    begin.wait()
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        asked, number = mine[number % len(mine)], number + 1
        started = time.perf_counter()
        try:
            connection.request("POST", parts.path, asked.body, HEADERS)
            reply = connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            tally.add("lost", time.perf_counter() - started, f"{asked.name}: {error!r}")
            continue
        spent = time.perf_counter() - started
        what, note = verdict(asked, everybody, reply.status, body)
        tally.add(what, spent, note)
    connection.close()
