"""Whether an export answers like the Keras model that it was made of, on the same input."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from converters.errors import ConversionError, MismatchError
from converters.nested import graph_of, packed

TOLERANCE = 1e-4
"""Largest difference of a float32 network, as a part of the largest answer."""
HALF_TOLERANCE = 3e-2
"""The same where Keras computes in half precision, and the export in float32."""

_UNSTEADY_MOST = 1e-2
_SMALL_PX, _LARGE_PX = 40, 300  # for open sizes of pictures: one to enlarge, one to shrink
_OPEN_LENGTH = 9  # for other open axes; the same in no two axes

Answers = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def sample_inputs(model: Any, batch: int, given: Sequence[np.ndarray] | None) -> list[np.ndarray]:
    """One array for each input of a Keras model: the given ones, `batch` rows, or random ones.

    Random floats are normal, whole numbers stay below the smallest table that looks them up.
    """
    if given is not None:
        return [np.resize(array, (batch, *array.shape[1:])) for array in map(np.asarray, given)]
    rng = np.random.default_rng(batch)
    top = _smallest_table(model)
    return [_random(tensor, batch, top, rng) for tensor in _inputs(model)]


def _inputs(model: Any) -> list[Any]:
    """The symbolic inputs; none for a model that is code."""
    return getattr(model, "inputs", None) or []


def _random(tensor: Any, batch: int, top: int | None, rng: np.random.Generator) -> np.ndarray:
    dtype = np.dtype("float32" if "float" in str(tensor.dtype) else tensor.dtype)
    first = _OPEN_LENGTH
    if len(tensor.shape) == 4:
        first = _LARGE_PX if batch % 2 else _SMALL_PX
    shape = [first + 7 * axis if size is None else size for axis, size in enumerate(tensor.shape)]
    shape[0] = tensor.shape[0] or batch
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, top or (256 if dtype.itemsize == 1 else 2), shape).astype(dtype)


def _smallest_table(model: Any) -> int | None:
    layers = model._flatten_layers(include_self=False, recursive=True)
    sizes = [getattr(layer, "input_dim", None) for layer in layers]
    return min((size for size in sizes if isinstance(size, int)), default=None)


def keras_answers(model: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the model gives in inference, its outputs flat."""
    import keras

    outputs = keras.tree.flatten(model(packed(model, inputs), training=False))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def computes_in_half(model: Any) -> bool:
    """Whether any layer computes in float16 or bfloat16."""
    layers = model._flatten_layers(include_self=True, recursive=True)
    return any(getattr(layer, "compute_dtype", "") in ("float16", "bfloat16") for layer in layers)


def tolerance_of(model: Any) -> float:
    """How far an export of this model may be off, as a part of its largest answer."""
    return HALF_TOLERANCE if computes_in_half(model) else TOLERANCE


def check_answers(
    expected: Sequence[np.ndarray], found: Sequence[np.ndarray], tolerance: float, what: str
) -> float:
    """The largest difference as a part of the largest answer; MismatchError where it is too large.

    Shapes and whole numbers have to be equal.

    >>> check_answers([np.float32([1, 2])], [np.float32([1, 2])], 1e-4, "a file")
    0.0
    """
    if [ours.shape for ours in expected] != [theirs.shape for theirs in found]:
        raise MismatchError(
            f"Expected outputs of the shapes {[ours.shape for ours in expected]} from {what}, "
            f"came {[theirs.shape for theirs in found]}. Nothing was written; report this, "
            "with the model."
        )
    pairs = zip(expected, found, strict=True)
    worst = max((_difference(ours, theirs) for ours, theirs in pairs), default=0.0)
    if not worst <= tolerance:
        raise MismatchError(
            f"Expected {what} to answer like the Keras model, within {tolerance:.2g} of the "
            f"largest answer; the difference is {worst:.3g}. Nothing was written; report this, "
            "with the model, or give inputs= that are typical of it."
        )
    return worst


