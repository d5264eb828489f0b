"""What onnx's own shape inference takes on trust, and crashes on: ranks and numbers.

onnx 1.19.1 reads beyond an array for a convolution whose weight has one axis, divides by a
stride of zero, and makes a list as long as `num_outputs` says. Found by calling it with random
ranks and attributes for every operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_LARGE, _RANK = 2**24, 32
_POSITIVE = (1, _LARGE)
_SIGNED = (-_LARGE, _LARGE)
_AXIS = (-_RANK, _RANK - 1)

# Attribute → smallest and largest number that it may have.
_RANGES: Mapping[str, tuple[int, int]] = {
    "strides": _POSITIVE, "dilations": _POSITIVE, "kernel_shape": _POSITIVE,
    "pooled_shape": _POSITIVE, "group": _POSITIVE, "offset_group": _POSITIVE,
    "hidden_size": _POSITIVE, "q_num_heads": _POSITIVE, "kv_num_heads": _POSITIVE,
    "num_heads": _POSITIVE, "num_groups": _POSITIVE, "blocksize": (1, 2**12),
    "num_outputs": (1, 2**12), "num_scan_inputs": (1, 2**12), "batch_dims": (0, _RANK - 1),
    "pads": _SIGNED, "output_padding": _SIGNED, "output_shape": (0, 2**31),
    "axis": _AXIS, "axes": _AXIS, "perm": (0, _RANK - 1),
}  # fmt: skip

_ANY = -1  # an input of any rank
_AS_FIRST = -3  # the rank of the first input, three at least
# Ranks of the inputs, of those operators that crash on others.
_RANKS: Mapping[str, tuple[int, ...]] = {
    "Conv": (_AS_FIRST, _AS_FIRST, 1),
    "ConvTranspose": (_AS_FIRST, _AS_FIRST, 1),
    "ConvInteger": (_AS_FIRST, _AS_FIRST),
    "DeformConv": (_AS_FIRST, _AS_FIRST, _AS_FIRST, 1, _AS_FIRST),
    "QLinearConv": (_AS_FIRST, _ANY, _ANY, _AS_FIRST, _ANY, _ANY, _ANY, _ANY, 1),
    "LSTM": (3, 3, 3), "GRU": (3, 3, 3), "RNN": (3, 3, 3),
    "MaxPool": (_AS_FIRST,), "AveragePool": (_AS_FIRST,), "LpPool": (_AS_FIRST,),
    "MaxUnpool": (_AS_FIRST, _AS_FIRST, 1), "MaxRoiPool": (4, 2),
    "DepthToSpace": (4,), "SpaceToDepth": (4,),
}  # fmt: skip
# Their inference divides by a number of the file, and no network has them.
NEVER_INFERRED = frozenset({"SplitToSequence", "MaxRoiPool", "MaxUnpool", "SequenceMap"})


def odd_numbers(node: onnx.NodeProto) -> Iterator[str]:
    """What is wrong with the numbers among a node's attributes, in words."""
    for attribute in node.attribute:
        limits = _RANGES.get(attribute.name)
        if limits is None or not (attribute.HasField("i") or len(attribute.ints)):
            continue
        if attribute.name == "perm" and sorted(attribute.ints) != list(range(len(attribute.ints))):
            yield f"attribute 'perm' is {list(attribute.ints[:8])}, no order of axes"
        numbers = [attribute.i] if attribute.HasField("i") else attribute.ints
        outside = [number for number in numbers if not limits[0] <= number <= limits[1]]
        if outside:
            yield (f"attribute '{attribute.name}' is {outside[0]}, not {limits[0]} to {limits[1]}")


def misfit(op: str, ranks: Sequence[int | None], sizes: Sequence[int | None] = ()) -> str:
    """Why inputs of these ranks must not be given to onnx's inference; "" if they may.

    Args:
        op: the operator.
        ranks: of its inputs; None for one that is left out or unknown.
        sizes: numbers of elements of the inputs, where known.

    >>> misfit("Conv", [4, 1])
    'input 1 has 1 axes, not 4'
    >>> misfit("Conv", [4, 4, 1])
    ''
    """
    if op == "OneHot" and len(sizes) > 1 and sizes[1] not in (1, None):
        return f"input 1 has {sizes[1]} elements, not one"
    for place, (rank, wanted) in enumerate(zip(ranks, _RANKS.get(op, ()), strict=False)):
        if rank is None or wanted == _ANY:
            continue
        if wanted == _AS_FIRST:
            wanted = max(3, ranks[0] or 3)
        if rank != wanted:
            return f"input {place} has {rank} axes, not {wanted}"
    return ""
