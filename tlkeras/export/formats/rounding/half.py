"""A LiteRT file's large weights in half precision: half the size, and nearly the same answers.

    weights float32 ─▶ operator      becomes      weights float16 ─ DEQUANTIZE ─▶ operator

LiteRT's own converter rounds every list of numbers, biases and small filters too. Those take next
to no room, and an error in them is one of a whole channel: in MobileNetV2-0.35 the first depthwise
filters alone, 144 numbers, moved probabilities by 0.03. So they stay as they are.
"""

from typing import Any

import numpy as np

from tlkeras.export.formats.packed import closed, opened, schema

LEAST = 1024
"""Numbers that a list has at least, to be rounded."""
_FLOAT32, _FLOAT16 = 0, 1  # tflite::TensorType
_VERSION = 3  # of DEQUANTIZE, the first that takes float16


def halved(content: bytes) -> bytes:
    """The content of a float32 file with its large weights in float16, which it turns back.

    Numbers beyond the range of float16 stay in float32 with the rest of their list.

    Example::

        path.write_bytes(halved(path.read_bytes()))
    """
    model = opened(content)
    graph = model.subgraphs[0]
    read = {int(index) for each in graph.operators for index in each.inputs if index >= 0}
    large = sorted(index for index in read if _is_large(model, graph.tensors[index]))
    if not large:
        return content
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.DEQUANTIZE
    code.version = _VERSION
    model.operatorCodes.append(code)
    buffers: dict[int, int] = {}
    steps = [_rounded(model, index, buffers) for index in large]
    for old in buffers:
        model.buffers[old].data = None
    graph.operators = [*steps, *graph.operators]
    return closed(model)


def _is_large(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    if tensor.type != _FLOAT32 or data is None or len(data) < 4 * LEAST:
        return False
    return bool(np.abs(_numbers(data)).max() <= np.finfo(np.float16).max)


def _numbers(data: Any) -> np.ndarray:
    return np.frombuffer(bytes(data), np.float32)


def _rounded(model: Any, index: int, buffers: dict[int, int]) -> Any:
    """The operator that gives a tensor, whose numbers now lie in float16; one buffer a list."""
    graph = model.subgraphs[0]
    whole = graph.tensors[index]
    half, step = schema().TensorT(), schema().OperatorT()
    if whole.buffer not in buffers:
        buffer = schema().BufferT()
        numbers = _numbers(model.buffers[whole.buffer].data).astype(np.float16)
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
        buffers[whole.buffer] = len(model.buffers)
        model.buffers.append(buffer)
    half.shape, half.type, half.buffer = whole.shape, _FLOAT16, buffers[whole.buffer]
    half.name = f"half/{index}".encode()
    whole.buffer = 0  # empty, as that of all tensors that are computed
    graph.tensors.append(half)
    step.opcodeIndex = len(model.operatorCodes) - 1
    step.inputs = np.array([len(graph.tensors) - 1], np.int32)
    step.outputs = np.array([index], np.int32)
    step.builtinOptionsType = schema().BuiltinOptions.DequantizeOptions
    step.builtinOptions = schema().DequantizeOptionsT()
    return step
