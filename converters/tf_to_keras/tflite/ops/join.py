"""Several tensors to one and one to several: concatenate, stack, split, gather."""

from collections.abc import Sequence

from onnx import TensorProto

from converters.tf_to_keras.tflite.ops.reduce import along
from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import FixedBatchError, Value


def _joinable(call: Call, values: Sequence[Value], axis: int) -> tuple[list[str], int, bool]:
    """Names to join; a constant among examples of a batch is repeated for each of them."""
    if not call.batched:
        return [call.write.operand(value) for value in values], axis, False
    apart = axis == 0
    turned = [call.write.apart(value) if apart else value for value in values]
    example = next(value for value in turned if value.name not in ("",) and value.data is None)
    names = []
    for value, original in zip(turned, values, strict=True):
        if original.batched:
            names.append(value.name)
            continue
        if None in original.shape or (not apart and original.shape[:1] != (1,)):
            raise FixedBatchError(f"A constant is joined to the batch at '{call.write.where}'.")
        batch = call.write("Shape", example.name, start=0, end=1)
        rest = original.shape if apart else original.shape[1:]
        sizes = call.write("Concat", batch, call.write.ints(*[s or 0 for s in rest]), axis=0)
        names.append(call.write("Expand", call.write.operand(original), sizes))
    return names, axis + apart, apart


@op("CONCATENATION")
def concatenation(call: Call) -> str:
    """Joined along an axis."""
    values = [value for value in call.inputs if value is not None]
    names, axis, apart = _joinable(call, values, call.axis(call.option("axis")))
    name = call.write("Concat", *names, axis=axis)
    return call.write.together(name, call.shape) if apart else name


@op("PACK")
def pack(call: Call) -> str:
    """Stacked along a new axis."""
    values = [value for value in call.inputs if value is not None]
    axis = call.axis(call.option("axis"), len(call.shape))
    if call.batched:
        names, _, _ = _joinable(call, values, 0)
        axis += 1
    else:
        names = [call.write.operand(value) for value in values]
    joined = [call.write("Unsqueeze", name, call.write.ints(axis)) for name in names]
    name = call.write("Concat", *joined, axis=axis)
    return call.write.together(name, call.shape) if call.batched else name


def _split(call: Call, value: Value, axis: int, sizes: list[int]) -> list[str]:
    apart = value.batched and axis == 0
    name = call.write.apart(value).name if apart else call.write.operand(value)
    if len(sizes) == 1:
        return [call.write.together(name, value.shape) if apart else name]
    parts = call.write.several(
        len(sizes), "Split", name, call.write.ints(*sizes), axis=axis + apart
    )
    if not apart:
        return parts
    shapes = [(size, *value.shape[1:]) for size in sizes]
    return [call.write.together(part, shape) for part, shape in zip(parts, shapes, strict=True)]


@op("SPLIT", "SPLIT_V", "UNPACK")
def split(call: Call) -> list[str]:
    """Into parts along an axis, which UNPACK then drops."""
    place = 1 if call.op == "SPLIT" else 0
    value = call.value(place)
    fixed = {"SPLIT": 0, "SPLIT_V": 2}.get(call.op)
    number = call.option("axis") if fixed is None else call.value(fixed).ints()[0]
    axis, size = call.axis(number, value.rank), 0
    size = value.shape[axis] or 0
    count = len(call.outputs)
    if call.op == "SPLIT_V":
        sizes = call.value(1).ints()
        sizes = [size - sum(s for s in sizes if s >= 0) if s < 0 else s for s in sizes]
    else:
        sizes = [size // max(count, 1)] * count
    if len(sizes) != count or sum(sizes) != size or not size:
        raise call.fail(f"{count} parts of an axis of {size}", f"{sizes}")
    parts = _split(call, value, axis, sizes)
    if call.op != "UNPACK":
        return parts
    return [call.write.shaped(part, call.shape, value.batched) for part in parts]


@op("GATHER")
def gather(call: Call) -> str:
    """Slices of the first input at the indices of the second."""
    value, places = call.value(0), call.value(1)
    axis = call.axis(call.option("axis"))
    if call.option("batch_dims"):
        raise call.fail("a gather without batch dimensions", f"{call.option('batch_dims')}")
    if places.batched and (value.batched or axis):
        raise FixedBatchError(f"Indices depend on the example at '{call.write.where}'.")
    indices = call.write.operand(places)
    if places.batched:
        return call.write("Gather", call.write.weight(value), indices, axis=0)
    return along(
        call, value, [axis], lambda name, at: call.write("Gather", name, indices, axis=at[0])
    )


@op("GATHER_ND")
def gather_nd(call: Call) -> str:
    """Elements at tuples of indices."""
    if call.batched:
        raise FixedBatchError(f"Elements are picked across the batch at '{call.write.where}'.")
    places = call.write("Cast", call.name(1), to=TensorProto.INT64)
    return call.write("GatherND", call.name(0), places)
