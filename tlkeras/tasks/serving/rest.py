"""A REST request to its answer: method, path and body in, status and body out; no sockets.

    GET  /                                              a page to try the model on
    GET  /healthz                                       {"status": "ok"}
    GET  /v1/models/NAME[/versions/1]                   whether it can be asked
    GET  /v1/models/NAME[/versions/1]/metadata          what it can be asked
    POST /v1/models/NAME[/versions/1]:predict           ask it

The same as TensorFlow Serving's (https://www.tensorflow.org/tfx/serving/api_rest), except that a
wrong method is 405 and an unknown path 404 where TensorFlow Serving says 400 to both.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import numpy as np

from tlkeras.tasks.serving.page import POLICY, page
from tlkeras.tasks.serving.servable import DEFAULT, Field, Servable, Signature
from tlkeras.tasks.serving.tensors import (
    Json,
    RequestError,
    from_inputs,
    from_instances,
    to_outputs,
    to_predictions,
)

MAX_ROWS = 256
"""Most rows of a request."""
MAX_LISTS = 2_000_000
"""Most lists and objects in a body: small ones take thirty times their text in memory."""

MAX_DEPTH = 100
"""Of lists and objects within one another."""

_NO_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^][{}"]+', re.DOTALL)
_MODEL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18}))?"
    r"(?P<verb>/metadata|:[a-z]+)?"
)
_TYPES = {
    "string": "DT_STRING",
    "float32": "DT_FLOAT",
    "uint8": "DT_UINT8",
    "bool": "DT_BOOL",
}


@dataclass(frozen=True)
class Reply:
    """What goes back: the status, the body, and headers beside its length."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def respond(servable: Servable, method: str, path: str, body: bytes = b"") -> Reply:
    """The answer to one request; whatever it holds, nothing is raised that its sender caused.

    >>> from tlkeras.tasks.serving.servable import Servable
    >>> respond(Servable("flowers", {}), "GET", "/healthz").body
    b'{"status": "ok"}'
    >>> respond(Servable("flowers", {}), "GET", "/v1/models/roses").status
    404
    """
    try:
        return _answer(servable, "GET" if method == "HEAD" else method, path, body)
    except RequestError as refused:
        return error(refused.status, str(refused))


