"""ONNX files that are given to a runtime as they are: one of a run folder, say.

ONNX Runtime 1.23 reads the weights that a model names outside its folder, whatever file that is,
and fills the constants that a model asks for, whatever their size. So such a file has to be of
one piece, without loops, functions and nodes that make much from nothing. Read on the wire: the
onnx package is not needed, and a file of 100 MB takes milliseconds.
"""

from collections.abc import Iterator
from pathlib import Path

from converters.errors import ReadError, UnsafeFileError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.wire import MESSAGES, fields

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_OP_TYPE, _GRAPHS = 4, (6, 11)  # of a node; of an attribute
_FUNCTIONS = 25  # of a model: thirty that call one another twice are a thousand million nodes
_VARINT, _BYTES = 0, 2
# They make a tensor of any size, or go round without end, from a file of a hundred bytes.
_UNBOUNDED = frozenset({
    b"ConstantOfShape", b"EyeLike", b"Range", b"RandomNormal", b"RandomUniform", b"Loop", b"Scan",
    b"If", b"SequenceMap", b"Multinomial",
})  # fmt: skip
_SHOWN = 5


def check_runnable(path: Path) -> None:
    """Nothing for an ONNX file of one piece that a runtime may be given.

    Raises:
        UnsafeFileError: it names other files, or has loops or constants of any size.
        ReadError: no whole ONNX file.

    Example::

        check_runnable(Path("runs/flowers/model.onnx"))
    """
    try:
        if path.stat().st_size > limits.FILE_BYTES or not path.is_file():
            raise ReadError(
                f"Expected an ONNX file of at most {limits.FILE_BYTES:,} bytes, got {path}."
            )
        data = path.read_bytes()
    except OSError as err:
        raise ReadError(
            f"Expected an ONNX file that can be read, got {path}: {err.strerror}. Check the path."
        ) from err
    found = list(dict.fromkeys(_findings(data, path)))
    if found:
        raise UnsafeFileError(
            f"Expected an ONNX file of one piece, got {path} with {'; '.join(found[:_SHOWN])}. It "
            "was not run. Where the network was made and is trusted, save it again with all its "
            "weights inside; a network from elsewhere is imported by tlkeras.ImageClassifier("
            "'file.onnx') or converters.onnx_to_keras, which look at every node."
        )


def _findings(data: bytes, path: Path) -> Iterator[str]:
    waiting, count = [("model", 0, len(data))], 0
    while waiting:
        kind, start, end = waiting.pop()
        inner, last = MESSAGES.get(kind, {}), start
        for number, wire, at, length in fields(data, start, end):
            last, count = at + length, count + 1
            finding = _finding(kind, number, wire, data[at : at + min(length, 64)])
            if finding:
                yield finding
            if wire == _BYTES and length and number in inner:
                waiting.append((inner[number], at, last))
        if last != end or count > limits.MESSAGES:
            raise ReadError(
                f"Expected a whole ONNX file, got {path} of {len(data):,} bytes, which breaks off "
                f"or has too many fields. Save it again."
            )


def _finding(kind: str, number: int, wire: int, content: bytes) -> str:
    """What is wrong with one field of a message; "" for nothing."""
    if kind == "tensor" and wire == _BYTES and number == _EXTERNAL_DATA:
        return "weights in another file"
    if kind == "tensor" and wire == _VARINT and number == _DATA_LOCATION and content != b"\0":
        return "weights in another file"
    if kind == "model" and wire == _BYTES and number == _FUNCTIONS:
        return "functions of its own"
    if kind == "attribute" and wire == _BYTES and number in _GRAPHS:
        return "a graph inside a node"
    if kind == "node" and wire == _BYTES and number == _OP_TYPE and content in _UNBOUNDED:
        return f"the operator {content.decode()}"
    return ""
