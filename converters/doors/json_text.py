"""JSON of strangers: bounded in bytes and in depth before Python's reader sees it.

Python's reader goes as deep into the stack as it is told to: a few thousand brackets end as a
RecursionError, or as a crash where another package has raised the recursion limit.
"""

import json
import re
from pathlib import Path

import numpy as np

from converters.errors import ReadError

MOST_BYTES = 64 << 20
MOST_DEPTH = 200  # a network of nested models takes about four for each
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = re.compile(rb"[^][{}]+")


def read_json(
    data: bytes | str, label: str, *, most_bytes: int = MOST_BYTES, most_depth: int = MOST_DEPTH
) -> object:
    """The value of a JSON text in UTF-8.

    Raises:
        ReadError: too long, nested too deep, or no JSON.

    >>> read_json(b'{"units": [3, 4]}', "config.json")
    {'units': [3, 4]}
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    if len(raw) > most_bytes:
        raise ReadError(
            f"Expected at most {most_bytes:,} bytes of JSON in {label}, got {len(raw):,}. The "
            "file is damaged or made to exhaust memory: write it again."
        )
    deep = depth(raw)
    if deep > most_depth:
        raise ReadError(
            f"Expected JSON at most {most_depth} lists and objects deep in {label}, got {deep:,}. "
            "The file is damaged or made to exhaust the stack: write it again."
        )
    try:
        return json.loads(raw.decode("utf-8"))  # of bytes it would guess UTF-16 and UTF-32 too
    except (ValueError, RecursionError) as err:  # broken, or a number of thousands of digits
        raise ReadError(
            f"Expected JSON in {label}, got something else: {str(err)[:200]}. Write the file again."
        ) from err


def depth(raw: bytes) -> int:
    """How deep the lists and objects of a JSON text are nested; brackets in strings do not count.

    >>> depth(b'[{"a": "[[[", "b": [1]}]')
    3
    """
    steps = np.zeros(256, np.int64)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    brackets = _NO_BRACKETS.sub(b"", _STRINGS.sub(b"", raw))
    return int(steps[np.frombuffer(brackets, np.uint8)].cumsum().max(initial=0))


def first_bytes(path: Path, count: int) -> bytes:
    """At most `count` bytes of a file's beginning.

    Raises:
        ReadError: it cannot be read.

    Example::

        first_bytes(Path("model.onnx"), 16)
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise OSError(0, "it is no regular file")
        with path.open("rb") as file:
            return file.read(count)
    except OSError as err:
        raise ReadError(
            f"Expected a file that can be read, got '{path}': {err.strerror or err}. Check the "
            "path and its permissions."
        ) from err
