"""A servable of small functions, the golden cases written for it, and a client of plain sockets."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tlkeras.tasks.serving.servable import DEFAULT, Field, Servable, Signature, Tensors
from tlkeras.tasks.serving.server import Limits, Server

NUMBERS = Field("float32", (None,))
TEXTS = Field("string", (None,))


def toy(**more: Signature) -> Servable:
    """The model `toy` of the cases."""

    def named(given: Tensors) -> Tensors:
        return {
            "tag": given["tag"],
            "first": given["signal"][:, 0],
            "trace": np.trace(given["sensor"], axis1=1, axis2=2),
        }

    def echo(given: Tensors) -> Tensors:
        return {"copy_bytes": given["image_bytes"], "text": given["image_bytes"]}

    def pairs(given: Tensors) -> Tensors:
        return {"pair": given["p"].astype("float32"), "dark": given["p"] < 100}

    triple = {
        "tag": TEXTS,
        "signal": Field("float32", (None, 5)),
        "sensor": Field("float32", (None, 2, 2)),
    }
    echoed = {"copy_bytes": TEXTS, "text": TEXTS}
    byte_pairs = {"p": Field("uint8", (None, 2))}
    paired = {"pair": Field("float32", (None, 2)), "dark": Field("bool", (None, 2))}
    signatures = {
        DEFAULT: Signature({"x": NUMBERS}, {"y": NUMBERS}, lambda given: {"y": given["x"] / 2 + 3}),
        "same": Signature({"x": NUMBERS}, {"y": NUMBERS}, lambda given: {"y": given["x"]}),
        "mean": Signature(
            {"x": NUMBERS}, {"y": Field("float32", ())}, lambda given: {"y": given["x"].mean()}
        ),
        "named": Signature(triple, {"tag": TEXTS, "first": NUMBERS, "trace": NUMBERS}, named),
        "echo": Signature({"image_bytes": TEXTS}, echoed, echo),
        "pairs": Signature(byte_pairs, paired, pairs),
    }
    return Servable("toy", {**signatures, **more}, ("cat", "<b>dog"))


def cases() -> list[dict]:
    """Every golden case, with its method, path and body as they are sent."""
    found = []
    for file in sorted((Path(__file__).parent / "cases").glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            if "body" in case:
                sent = json.dumps(case["body"]).encode()
            else:
                sent = bytes.fromhex(case.get("raw_hex", "")) or case.get("raw", "").encode()
            case.setdefault("method", "POST")
            case.setdefault("path", "/v1/models/toy:predict")
            found.append({**case, "sent": sent, "id": f"{file.stem}: {case['about']}"})
    return found


def check(case: dict, status: int, body: bytes) -> None:
    """Whether a case was answered as it says."""
    assert status == case["status"], body
    if "text" in case:
        assert body.decode() == case["text"]
    elif "answer" in case:
        assert json.loads(body) == case["answer"]
    else:
        told = json.loads(body)
        assert set(told) == {"error"}
        assert all(word in told["error"] for word in case["error"]), told


@contextmanager
def serving(servable: Servable, **limits: float) -> Iterator[Server]:
    """A server on a free port, stopped at the end."""
    server = Server(servable, port=0, limits=Limits(**limits))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        if not server.stopping:
            server.stop()
        thread.join(10)
        assert not thread.is_alive()


def call(
    server: Server, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request on a connection of its own."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.headers)
    finally:
        connection.close()


def predict(server: Server, request: object) -> tuple[int, dict]:
    """Status and JSON of one `:predict`."""
    path = f"/v1/models/{server.servable.name}:predict"
    status, body, _ = call(server, "POST", path, json.dumps(request).encode())
    return status, json.loads(body)
