"""Along axes: sums, softmax, argmax, top-k, and the Fourier transform."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper

from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import Value

_REDUCTIONS = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin", "REDUCE_PROD": "ReduceProd",
}  # fmt: skip
LONGEST_TRANSFORM = 4096  # its matrices are that size squared


def along(
    call: Call, value: Value, axes: Sequence[int], make: Callable[[str, list[int]], str]
) -> str:
    """make(name, axes), with the batch on an axis of its own if the first axis is among them."""
    if value.batched and 0 in axes:
        name = make(call.write.apart(value).name, [axis + 1 for axis in axes])
        return call.write.together(name, call.shape)
    return make(call.write.operand(value), list(axes))


@op(*_REDUCTIONS)
def reduce(call: Call) -> str:
    """Over the axes of the second input."""
    axes = sorted({call.axis(axis) for axis in call.value(1).ints()})
    keep = call.option("keep_dims")

    def make(name: str, over: list[int]) -> str:
        return call.write(
            _REDUCTIONS[call.op], name, call.write.ints(*over),
            keepdims=keep, noop_with_empty_axes=1,
        )  # fmt: skip

    return along(call, call.value(0), axes, make)


@op("REDUCE_ANY", "REDUCE_ALL")
def reduce_truth(call: Call) -> str:
    """Any is the largest of 0 and 1, all the smallest."""
    axes = sorted({call.axis(axis) for axis in call.value(1).ints()})
    kind = "ReduceMax" if call.op == "REDUCE_ANY" else "ReduceMin"

    def make(name: str, over: list[int]) -> str:
        numbers = call.write("Cast", name, to=TensorProto.INT32)
        found = call.write(kind, numbers, call.write.ints(*over), keepdims=call.option("keep_dims"))
        return call.write("Cast", found, to=TensorProto.BOOL)

    return along(call, call.value(0), axes, make)


@op("SOFTMAX", "LOG_SOFTMAX")
def softmax(call: Call) -> str:
    """Over the last axis, after a factor beta."""
    value, beta = call.value(0), call.number("beta", 1.0)
    if beta not in (0.0, 1.0):
        scaled = call.write("Mul", call.name(), call.write.number(beta))
        value = replace(value, name=scaled, data=None)
    kind = "Softmax" if call.op == "SOFTMAX" else "LogSoftmax"
    return along(
        call, value, [value.rank - 1], lambda name, axes: call.write(kind, name, axis=axes[0])
    )


@op("L2_NORMALIZATION")
def l2_normalization(call: Call) -> str:
    """x / max(‖x‖, 1e-6) over the last axis."""

    def make(name: str, axes: list[int]) -> str:
        norm = call.write("ReduceL2", name, call.write.ints(*axes), keepdims=1)
        return call.write("Div", name, call.write("Max", norm, call.write.number(1e-6)))

    return along(call, call.value(0), [call.value(0).rank - 1], make)


@op("ARG_MAX", "ARG_MIN")
def arg_max(call: Call) -> str:
    """Position of the largest or smallest along one axis."""
    kind = "ArgMax" if call.op == "ARG_MAX" else "ArgMin"
    axis = call.axis(call.value(1).ints()[0])

    def make(name: str, axes: list[int]) -> str:
        found = call.write(kind, name, axis=axes[0], keepdims=0)
        return call.write("Cast", found, to=helper.np_dtype_to_tensor_dtype(call.outputs[0].dtype))

    return along(call, call.value(0), [axis], make)


@op("CUMSUM")
def cumsum(call: Call) -> str:
    """Running sum along the axis of the second input."""
    axis = call.axis(call.value(1).ints()[0])

    def make(name: str, axes: list[int]) -> str:
        return call.write(
            "CumSum", name, call.write.ints(axes[0]),
            exclusive=call.option("exclusive"), reverse=call.option("reverse"),
        )  # fmt: skip

    return along(call, call.value(0), [axis], make)


@op("TOPK_V2")
def top_k(call: Call) -> list[str]:
    """The k largest along the last axis, and where they were."""
    value, count = call.value(0), call.value(1).ints()[0]
    apart = value.batched and value.rank == 1
    name = call.write.apart(value).name if apart else call.name()
    values, places = call.write.several(2, "TopK", name, call.write.ints(count), axis=-1)
    places = call.write("Cast", places, to=TensorProto.INT32)
    if apart:
        return [call.write.together(found, call.shape) for found in (values, places)]
    return [values, places]


@op("RFFT2D")
def rfft_2d(call: Call) -> Value:
    """Spectrum of the last axis as two products with the matrices of the Fourier transform."""
    value = call.value(0)
    lengths = call.value(1).ints()
    width = value.shape[-1]
    if len(lengths) != 2 or lengths[0] != 1 or value.rank < 2 or value.shape[-2] != 1:
        raise call.fail("a transform of one axis", f"the lengths {lengths}")
    if width is None or not 0 < lengths[1] <= LONGEST_TRANSFORM >= width:
        raise call.fail(f"a length of at most {LONGEST_TRANSFORM}", f"{lengths[1]}")
    used = min(width, lengths[1])  # a longer input is cut, a shorter one filled with zeros
    steps = np.outer(np.arange(width), np.arange(lengths[1] // 2 + 1)) % lengths[1]
    angles = 2 * np.pi * steps / lengths[1]
    window = (np.arange(width) < used)[:, None]
    real = call.write(
        "MatMul", call.name(), call.write.fixed((np.cos(angles) * window).astype(np.float32))
    )
    imaginary = call.write(
        "MatMul", call.name(), call.write.fixed((-np.sin(angles) * window).astype(np.float32))
    )
    return replace(call.outputs[0], name=real, imaginary=imaginary, batched=value.batched)
