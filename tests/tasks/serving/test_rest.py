"""TensorFlow Serving's REST rules, as its documentation has them, without sockets and with."""

import json
import sys

import numpy as np
import pytest

from tests.tasks.serving.toys import call, cases, check, serving, toy
from tlkeras.tasks.serving import rest
from tlkeras.tasks.serving.rest import respond

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case_is_answered_as_documented(case: dict) -> None:
    reply = respond(toy(), case["method"], case["path"], case["sent"])
    check(case, reply.status, reply.body)
    assert reply.headers["Content-Type"] == "application/json"


def test_all_cases_are_answered_alike_over_a_socket() -> None:
    with serving(toy()) as server:
        for case in CASES:
            status, body, headers = call(server, case["method"], case["path"], case["sent"])
            check(case, status, body)
            assert headers["Content-Type"] == "application/json"
            assert ("Allow" in headers) == (status == 405)


def test_metadata_names_tensors_types_and_shapes() -> None:
    told = json.loads(respond(toy(), "GET", "/v1/models/toy/metadata").body)
    assert told["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
    found = told["metadata"]["signature_def"]["signature_def"]["pairs"]
    assert found["method_name"] == "tensorflow/serving/predict"
    assert found["inputs"]["p"]["dtype"] == "DT_UINT8"
    assert found["outputs"]["dark"]["dtype"] == "DT_BOOL"
    shape = found["outputs"]["pair"]["tensor_shape"]
    assert [side["size"] for side in shape["dim"]] == ["-1", "2"]
    assert shape["unknown_rank"] is False


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"instances":['])
def test_deep_nesting_is_refused(opening: str) -> None:
    reply = respond(toy(), "POST", "/v1/models/toy:predict", opening.encode() * 100_000)
    assert reply.status == 400
    assert b"deep" in reply.body


def test_depth_is_bounded_whatever_the_recursion_limit_is() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)  # as a package may
    try:
        reply = respond(toy(), "POST", "/v1/models/toy:predict", b'{"a":' * 200_000)
    finally:
        sys.setrecursionlimit(before)
    assert (reply.status, b"deep" in reply.body) == (400, True)


def test_brackets_in_text_are_no_nesting() -> None:
    text = json.dumps({"signature_name": '[{"\\' * 500 + '"', "instances": [1.0]}).encode()
    reply = respond(toy(), "POST", "/v1/models/toy:predict", text)
    assert b"not found" in reply.body


def test_other_encodings_than_utf8_are_refused() -> None:
    body = json.dumps({"instances": [[1.0, 2.0]]}).encode("utf-16")
    assert respond(toy(), "POST", "/v1/models/toy:predict", body).status == 400


def test_number_of_thousands_of_digits_is_refused() -> None:
    body = b'{"instances": [' + b"7" * 5000 + b"]}"
    assert respond(toy(), "POST", "/v1/models/toy:predict", body).status == 400


def test_too_many_rows_are_refused() -> None:
    def asked(count: int, key: str) -> int:
        body = json.dumps({key: [1.0] * count}).encode()
        return respond(toy(), "POST", "/v1/models/toy:predict", body).status

    for key in ("instances", "inputs"):
        assert asked(rest.MAX_ROWS, key) == 200
        assert asked(rest.MAX_ROWS + 1, key) == 413


def test_too_many_lists_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MAX_LISTS", 10)
    body = b'{"instances": [' + b",".join([b"[]"] * 9) + b"]}"
    assert respond(toy(), "POST", "/v1/models/toy:predict", body).status == 413


def test_error_does_not_repeat_a_large_value() -> None:
    body = json.dumps({"instances": ["x" * 10_000], "signature_name": "y" * 10_000}).encode()
    assert len(respond(toy(), "POST", "/v1/models/toy:predict", body).body) < 500
    body = json.dumps({"k" * 10_000: 1}).encode()
    assert len(respond(toy(), "POST", "/v1/models/toy:predict", body).body) < 500


def test_page_holds_hostile_class_names_as_text() -> None:
    reply = respond(toy(), "GET", "/")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert b"<b>dog" not in reply.body
    assert "script-src 'sha256-" in reply.headers["Content-Security-Policy"]
    assert b"http://" not in reply.body
    assert b"https://" not in reply.body


def test_page_script_and_style_are_those_that_the_policy_allows() -> None:
    import base64
    import hashlib
    import re

    reply = respond(toy(), "GET", "/")
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", reply.body.decode(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in reply.headers["Content-Security-Policy"]


def test_no_body_makes_it_raise() -> None:
    rng = np.random.default_rng(0)
    seeds = [case["sent"] for case in CASES if len(case["sent"]) > 10]
    statuses = set()
    for _ in range(1500):
        body = bytearray(seeds[rng.integers(len(seeds))])
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(body)))
            kind = rng.integers(3)
            if kind == 0:
                body[at] = int(rng.integers(256))
            elif kind == 1:
                del body[at : at + int(rng.integers(1, 6))]
                body += b"}"
            else:
                part = bytes(body[: int(rng.integers(1, 20))])
                body[at:at] = part
        reply = respond(toy(), "POST", "/v1/models/toy:predict", bytes(body))
        statuses.add(reply.status)
        told = json.loads(reply.body)
        assert ("error" in told) == (reply.status != 200)
    assert statuses == {200, 400}
