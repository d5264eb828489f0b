"""The load and the siege: what is lost, crossed or unclear is told, and nothing else is."""

import base64
import itertools
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving_load import __main__ as command
from benchmarks.serving_load import servers
from benchmarks.serving_load.clients import Asked, load
from benchmarks.serving_load.hostile import MARKED, Case, Siege, besiege, cases, verdict
from benchmarks.serving_load.servers import started
from tests.tasks.serving.toys import NUMBERS, TEXTS, serving
from tlkeras.tasks.serving.servable import DEFAULT, Field, Servable, Signature, Tensors
from tlkeras.tasks.serving.tensors import RequestError

PICTURES = tuple(b"\xff\xd8" + bytes([number]) * 5 + b"\xff\xd9" for number in range(12))
Which = Callable[[int], int]
"""The picture that was sent → the one whose answer is given."""


def label_of(picture: int) -> str:
    return ("cat", "dog")[picture % 2]


def mark(picture: int) -> tuple[float, float, float]:
    return (picture / 16, 1 - picture / 16, 1 + picture / 8)


def pets(which: Which = lambda picture: picture) -> Servable:
    """A model that knows its pictures; whatever does not end like a JPEG is marked."""

    def answer(given: Tensors) -> Tensors:
        files = list(given["image_bytes"])
        ok = np.array([file[:2] + file[-2:] == b"\xff\xd8\xff\xd9" for file in files], bool)
        found = [which(file[2]) if fine else None for file, fine in zip(files, ok, strict=True)]
        marks = [(0.0, 0.0, 0.0) if row is None else mark(row) for row in found]
        table = np.array(marks, np.float32).reshape(-1, 3)
        labels = np.array(["" if row is None else label_of(row) for row in found], object)
        return {
            "label": labels,
            "probabilities": table[:, :2],
            "unknown_score": table[:, 2],
            "ok": ok,
        }

    told = {"label": TEXTS, "probabilities": Field("float32", (None, 2)), "unknown_score": NUMBERS}
    signature = Signature({"image_bytes": TEXTS}, {**told, "ok": Field("bool", (None,))}, answer)
    return Servable("pets", {DEFAULT: signature})


def asked() -> list[Asked]:
    found = []
    for number, picture in enumerate(PICTURES):
        row = {"b64": base64.b64encode(picture).decode()}
        body = json.dumps({"instances": [row]}).encode()
        found.append(Asked(f"{number}.jpg", body, label_of(number), mark(number)))
    return found


def every(count: int, change: Which) -> tuple[Which, list[int]]:
    """A change to one request in so many, and where each such request is noted."""
    lock, requests, changed = threading.Lock(), itertools.count(), []

    def which(picture: int) -> int:
        with lock:
            if next(requests) % count:
                return picture
            changed.append(picture)
        return change(picture)

    return which, changed


def test_every_answer_of_an_honest_server_is_right() -> None:
    with serving(pets()) as server:
        tally = load(f"{server.url}/v1/models/pets:predict", asked(), clients=6, seconds=0.5)
    assert set(tally.counts) == {"right"}
    assert tally.counts["right"] == len(tally.latencies_s) > 12
    assert 0.5 <= tally.seconds < 5


def test_each_crossed_answer_is_told_though_its_label_is_the_same() -> None:
    which, crossed = every(5, lambda picture: (picture + 2) % len(PICTURES))
    with serving(pets(which)) as server:
        tally = load(f"{server.url}/v1/models/pets:predict", asked(), clients=4, seconds=0.3)
    assert tally.counts["crossed"] == len(crossed) > 0
    assert tally.counts.total() == tally.counts["right"] + tally.counts["crossed"]
    assert "got the answer of" in tally.shown[0]


def test_an_answer_to_no_picture_is_wrong() -> None:
    which, wrong = every(4, lambda picture: 40)
    with serving(pets(which)) as server:
        tally = load(f"{server.url}/v1/models/pets:predict", asked(), clients=4, seconds=0.3)
    assert tally.counts["wrong"] == len(wrong) > 0


def test_another_status_is_refused() -> None:
    def busy(picture: int) -> int:
        raise RequestError(503, "busy")

    which, refused = every(3, busy)
    with serving(pets(which)) as server:
        tally = load(f"{server.url}/v1/models/pets:predict", asked(), clients=4, seconds=0.3)
    assert tally.counts["refused"] == len(refused) > 0
    assert "503" in tally.shown[0]


