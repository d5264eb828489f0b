"""Random inputs that show faults: no two sizes alike where they are free, no two samples alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

Size = int | str | None  # a number, a name that stands for one number, or anything

# Free sizes by rank, batch excluded: multiples of 32 where networks halve their input five times.
_FREE = {2: (12,), 3: (24, 40), 4: (64, 96, 80), 5: (16, 24, 32, 40)}
_FEW_IDS = 8


@dataclass(frozen=True)
class InputSpec:
    """Name, shape and kind of one input; `ids` is how many different whole numbers it takes."""

    name: str
    shape: tuple[Size, ...]
    dtype: str = "float32"
    ids: int | None = None

    @property
    def fixed_batch(self) -> int | None:
        """Size of the first axis if it is a number."""
        first = self.shape[0] if self.shape else None
        return first if isinstance(first, int) else None


def onnx_inputs(model: onnx.ModelProto) -> tuple[InputSpec, ...]:
    """The inputs of an ONNX model that are no weights."""
    from onnx import helper

    weights = {tensor.name for tensor in model.graph.initializer}
    rows = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    looked_up = {
        node.input[1]: rows[node.input[0]]
        for node in model.graph.node
        if node.op_type == "Gather" and len(node.input) > 1 and node.input[0] in rows
    }
    specs = []
    for value in model.graph.input:
        if value.name not in weights:
            kind = value.type.tensor_type
            dims: list[Size] = [
                dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
                for dim in kind.shape.dim
            ]
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
            specs.append(InputSpec(value.name, tuple(dims), dtype, looked_up.get(value.name)))
    return tuple(specs)


def filled(specs: Sequence[InputSpec], known: Sequence[Sequence[Size]]) -> tuple[InputSpec, ...]:
    """The specs with free sizes, the batch excepted, taken from `known` where it has numbers."""
    return tuple(
        replace(
            spec,
            shape=tuple(
                other if axis and not isinstance(own, int) and isinstance(other, int) else own
                for axis, (own, other) in enumerate(zip(spec.shape, sizes, strict=True))
            ),
        )
        if len(sizes) == len(spec.shape)
        else spec
        for spec, sizes in zip(specs, known, strict=True)
    )


def random_inputs(
    specs: Sequence[InputSpec], batch: int, seed: int, positive: bool = False
) -> list[np.ndarray]:
    """One array for each spec, different in each sample, channel and place.

    Args:
        specs: of the inputs.
        batch: size of the first axis and of every axis of the same name.
        seed: decides all numbers.
        positive: numbers in [0.05, 1] instead of normal ones, for logarithms and roots.
    """
    rng = np.random.default_rng((seed, batch, int(positive)))
    names: dict[str, int] = {}
    for spec in specs:
        if spec.shape and isinstance(spec.shape[0], str):
            names[spec.shape[0]] = batch
    return [_array(spec, _sizes(spec, batch, names), rng, positive) for spec in specs]


def _sizes(spec: InputSpec, batch: int, names: dict[str, int]) -> tuple[int, ...]:
    free = _FREE.get(len(spec.shape), tuple(range(3, 3 + len(spec.shape))))
    sizes: list[int] = []
    used = 0
    for axis, size in enumerate(spec.shape):
        number = size if isinstance(size, int) else names.get(size or "")
        if number is None:
            number = batch if axis == 0 else free[used]
            used += axis > 0
            if isinstance(size, str):
                names[size] = number
        sizes.append(number)
    return tuple(sizes)


def _array(
    spec: InputSpec, sizes: tuple[int, ...], rng: np.random.Generator, positive: bool
) -> np.ndarray:
    dtype = np.dtype(spec.dtype) if spec.dtype != "bfloat16" else np.dtype("float32")
    if "mask" in spec.name.lower() and dtype.kind in "iubf":
        return _mask(sizes, dtype)
    if dtype.kind == "b":
        return rng.random(sizes) < 0.5
    if dtype.kind in "iu":
        small = dtype.itemsize == 1
        few = 2 if "type" in spec.name.lower() else _FEW_IDS
        high = spec.ids or (256 if small and dtype.kind == "u" else 128 if small else few)
        return rng.integers(0, high, sizes).astype(dtype)
    if dtype.kind not in "fc":
        return np.full(sizes, "text", dtype)
    values = rng.uniform(0.05, 1, sizes) if positive else rng.standard_normal(sizes)
    if len(sizes) > 1 and not positive:  # each sample a scale and a shift of its own
        values *= np.linspace(0.6, 1.3, sizes[0]).reshape(-1, *[1] * (len(sizes) - 1))
        values += np.linspace(-0.2, 0.3, sizes[1]).reshape(1, -1, *[1] * (len(sizes) - 2))
    return values.astype(dtype)


def _mask(sizes: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Ones, and zeros at the end of every sample but the first, of another length in each."""
    mask = np.ones(sizes, dtype)
    for sample in range(1, sizes[0] if len(sizes) > 1 else 0):
        mask[sample, ..., max(1, sizes[-1] - sample) :] = 0
    return mask
