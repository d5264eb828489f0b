"""Keras' masks: which steps of a sequence count, carried along beside the values.

Embedding and Masking make a mask, layers hand it on or use it. A Functional model does not have
it in its graph: Keras finds it again on the tensors at every call, and so does this.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from converters.keras_to_onnx.value import Value

Masks = dict[str, Value]
"""A mask (bool) by the name of the value it belongs to."""
Trace = Callable[..., list[Value]]

_TAKES_AWAY = ("MultiHeadAttention", "GroupedQueryAttention")


def with_masks(
    masks: Masks, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a layer with the masks that it asks for: `mask`, `query_mask` and so on."""
    if not masks:
        return kwargs
    parameters = inspect.signature(op.call).parameters
    bound = inspect.signature(op.call).bind_partial(*args, **kwargs).arguments
    found = dict(kwargs)
    for name, given in bound.items():
        wanted = (
            "mask" if name == next(iter(parameters)) and "mask" in parameters else f"{name}_mask"
        )
        if wanted in parameters and found.get(wanted) is None:
            mask = _of(masks, given)
            if mask is not None:
                found[wanted] = mask
    return found


def hand_on(
    masks: Masks,
    op: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    made: Sequence[Value],
    trace: Trace,
) -> None:
    """Notes the mask of a layer's outputs, as its `compute_mask` says."""
    first = args[0] if args else next(iter(kwargs.values()), None)
    given = kwargs.get("mask")
    before = given if isinstance(given, Value | list) else _of(masks, first)
    source = getattr(op, "mask_zero", False) or type(op).__name__ == "Masking"
    if type(op).__name__ in _TAKES_AWAY:  # its call clears what is on its inputs
        for value in [*args, *kwargs.values()]:
            if isinstance(value, Value):
                masks.pop(value.name, None)
    if not (source or before is not None) or not op.supports_masking:
        return
    after = before
    if type(op).compute_mask is not _default():
        after = _traced(op, trace, first, before)
    for value in made:
        if isinstance(after, Value) and value.rank >= after.rank:
            masks[value.name] = after


def _traced(op: Any, trace: Trace, first: Any, before: Any) -> Value | None:
    found = trace(lambda *leaves: [op.compute_mask(*leaves)], first, before)
    return found[0] if found else None


def _of(masks: Masks, given: Any) -> Any:
    """The mask of a value; of a list, a list, or None where no value has one."""
    if isinstance(given, Value):
        return masks.get(given.name)
    if isinstance(given, list | tuple):
        inside = [_of(masks, entry) for entry in given]
        return inside if any(entry is not None for entry in inside) else None
    return None


def _default() -> Any:
    import keras

    return keras.layers.Layer.compute_mask
