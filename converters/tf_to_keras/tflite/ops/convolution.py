"""Convolutions: NHWC in the file, NCHW in ONNX, a Transpose on each side."""

from typing import Any

import numpy as np

from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import Shape, Value

SAME = 0  # of schema.Padding; the other is VALID


def spatial_padding(
    sizes: Shape, window: list[int], strides: list[int], dilations: list[int], padding: int
) -> dict[str, Any]:
    """ONNX attributes for TensorFlow's SAME (more at the end than at the start) or VALID."""
    if padding != SAME:
        return {"pads": [0] * (2 * len(window))}
    if None in sizes:
        return {"auto_pad": "SAME_UPPER"}
    totals = []
    for size, width, stride, dilation in zip(sizes, window, strides, dilations, strict=True):
        assert size is not None
        reach = (width - 1) * dilation + 1
        totals.append(max((-(-size // stride) - 1) * stride + reach - size, 0))
    return {"pads": [total // 2 for total in totals] + [total - total // 2 for total in totals]}


def channels_first(call: Call, value: Value) -> str:
    """(n, d1, …, c) → (n, c, d1, …)."""
    rank = value.rank
    return call.write(
        "Transpose", call.write.operand(value), perm=[0, rank - 1, *range(1, rank - 1)]
    )


def channels_last(call: Call, name: str, rank: int) -> str:
    """(n, c, d1, …) → (n, d1, …, c)."""
    return call.write("Transpose", name, perm=[0, *range(2, rank), 1])


def kernel_weight(call: Call, index: int, perm: list[int], shape: list[int] | None = None) -> str:
    """A kernel in ONNX's order of axes: a weight, or a Transpose of a computed one."""
    value = call.value(index)
    if value.data is None:
        name = call.write("Transpose", value.name, perm=perm)
        return call.write.reshape(name, tuple(shape)) if shape else name
    array = value.data.transpose(perm)
    return call.write.weight(value, array.reshape(shape) if shape else array)


def bias_weight(call: Call, index: int) -> list[str]:
    """The bias as a list of one name, or an empty list."""
    value = call.maybe(index)
    if value is None:
        return []
    layer = call.value(1)
    if value.data is not None and layer.data is not None:
        # The kernel names the layer: the bias of a folded BatchNorm is called after that.
        return [call.write.weight(value, kind="bias", owner=layer)]
    return [call.write.operand(value)]


def _kernel_shape(call: Call, x: Value, rank: int) -> list[int]:
    shape = call.value(1).shape
    if len(shape) != rank or x.rank != rank or None in shape:
        raise call.fail(f"a kernel and an input of rank {rank}", f"{shape}")
    return [size or 0 for size in shape]


def _channels(call: Call, value: Value) -> int:
    channels = value.shape[-1]
    if channels is None or channels < 1:
        raise call.fail("a known number of channels", f"{value.shape}")
    return channels


def _conv(call: Call, weight: str, window: list[int], group: int, axes: str = "hw") -> str:
    x = call.value(0)
    strides = [call.option(f"stride_{axis}") for axis in axes]
    dilations = [call.option(f"dilation_{axis}_factor", 1) for axis in axes]
    if min(strides + dilations + window) < 1:
        raise call.fail("strides and dilations of 1 or more", f"{strides}, {dilations}")
    pads = spatial_padding(x.shape[1:-1], window, strides, dilations, call.option("padding"))
    name = call.write(
        "Conv", channels_first(call, x), weight, *bias_weight(call, 2),
        kernel_shape=window, strides=strides, dilations=dilations, group=group, **pads,
    )  # fmt: skip
    return channels_last(call, name, x.rank)


@op("CONV_2D")
def conv_2d(call: Call) -> str:
    """Kernel (out, h, w, in / groups)."""
    _, height, width, depth = _kernel_shape(call, call.value(0), 4)
    group, left = divmod(_channels(call, call.value(0)), max(depth, 1))
    if left or not group:
        raise call.fail(f"input channels that are a multiple of {depth}", f"{call.value(0).shape}")
    return _conv(call, kernel_weight(call, 1, [0, 3, 1, 2]), [height, width], group)


@op("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(call: Call) -> str:
    """Kernel (1, h, w, in * multiplier), the multiplier innermost as in ONNX."""
    _, height, width, out = _kernel_shape(call, call.value(0), 4)
    group = _channels(call, call.value(0))
    if out % group:
        raise call.fail(f"kernel channels that are a multiple of {group}", f"{out}")
    weight = kernel_weight(call, 1, [3, 0, 1, 2], [out, 1, height, width])
    return _conv(call, weight, [height, width], group)


@op("CONV_3D")
def conv_3d(call: Call) -> str:
    """Kernel (d, h, w, in, out)."""
    depth, height, width, _, _ = _kernel_shape(call, call.value(0), 5)
    return _conv(call, kernel_weight(call, 1, [4, 3, 0, 1, 2]), [depth, height, width], 1, "dhw")


@op("TRANSPOSE_CONV")
def transpose_conv(call: Call) -> str:
    """Inputs: output shape, kernel (out, h, w, in), x, bias."""
    x = call.value(2)
    window = _kernel_shape(call, x, 4)[1:3]
    strides = [call.option("stride_h"), call.option("stride_w")]
    begins, ends, extra = [], [], []
    sizes = zip(x.shape[1:3], call.shape[1:3], window, strides, strict=True)
    for size, out, width, stride in sizes:
        if size is None or out is None or stride < 1:
            raise call.fail("known sizes", f"{x.shape} → {call.shape}")
        total = (size - 1) * stride + width - out
        begin = max(total, 0) // 2 if call.option("padding") == SAME else 0
        begins.append(begin)
        ends.append(max(total, 0) - begin)
        extra.append(max(-total, 0))
    name = call.write(
        "ConvTranspose", channels_first(call, x), kernel_weight(call, 1, [3, 0, 1, 2]),
        *bias_weight(call, 3), kernel_shape=window, strides=strides, pads=begins + ends,
        output_padding=extra if any(extra) else None,
    )  # fmt: skip
    return channels_last(call, name, 4)


@op("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool_2d(call: Call) -> str:
    """Padding counts for neither the mean nor the maximum."""
    x = call.value(0)
    window = [call.option("filter_height"), call.option("filter_width")]
    strides = [call.option("stride_h"), call.option("stride_w")]
    if x.rank != 4 or min(window + strides) < 1:
        raise call.fail("a picture, a window and strides", f"{window}, {strides}")
    pads = spatial_padding(x.shape[1:3], window, strides, [1, 1], call.option("padding"))
    kind = "MaxPool" if call.op == "MAX_POOL_2D" else "AveragePool"
    first = channels_first(call, x)
    return channels_last(
        call, call.write(kind, first, kernel_shape=window, strides=strides, **pads), 4
    )


@op("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(call: Call) -> str:
    """To the size that the file gives for the output."""
    x = call.value(0)
    sizes = zip(x.shape[1:3], call.shape[1:3], strict=True)
    scales = [_scale(before, after) for before, after in sizes if before and after]
    if x.rank != 4 or len(scales) != 2:
        raise call.fail("known sizes (input_shapes=)", f"{x.shape} → {call.shape}")
    linear = call.op == "RESIZE_BILINEAR"
    aligned, half = call.option("align_corners"), call.option("half_pixel_centers")
    coordinates = "align_corners" if aligned else "half_pixel" if half else "asymmetric"
    factors = call.write.fixed(np.array([1, 1, *scales], np.float32))
    name = call.write(
        "Resize", channels_first(call, x), "", factors, mode="linear" if linear else "nearest",
        coordinate_transformation_mode=coordinates,
        nearest_mode=None if linear else "round_prefer_ceil" if aligned or half else "floor",
    )  # fmt: skip
    return channels_last(call, name, 4)


def _scale(before: int, after: int) -> np.float32:
    """after / before as a float32 that gives `after` back when ONNX rounds down."""
    scale = np.float32(after / before)
    while int(np.floor(before * scale)) < after:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


@op("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def blocks(call: Call) -> str:
    """Blocks of pixels to channels and back; ONNX has the same order of them."""
    kind = "DepthToSpace" if call.op == "DEPTH_TO_SPACE" else "SpaceToDepth"
    first = channels_first(call, call.value(0))
    return channels_last(call, call.write(kind, first, blocksize=call.option("block_size")), 4)


@op("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(call: Call) -> str:
    """ONNX divides alpha by the window, TensorFlow Lite does not."""
    window = 2 * call.option("radius") + 1
    name = call.write(
        "LRN", channels_first(call, call.value(0)), size=window, bias=call.number("bias"),
        alpha=call.number("alpha") * window, beta=call.number("beta"),
    )  # fmt: skip
    return channels_last(call, name, 4)


@op("SPACE_TO_BATCH_ND")
def space_to_batch(call: Call) -> str:
    """(b, h, w, c) → (bh * bw * b, h / bh, w / bw, c): what old files dilate convolutions with."""
    x, block = call.value(0), call.value(1).ints()
    pads = call.value(2).ints()
    if x.rank != 4 or len(block) != 2 or len(pads) != 4 or None in x.shape or min(block) < 1:
        raise call.fail("a picture and blocks of two sizes", f"{block}, {pads}")
    front = (None,) if x.batched else (1,)
    name = call.write.reshape(call.name(0), (*front, *x.shape))
    ends = [0, 0, pads[0], pads[2], 0, 0, 0, pads[1], pads[3], 0]
    name = call.write("Pad", name, call.write.ints(*ends))
    _, height, width, channels = call.shape
    split = (*front, x.shape[0], height, block[0], width, block[1], channels)
    name = call.write.reshape(name, split)
    name = call.write("Transpose", name, perm=[0, 3, 5, 1, 2, 4, 6])
    return call.write.shaped(name, call.shape, x.batched)


@op("BATCH_TO_SPACE_ND")
def batch_to_space(call: Call) -> str:
    """(bh * bw * b, h, w, c) → (b, h * bh - crops, w * bw - crops, c)."""
    x, block = call.value(0), call.value(1).ints()
    crops = call.value(2).ints()
    if x.rank != 4 or len(block) != 2 or len(crops) != 4 or None in x.shape or min(block) < 1:
        raise call.fail("a picture and blocks of two sizes", f"{block}, {crops}")
    front = (None,) if x.batched else (1,)
    batch, height, width, channels = (size or 0 for size in x.shape)
    parts = (*front, *block, batch // (block[0] * block[1]), height, width, channels)
    name = call.write(
        "Transpose", call.write.reshape(call.name(0), parts), perm=[0, 3, 4, 1, 5, 2, 6]
    )
    sizes = [height * block[0], width * block[1]]
    name = call.write.shaped(name, (batch // (block[0] * block[1]), *sizes, channels), x.batched)
    if any(crops):
        starts = call.write.ints(crops[0], crops[2])
        ends = call.write.ints(sizes[0] - crops[1], sizes[1] - crops[3])
        name = call.write("Slice", name, starts, ends, call.write.ints(1, 2))
    return name


def is_image(shape: Shape, dtype: np.dtype) -> bool:
    """(n, h, w, 1 or 3) of real numbers: pixels, as far as a shape can tell."""
    return len(shape) == 4 and shape[-1] in (1, 3) and dtype.kind == "f"