@contextmanager
def mute() -> Iterator[str]:
    """The address of somebody who takes a request and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)

        thread = threading.Thread(target=take)
        thread.start()
        host, port = listening.getsockname()
        yield f"http://{host}:{port}/v1/models/pets:predict"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_request_without_an_answer_is_lost() -> None:
    with mute() as url:
        tally = load(url, asked(), clients=2, seconds=0.2)
    assert set(tally.counts) == {"lost"}
    assert not tally.latencies_s


def test_a_siege_tells_of_every_case_and_a_good_server_stands_it() -> None:
    siege, over = Siege(), threading.Event()
    over.set()  # one round
    with serving(pets()) as server:
        url = f"{server.url}/v1/models/pets:predict"
        found = cases(PICTURES[3])
        besiege(url, found, over, siege)
        assert load(url, asked(), clients=1, seconds=0.1).counts["right"]
    assert siege.failures == []
    assert set(siege.answers) == {case.about for case in found} | {"a client that hangs up"}
    assert siege.answers["a 30 MB body"] == {MARKED: 1}
    assert siege.answers["an empty body"] == {"400": 1}


def test_the_large_body_is_as_large_as_it_says() -> None:
    large = cases(PICTURES[0])[0]
    assert 29_999_990 <= len(large.body) <= 30_000_000
    assert json.loads(large.body)["instances"][0]["b64"].startswith("ab9/")


GOOD, BAD = {"ok": True, "label": "cat"}, {"ok": False, "label": ""}


@pytest.mark.parametrize(
    ("allowed", "status", "told", "wrong"),
    [
        ((400,), 400, {"error": "send a list"}, ""),
        ((400,), 500, {"error": "oh"}, "500"),
        ((400,), 400, {"error": ""}, "400"),
        ((400,), 400, {"message": "no"}, "400"),
        ((400,), 200, {"predictions": [GOOD]}, "answered"),
        ((MARKED,), 200, {"predictions": [GOOD, BAD, GOOD]}, ""),
        ((MARKED,), 200, {"predictions": [GOOD, GOOD, GOOD]}, "row 1"),
        ((MARKED,), 200, {"predictions": [BAD, BAD, GOOD]}, "row 0"),
        ((MARKED,), 200, {"predictions": [GOOD, {**BAD, "label": "cat"}]}, "row 1"),
        ((MARKED,), 200, {"predictions": [GOOD]}, "1 rows"),
        ((MARKED,), 413, {"error": "too large"}, "413"),
    ],
)
def test_only_a_clear_refusal_or_a_marked_row_will_do(
    allowed: tuple[int | str, ...], status: int, told: dict, wrong: str
) -> None:
    case = Case("one", b"", allowed, broken=1)
    failure = verdict(case, status, json.dumps(told).encode())[1]
    assert failure.startswith(wrong)
    assert bool(failure) == bool(wrong)


def test_an_answer_that_is_no_json_will_not_do() -> None:
    assert "without JSON" in verdict(Case("one", b"", (400,)), 400, b"<h1>Bad</h1>")[1]


SERVER = """
import http.server, signal
class Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
{0}
server = http.server.HTTPServer(("127.0.0.1", 0), Fine)
print('some log line\\n{{"url": "http://127.0.0.1:%d"}}' % server.server_port, flush=True)
server.serve_forever()
"""


def test_a_server_is_there_until_the_block_ends(tmp_path: Path) -> None:
    with started([sys.executable, "-c", SERVER.format("")], "/health", tmp_path / "log") as running:
        assert running.alive
        peak = running.peak_mb()
        assert peak is None or 2 < peak < 500
    assert not running.alive


def test_a_server_that_does_not_listen_to_sigterm_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_S", 0.3)
    deaf = SERVER.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with started([sys.executable, "-c", deaf], "/health", tmp_path / "log") as running:
        assert running.alive
    assert not running.alive


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    dying = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(RuntimeError, match="no such model"),
        started(dying, "/health", tmp_path / "log"),
    ):
        pass


def row(**changed: object) -> dict:
    counts = {"right": 9, "crossed": 0, "wrong": 0, "refused": 0, "lost": 0}
    return {**counts, "hostile_failures": [], "lives_on": True, **changed}


def test_a_row_falls_short_of_anything_but_right_answers() -> None:
    assert not command.fell_short(row())
    worse: list[dict[str, object]] = [{what: 1} for what in ("crossed", "wrong", "refused", "lost")]
    worse += [{"right": 0}, {"lives_on": False}, {"hostile_failures": ["a list: 500"]}]
    for change in worse:
        assert command.fell_short(row(**change)), change


def test_it_has_a_short_form() -> None:
    assert command.parser.parse_args(["--smoke"]).smoke
    assert set(command.SERVERS) == set(command.TITLES) == {"kserve", "tlkeras"}
