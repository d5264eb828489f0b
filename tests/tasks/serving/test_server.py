"""The server: bounded in size, time and number, alive whatever it is sent, finished cleanly."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.tasks.serving.toys import NUMBERS, call, predict, serving, toy
from tlkeras.errors import TlkerasError
from tlkeras.tasks.serving.servable import Servable, Signature, Tensors
from tlkeras.tasks.serving.server import Limits, Server

FINE = {"instances": [1.0]}
PATH = "/v1/models/toy:predict"


def with_slow(seconds: float) -> tuple[Servable, threading.Event]:
    """The toy with a signature that takes its time, and the event that it has begun."""
    begun = threading.Event()

    def wait(given: Tensors) -> Tensors:
        begun.set()
        time.sleep(seconds)
        return {"y": given["x"]}

    return toy(slow=Signature({"x": NUMBERS}, {"y": NUMBERS}, wait)), begun


def raw(server: Server, sent: bytes, timeout_s: float = 10) -> bytes:
    """Everything the server says to these bytes until it hangs up."""
    with socket.create_connection(server.server_address[:2], timeout=timeout_s) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while piece := connection.recv(65536):
            said += piece
        return said


def test_large_body_is_refused_and_its_sender_reads_why() -> None:
    with serving(toy(), body_bytes=1000) as server:
        for size in (1001, 30_000_000):
            status, body, headers = call(server, "POST", PATH, b"x" * size)
            assert status == 413
            assert "1,000 bytes" in json.loads(body)["error"]
            assert headers["Connection"] == "close"
        assert predict(server, FINE) == (200, {"predictions": [3.5]})


def test_large_body_is_refused_before_it_is_sent_where_the_client_asks() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    with serving(toy(), body_bytes=1000) as server:
        said = raw(server, f"{head}Content-Length: 5000\r\n\r\n".encode())
        assert said.startswith(b"HTTP/1.1 413")
        said = raw(server, f"{head}Content-Length: 20\r\n\r\n".encode() + json.dumps(FINE).encode())
        assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: -1", 400),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 1e3", 400),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3", 400),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 9" + b"9" * 40, 400),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Encoding: gzip", 415),
        (b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 10", 400),  # that never come
        (b"POST /v1/models/toy:predict HTTP/1.1", 400),
        (b"BREW /healthz HTTP/1.1", 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", 414),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (b"GET /healthz HTTP/1.1" + b"\r\nX: y" * 200, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # the beginning of TLS
        (b"GET /\xff\xfe%00%0a HTTP/1.1", 404),
        (b"GET http://example.com/healthz HTTP/1.1", 404),
        (b"GET /healthz HTTP/9.9", 505),
    ],
)
def test_odd_request_gets_a_json_error_and_the_server_lives_on(head: bytes, status: int) -> None:
    with serving(toy()) as server:
        said = raw(server, head + b"\r\n\r\n")
        assert said.startswith(f"HTTP/1.1 {status} ".encode()), said[:200]
        header, _, body = said.partition(b"\r\n\r\n")
        assert b"application/json" in header
        assert set(json.loads(body)) == {"error"}
        assert b"Traceback" not in said
        assert predict(server, FINE)[0] == 200


def test_failure_of_the_model_is_500_without_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(given: Tensors) -> Tensors:
        raise ZeroDivisionError("a secret")

    broken = toy(broken=Signature({"x": NUMBERS}, {"y": NUMBERS}, fail))
    with serving(broken) as server:
        status, told = predict(server, {"signature_name": "broken", **FINE})
        assert status == 500
        assert "secret" not in str(told)
        assert predict(server, FINE)[0] == 200
    assert "a secret" in caplog.text


def test_one_connection_carries_many_requests() -> None:
    import http.client

    with serving(toy()) as server:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status": "ok"}'
        ours = connection.sock
        for number in range(5):
            connection.request("POST", PATH, json.dumps({"instances": [number]}))
            told = json.loads(connection.getresponse().read())
            assert told == {"predictions": [number / 2 + 3]}
        assert connection.sock is ours
        connection.close()


def test_head_has_the_headers_without_the_body() -> None:
    with serving(toy()) as server:
        said = raw(server, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"Content-Length: 16\r\n" in said
        assert said.endswith(b"\r\n\r\n")


def test_slow_senders_are_let_go_and_hold_up_nobody() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n".encode()
    with serving(toy(), request_s=0.6) as server:
        began = time.monotonic()
        slow = [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(6)]
        for number, connection in enumerate(slow):
            connection.sendall(head + b"{" if number % 2 else b"POST /v1")
        assert predict(server, FINE)[0] == 200
        said = []
        for _ in range(4):  # a byte now and then does not buy more time
            time.sleep(0.1)
            for connection in slow:
                connection.sendall(b" ")
        for connection in slow:
            said.append(connection.recv(4096))
            connection.close()
        assert time.monotonic() - began < 5
        assert [answer[9:12] for answer in said] == [b"", b"408"] * 3


def test_more_requests_than_turns_are_told_to_come_again() -> None:
    servable, begun = with_slow(1.0)
    with serving(servable, turns=1, turn_s=0.1) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(predict, server, {"signature_name": "slow", **FINE})
        assert begun.wait(5)
        status, body, headers = call(server, "POST", PATH, json.dumps(FINE).encode())
        assert status == 503
        assert "busy" in json.loads(body)["error"]
        assert headers["Retry-After"] == "1"
        assert call(server, "GET", "/healthz")[0] == 200
        assert first.result()[0] == 200
        assert predict(server, FINE)[0] == 200


def test_more_connections_than_allowed_are_told_to_come_again() -> None:
    with serving(toy(), connections=2) as server:
        held = [socket.create_connection(server.server_address[:2]) for _ in range(2)]
        time.sleep(0.2)
        assert raw(server, b"").startswith(b"HTTP/1.1 503")
        for connection in held:
            connection.close()
        time.sleep(0.2)
        assert predict(server, FINE)[0] == 200


def test_bodies_together_are_bounded() -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n".encode()
    with serving(toy(), body_bytes=1000, held_bytes=1000) as server:
        with socket.create_connection(server.server_address[:2], timeout=10) as half:
            half.sendall(head + b" " * 800)
            time.sleep(0.2)
            status, _, _ = call(server, "POST", PATH, b" " * 800)
            assert status == 503
        time.sleep(0.2)
        assert call(server, "POST", PATH, b" " * 1000)[0] == 400  # all of it was read


def test_stop_finishes_what_runs_and_hangs_up_on_who_is_silent() -> None:
    servable, begun = with_slow(0.5)
    with serving(servable) as server, ThreadPoolExecutor() as pool:
        silent = socket.create_connection(server.server_address[:2], timeout=5)
        running = pool.submit(predict, server, {"signature_name": "slow", **FINE})
        assert begun.wait(5)
        began = time.monotonic()
        server.stop()
        assert running.result() == (200, {"predictions": [1.0]})
        assert time.monotonic() - began < 3
        assert silent.recv(10) == b""
        silent.close()
        with pytest.raises(ConnectionRefusedError):
            call(server, "GET", "/healthz")


def test_stop_does_not_wait_for_ever() -> None:
    servable, begun = with_slow(3.0)
    with serving(servable, grace_s=0.2) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(predict, server, {"signature_name": "slow", **FINE})
        assert begun.wait(5)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 2
        running.result()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8501"},
        {"Host": "localhost:1", "Origin": "http://evil.example"},
        {"Host": "localhost:1", "Origin": "null"},
        {"Host": "[::1"},
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    with serving(toy()) as server:
        status, body, sent = call(server, "POST", PATH, json.dumps(FINE).encode(), **headers)
        assert status == 403
        assert "another host" in json.loads(body)["error"]
        assert "Access-Control-Allow-Origin" not in sent


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8501", "LOCALHOST"])
def test_its_own_page_and_names_are_served(host: str) -> None:
    body = json.dumps(FINE).encode()
    with serving(toy()) as server:
        assert call(server, "POST", PATH, body, Host=host, Origin=f"http://{host}")[0] == 200


def test_port_in_use_is_said_in_words() -> None:
    with serving(toy()) as server, pytest.raises(TlkerasError, match="--port"):
        Server(toy(), port=server.server_address[1], limits=Limits())


def test_each_of_many_clients_gets_its_own_answer() -> None:
    import http.client

    def client(number: int) -> int:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
        for step in range(20):
            value = 1000.0 * number + step
            connection.request("POST", PATH, json.dumps({"instances": [value]}))
            assert json.loads(connection.getresponse().read())["predictions"] == [value / 2 + 3]
        connection.close()
        return 20

    with serving(toy()) as server, ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(client, range(32))) == 640


def test_what_is_documented_are_the_limits() -> None:
    limits = Limits()
    assert (limits.body_bytes, limits.held_bytes) == (32 << 20, 256 << 20)
    assert limits.connections == 128
    assert (limits.turn_s, limits.request_s, limits.grace_s) == (30, 30, 10)