def asks_the_model(method: str, path: str) -> bool:
    """Whether the request costs a pass through the model.

    >>> asks_the_model("POST", "/v1/models/flowers:predict"), asks_the_model("GET", "/healthz")
    (True, False)
    """
    return method == "POST" and path.partition("?")[0].endswith(":predict")


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The reply that says what was wrong, as {"error": message}."""
    return _json(status, {"error": message}, headers)


def _answer(servable: Servable, method: str, path: str, body: bytes) -> Reply:
    where = path.partition("?")[0]
    if where in ("/", "/healthz"):
        _check_method(method, "GET")
        if where == "/healthz":
            return _json(200, {"status": "ok"})
        kind = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
        return Reply(200, page(servable).encode("utf-8", "replace"), kind)
    found = _MODEL.fullmatch(where)
    if not found:
        raise RequestError(
            404,
            f"There is nothing at this path. The model is at /v1/models/{servable.name}",
        )
    verb = found["verb"] or ""
    _check_method(method, "POST" if verb.startswith(":") else "GET")
    _check_model(servable, unquote(found["name"]), found["version"])
    if verb == "/metadata":
        return _json(200, _metadata(servable))
    if not verb:
        return _json(200, _status(servable))
    if verb != ":predict":
        raise RequestError(400, f"This model answers ':predict' only. Received: '{verb[:80]}'")
    return _json(200, _predicted(servable, body))


def _check_method(method: str, allowed: str) -> None:
    if method != allowed:
        raise RequestError(405, f"This path takes {allowed}. Received: {method[:20]}")


def _check_model(servable: Servable, name: str, version: str | None) -> None:
    if name != servable.name:
        raise RequestError(
            404,
            f"Servable not found: '{name[:80]}'. The model here is '{servable.name}'",
        )
    if version is not None and int(version) != servable.version:
        raise RequestError(
            404,
            f"Servable not found: version {version} of '{servable.name}'. "
            f"There is version {servable.version}",
        )


def _predicted(servable: Servable, body: bytes) -> Json:
    request = _parsed(body)
    signature = _signature(servable, request.get("signature_name", DEFAULT))
    forms = [key for key in ("instances", "inputs") if key in request]
    if len(forms) != 1:
        found = ", ".join(f"'{key[:80]}'" for key in list(request)[:8]) or "an empty object"
        raise RequestError(
            400,
            "A request has one of the keys 'instances' (row by row) and 'inputs' (by column). "
            f"Received: {found}",
        )
    if forms == ["instances"]:
        given = from_instances(request["instances"], signature.inputs, MAX_ROWS)
        return {"predictions": to_predictions(signature.answer(given))}
    given = from_inputs(request["inputs"], signature.inputs, MAX_ROWS)
    return {"outputs": to_outputs(signature.answer(given))}


def _parsed(body: bytes) -> dict[str, Json]:
    if not body.strip():
        raise RequestError(400, "JSON Parse error: the body is empty. Send a JSON object")
    if body.count(b"[") + body.count(b"{") > MAX_LISTS:
        raise RequestError(
            413, f"A body may have {MAX_LISTS:,} lists and objects. Send it in parts"
        )
    if _depth(body) > MAX_DEPTH:
        raise RequestError(400, "JSON Parse error: lists or objects are nested too deep")
    try:
        request = json.loads(body.decode())  # text: of bytes it would guess UTF-16 and UTF-32 too
    except ValueError as error:  # broken JSON, broken UTF-8, a number of thousands of digits
        raise RequestError(400, f"JSON Parse error: {str(error)[:200]}") from error
    if not isinstance(request, dict):
        raise RequestError(
            400, f"The body must be a JSON object. Received: {type(request).__name__}"
        )
    return request


def _depth(body: bytes) -> int:
    """How deep the lists and objects of a JSON text are nested.

    Python's reader goes as deep into the C stack as it is told to, and crashes the process where
    another package has raised the recursion limit.
    """
    steps = np.zeros(256, np.int64)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    brackets = np.frombuffer(_NO_BRACKETS.sub(b"", body), np.uint8)
    return int(steps[brackets].cumsum().max(initial=0))


def _signature(servable: Servable, name: Json) -> Signature:
    if not isinstance(name, str):
        raise RequestError(400, "'signature_name' must be a string")
    found = servable.signatures.get(name or DEFAULT)
    if found is None:
        known = ", ".join(servable.signatures)
        raise RequestError(
            400, f'Serving signature name: "{name[:80]}" not found. There are: {known}'
        )
    return found


def _status(servable: Servable) -> Json:
    fine: Json = {"error_code": "OK", "error_message": ""}
    version: Json = {"version": str(servable.version), "state": "AVAILABLE", "status": fine}
    return {"model_version_status": [version]}


def _metadata(servable: Servable) -> Json:
    signatures: Json = {
        name: {
            "inputs": {key: _info(key, each) for key, each in signature.inputs.items()},
            "outputs": {key: _info(key, each) for key, each in signature.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }
        for name, signature in servable.signatures.items()
    }
    return {
        "model_spec": {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        },
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _info(name: str, tensor: Field) -> Json:
    sides: list[Json] = [
        {"size": str(-1 if side is None else side), "name": ""} for side in tensor.shape
    ]
    shape: Json = {"dim": sides, "unknown_rank": False}
    return {"dtype": _TYPES[tensor.dtype], "tensor_shape": shape, "name": name}


def _json(status: int, content: Json, headers: Mapping[str, str] | None = None) -> Reply:
    kind = {"Content-Type": "application/json", **(headers or {})}
    return Reply(status, json.dumps(content).encode("ascii"), kind)
