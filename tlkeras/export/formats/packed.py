"""A .tflite file read, and written again smaller, with what is known of it inside.

LiteRT's converter writes a list of zeros for the channels of every weight and bias: eight bytes
a channel, a fifth of a small int8 network. A FlatBuffer may point to one list from many places.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

NOTE = "TLKERAS"
"""Name of the metadata entry: labels, preprocessing and quality, as JSON."""
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of weights, as the schema asks for (force_align)


def packed(content: bytes, note: Mapping[str, object]) -> bytes:
    """The same network, equal lists stored once, tensors named by number, and the note inside.

    Names of inputs, outputs and signatures stay. Nothing that is computed changes.

    Example::

        path.write_bytes(packed(path.read_bytes(), {"labels": ["cat", "dog"]}))
    """
    model = opened(content)
    objects = schema()
    for graph in model.subgraphs:
        kept = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in kept:
                tensor.name = str(number).encode()
    text = json.dumps(note, ensure_ascii=False).encode("utf-8")
    entries = [entry for entry in model.metadata or [] if _name(entry) != NOTE]
    buffer, entry = objects.BufferT(), objects.MetadataT()
    buffer.data = np.frombuffer(text, np.uint8)
    entry.name, entry.buffer = NOTE.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*entries, entry]
    return closed(model)


def opened(content: bytes) -> Any:
    """The file as objects of LiteRT's schema (`ModelT`), to look at or to change."""
    return schema().ModelT.InitFromPackedBuf(bytearray(content), 0)


def closed(model: Any) -> bytes:
    """The content of a file, from objects of LiteRT's schema; equal lists are stored once."""
    builder = _sharing_builder()
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def operator_name(model: Any, operator: Any) -> str:
    """Name in LiteRT's schema of one operator of an opened file; a custom one's own."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    kinds = vars(schema().BuiltinOperator).items()
    name = next(name for name, value in kinds if value == number)
    return str(code.customCode.decode()) if name == "CUSTOM" else name


def note_of(content: bytes) -> dict[str, object]:
    """The note that `packed` put into a file; empty where there is none.

    Example::

        note_of(Path("flowers_int8.tflite").read_bytes())["labels"]
    """
    model = opened(content)
    for entry in model.metadata or []:
        if _name(entry) == NOTE:
            return dict(json.loads(bytes(model.buffers[entry.buffer].data)))
    return {}


def operators(content: bytes) -> list[str]:
    """The operators that a file uses, sorted, by their names in LiteRT's schema.

    Example::

        operators(Path("flowers_int8.tflite").read_bytes())     # ["ADD", "CONV_2D", …]
    """
    model = opened(content)
    every = (operator for graph in model.subgraphs for operator in graph.operators)
    return sorted({operator_name(model, operator) for operator in every})


def _name(entry: Any) -> str:
    return entry.name.decode() if isinstance(entry.name, bytes) else str(entry.name)


def schema() -> Any:
    """LiteRT's schema as Python objects, from whichever package is installed."""
    if find_spec("ai_edge_litert") is not None:
        return import_module("ai_edge_litert.schema_py_generated")
    return import_module("tensorflow.lite.python.schema_py_generated")


def _sharing_builder() -> Any:
    """A FlatBuffer's builder that stores a list of numbers once, and weights aligned."""
    builder: Any = import_module("flatbuffers").Builder

    class Sharing(builder):
        def __init__(self) -> None:
            super().__init__(1 << 20)
            self.stored: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in self.stored:
                self.stored[key] = self._written(x)
            return self.stored[key]

        def _written(self, x: np.ndarray) -> int:
            if x.dtype != np.uint8:
                return int(super().CreateNumpyVector(x))
            self.Prep(_ALIGNMENT, x.size)  # makes room too
            return int(super().CreateNumpyVector(x))

    return Sharing()
