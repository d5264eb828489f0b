"""Where elements stand: reshape, slice, join, gather, pad, repeat."""

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper

from converters.tf_to_keras.tflite.ops.reduce import along
from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import FixedBatchError, Value


@op("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshape(call: Call) -> str | Value:
    """To the shape that the file gives for the output."""
    value = call.value(0)
    if value.data is not None and None not in call.shape and call.op != "RESHAPE":
        return replace(
            value, shape=call.shape, data=value.data.reshape([size or 0 for size in call.shape])
        )
    if None in call.shape[1:] or (None in call.shape and not value.batched):
        return _open_reshape(call, value)
    name = call.write.shaped(call.name(), call.shape, value.batched)
    if not value.imaginary:
        return name
    imaginary = call.write.shaped(value.imaginary, call.shape, value.batched)
    return replace(call.outputs[0], name=name, imaginary=imaginary, batched=value.batched)


def _open_reshape(call: Call, value: Value) -> str:
    if call.op != "RESHAPE":
        added = [axis for axis, size in enumerate(call.shape) if size == 1]
        raise call.fail("known sizes (input_shapes=)", f"{value.shape} with ones at {added}")
    target = call.value(1)
    if target.data is None:
        return call.write(
            "Reshape", value.name, call.write("Cast", target.name, to=TensorProto.INT64)
        )
    sizes = target.ints()
    if value.batched and sizes and sizes[0] == 1:
        sizes[0] = 0 if -1 in sizes and value.shape[0] == 1 else -1
    return call.write("Reshape", call.name(), call.write.ints(*sizes))


@op("SHAPE")
def shape_of(call: Call) -> str | Value:
    """The sizes in the file, with its batch: what uses them takes the real batch from its data."""
    value = call.value(0)
    dtype = call.outputs[0].dtype
    if None not in value.shape[1:] and value.rank:
        sizes = [1 if size is None else size for size in value.shape]
        return replace(call.outputs[0], data=np.array(sizes, dtype))
    return call.write(
        "Cast", call.write("Shape", value.name), to=helper.np_dtype_to_tensor_dtype(dtype)
    )


@op("TRANSPOSE")
def transpose(call: Call) -> str | Value:
    """The axes of the second input, in that order."""
    value, order = call.value(0), [call.axis(axis) for axis in call.value(1).ints()]
    if sorted(order) != list(range(value.rank)):
        raise call.fail(f"each of {value.rank} axes once", f"{order}")
    if value.data is not None:
        return replace(value, shape=call.shape, data=value.data.transpose(order))
    if value.batched and order[0] != 0:
        turned = [0, *[axis + 1 for axis in order]]
        name = call.write("Transpose", call.write.apart(value).name, perm=turned)
        return call.write.together(name, call.shape)
    return call.write("Transpose", value.name, perm=order)


@op("SLICE")
def slice_(call: Call) -> str:
    """From a start, so many elements; -1 is all that follow."""
    value, begins, sizes = call.value(0), call.value(1).ints(), call.value(2).ints()
    if len(begins) != value.rank or len(sizes) != value.rank:
        raise call.fail(f"{value.rank} starts and sizes", f"{begins}, {sizes}")
    ends = [
        2**31 - 1 if size < 0 else begin + size for begin, size in zip(begins, sizes, strict=True)
    ]
    return _cut(call, value, begins, ends, [1] * value.rank)


def _cut(call: Call, value: Value, begins: list[int], ends: list[int], steps: list[int]) -> str:
    """Slices only the axes of which something goes."""
    axes = []
    for axis, size in enumerate(value.shape):
        whole = begins[axis] == 0 and steps[axis] == 1
        # The first axis of the file is 1 where the batch is: all of it, whatever the batch.
        if not (whole and (ends[axis] >= 2**31 - 1 or (size is not None and ends[axis] >= size))):
            axes.append(axis)
    if not axes:
        return call.write.operand(value)
    apart = value.batched and 0 in axes
    name = call.write.apart(value).name if apart else call.write.operand(value)
    parts = [[numbers[axis] for axis in axes] for numbers in (begins, ends, steps)]
    names = [call.write.ints(*part) for part in parts]
    where = call.write.ints(*[axis + apart for axis in axes])
    name = call.write("Slice", name, names[0], names[1], where, names[2])
    if not apart:
        return name
    return call.write.reshape(name, (None, *_sliced(value, axes, begins, ends, steps)[1:]))


def _sliced(
    value: Value, axes: list[int], begins: list[int], ends: list[int], steps: list[int]
) -> list[int | None]:
    shape: list[int | None] = []
    for axis, size in enumerate(value.shape):
        if axis in axes and size is not None:
            cut = slice(begins[axis], ends[axis], steps[axis])
            shape.append(len(range(*cut.indices(size))))
        else:
            shape.append(size)
    return shape


@op("STRIDED_SLICE")
def strided_slice(call: Call) -> str:
    """Python's slicing: masks say which ends are open, which axes are new, which are dropped."""
    value = call.value(0)
    starts, stops, strides = (call.value(index).ints() for index in (1, 2, 3))
    if call.option("ellipsis_mask") or call.option("new_axis_mask"):
        raise call.fail("a slice without new axes", f"{dict(call.options)}")
    begins, ends, steps = [0] * value.rank, [2**31 - 1] * value.rank, [1] * value.rank
    drop = call.option("shrink_axis_mask")
    if not len(starts) == len(stops) == len(strides) <= value.rank or 0 in strides:
        raise call.fail(f"at most {value.rank} starts, ends and steps", f"{starts}, {stops}")
    for axis, (start, stop, step) in enumerate(zip(starts, stops, strides, strict=True)):
        steps[axis] = 1 if drop >> axis & 1 else step
        open_start = call.option("begin_mask") >> axis & 1
        open_stop = call.option("end_mask") >> axis & 1
        begins[axis] = (0 if step > 0 else 2**31 - 1) if open_start else start
        ends[axis] = (2**31 - 1 if step > 0 else -(2**31)) if open_stop else stop
        if call.option("offset") and not open_stop:
            ends[axis] = start + stop
        if drop >> axis & 1:
            begins[axis], ends[axis] = start, start + 1 if start != -1 else 2**31 - 1
    name = _cut(call, value, begins, ends, steps)
    if not drop:
        return name
    if None in call.shape[1:]:
        axes = [axis for axis in range(value.rank) if drop >> axis & 1]
        return call.write("Squeeze", name, call.write.ints(*axes))
    return call.write.shaped(name, call.shape, value.batched)


@op("PAD", "PADV2", "MIRROR_PAD")
def pad(call: Call) -> str:
    """Rows and columns around; MIRROR_PAD has modes reflect and symmetric."""
    value, widths = call.value(0), call.value(1).ints()
    if len(widths) != 2 * value.rank or min(widths, default=0) < 0:
        raise call.fail(f"{2 * value.rank} widths of 0 or more", f"{widths}")
    befores, afters = widths[::2], widths[1::2]
    if call.op == "MIRROR_PAD" and call.option("mode"):
        raise call.fail("the mode REFLECT", "SYMMETRIC")
    mode = "reflect" if call.op == "MIRROR_PAD" else "constant"
    fill = [call.name(2)] if call.op == "PADV2" else []
    axes = [axis for axis in range(value.rank) if befores[axis] or afters[axis]]

    def make(name: str, at: list[int]) -> str:
        shift = at[0] - axes[0] if at else 0
        ends = [0] * shift + befores + [0] * shift + afters
        return call.write("Pad", name, call.write.ints(*ends), *fill, mode=mode)

    return along(call, value, axes, make)


@op("TILE")
def tile(call: Call) -> str:
    """Repeats along each axis."""
    value, times = call.value(0), call.value(1).ints()
    if len(times) != value.rank:
        raise call.fail(f"{value.rank} counts", f"{times}")
    axes = [axis for axis, count in enumerate(times) if count != 1]

    def make(name: str, at: list[int]) -> str:
        shift = at[0] - axes[0] if at else 0
        return call.write("Tile", name, call.write.ints(*[1] * shift, *times))

    return along(call, value, axes, make)


@op("BROADCAST_TO")
def broadcast_to(call: Call) -> str:
    """To the shape of the file's output; an axis of the batch's size stays one."""
    value = call.value(0)
    if None in call.shape[1:]:
        raise call.fail("known sizes (input_shapes=)", f"{call.shape}")
    sizes = [1 if size is None else size for size in call.shape]
    if value.batched and (value.rank != len(sizes) or value.shape[0] != call.shape[0]):
        name = call.write.reshape(
            value.name, (None, *[1] * (len(sizes) - value.rank), *value.shape)
        )
        name = call.write("Expand", name, call.write.ints(1, *sizes))
        return call.write.together(name, call.shape)
    if value.batched:
        sizes[0] = 1
    return call.write("Expand", call.name(), call.write.ints(*sizes))


@op("FILL")
def fill(call: Call) -> str:
    """One number in every place, with the file's batch of one: it broadcasts from there."""
    if None in call.shape[1:]:
        raise call.fail("known sizes (input_shapes=)", f"{call.shape}")
    sizes = call.write.ints(*[1 if size is None else size for size in call.shape])
    return call.write("Expand", call.name(1), sizes)


@op("REVERSE_V2")
def reverse(call: Call) -> str:
    """Back to front along the axes of the second input."""
    axes = [call.axis(axis) for axis in call.value(1).ints()]

    def make(name: str, at: list[int]) -> str:
        ends = [call.write.ints(*[number] * len(at)) for number in (-1, -(2**31))]
        return call.write(
            "Slice", name, *ends, call.write.ints(*at), call.write.ints(*[-1] * len(at))
        )

    return along(call, call.value(0), axes, make)


@op("ONE_HOT")
def one_hot(call: Call) -> str:
    """Indices → vectors with `on` at that place and `off` elsewhere."""
    if call.value(0).batched and call.value(0).rank < 1:
        raise FixedBatchError("A single index has no batch.")
    axis = call.option("axis", -1)
    values = call.write(
        "Concat", *[call.write("Reshape", call.name(i), call.write.ints(1)) for i in (3, 2)], axis=0
    )
    if call.value(0).batched and axis == 0:
        raise FixedBatchError(f"The batch moves at '{call.write.where}'.")
    return call.write("OneHot", call.name(0), call.name(1), values, axis=axis)


@op("RANGE")
def range_(call: Call) -> str:
    """Numbers from a start to a limit."""
    return call.write("Range", call.name(0), call.name(1), call.name(2))