def verify_export(
    model: Any,
    answers: Answers,
    what: str,
    *,
    batches: Sequence[int] = (2, 3),
    given: Sequence[np.ndarray] | None = None,
    tolerance: float | None = None,
) -> float:
    """The largest difference between a Keras model and its export, run at these batch sizes.

    What is allowed is `tolerance`, or ten times what a change in the seventh digit of the inputs
    does to the Keras model itself, where that is more.
    """
    fixed = next((tensor.shape[0] for tensor in _inputs(model) if tensor.shape[0]), None)
    allowed = tolerance_of(model) if tolerance is None else tolerance
    worst = 0.0
    for batch in batches if fixed is None else (fixed,):
        shown = sample_inputs(model, batch, given)
        expected, found = keras_answers(model, shown), answers(shown)
        try:
            difference = check_answers(expected, found, allowed, what)
        except MismatchError:
            allowed = max(allowed, min(10 * _unsteadiness(model, shown, expected), _UNSTEADY_MOST))
            difference = check_answers(expected, found, allowed, what)
        worst = max(worst, difference)
    return worst


def _unsteadiness(model: Any, shown: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """What noise of 1e-6 in the inputs changes, as a part of the largest answer."""
    rng = np.random.default_rng(1)
    moved = [
        (array * (1 + 1e-6 * rng.uniform(-1, 1, array.shape))).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for array in shown
    ]
    pairs = zip(expected, keras_answers(model, moved), strict=True)
    return max((_difference(ours, theirs) for ours, theirs in pairs), default=0.0)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.dtype.kind not in "fV":
        return 0.0 if np.array_equal(ours, theirs) else float("inf")
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    if not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        return float("inf")
    usable = np.isfinite(ours)
    if not usable.any():
        return 0.0
    apart = np.abs(ours[usable] - theirs[usable]).max()
    largest = np.abs(ours[usable]).max()
    return float(apart / largest) if largest else float(apart)


def check_model_type(model: Any) -> None:
    """Nothing for a built Keras model; a ConversionError for anything else."""
    import keras

    if not isinstance(model, keras.Model):
        raise ConversionError(
            f"Expected a keras.Model, came {type(model).__module__}.{type(model).__name__}. "
            "Load it first, with keras.models.load_model or a converter."
        )
    if not model.built:
        raise ConversionError(
            f"Expected a model with weights, came '{model.name}', which is not built. "
            "Call it on an example, or give it a keras.Input."
        )


def check_has_graph(model: Any) -> None:
    """Nothing for a built Functional or Sequential model; a ConversionError for anything else."""
    check_model_type(model)
    if graph_of(model) is None:
        raise ConversionError(
            f"Expected a Functional or Sequential model, came '{model.name}', whose layers are "
            "called from code. Put it into one: x = keras.Input((224, 224, 3)), then "
            "keras.Model(x, model(x))."
        )


def input_names(model: Any) -> list[str]:
    """Keras' own names of the inputs: the keys of a dictionary, else those of the tensors."""
    graph = graph_of(model)
    keys = _keys(graph, "inputs")
    return keys or _unique([tensor.name for tensor in graph.inputs])


def output_names(model: Any) -> list[str]:
    """Keras' own names of the outputs: the keys of a dictionary, else those of the layers."""
    graph = graph_of(model)
    keys = _keys(graph, "outputs")
    return keys or _unique([o._keras_history.operation.name for o in graph.outputs])


def _keys(graph: Any, side: str) -> list[str] | None:
    structure, tensors = getattr(graph, f"_{side}_struct"), getattr(graph, side)
    if not isinstance(structure, dict) or len(structure) != len(tensors):
        return None
    by_tensor = {id(tensor): str(key) for key, tensor in structure.items()}
    return [by_tensor.get(id(tensor), tensor.name) for tensor in tensors]


def _unique(names: Sequence[str]) -> list[str]:
    """The names, numbered from the second of each on.

    >>> _unique(["lstm", "lstm", "dense"])
    ['lstm', 'lstm_1', 'dense']
    """
    found: list[str] = []
    for name in names:
        number, fresh = 1, name
        while fresh in found:
            number, fresh = number + 1, f"{name}_{number}"
        found.append(fresh)
    return found
