"""Masks of padded steps, handed on explicitly where Keras 3 would lose them.

Keras 3's attention takes the mask off its inputs, so that the next layer on the same tensor gets
none, and a recurrent layer with an initial state gets none at all. Keras 2 does neither. In a
network with such layers every mask is an argument of the call.
"""

import inspect
from typing import Any

import keras
from keras import ops

_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


class Masks:
    """The mask of every tensor made so far."""

    def __init__(self, explicit: bool) -> None:
        self.explicit = explicit
        self.warnings: list[str] = []
        self.known: dict[int, tuple[Any, Any]] = {}  # the tensor too: its id must stay taken

    def of(self, tensor: Any) -> Any:
        """The tensor's mask or None, also after a layer took it off the tensor."""
        _, mask = self.known.get(id(tensor), (None, None))
        if mask is not None:
            tensor._keras_mask = mask
        return mask

    def keep(self, output: Any, mask: Any = None) -> None:
        """Remembers the masks on a call's output, or the given one where there is none."""
        for tensor in output if isinstance(output, list | tuple) else [output]:
            found = getattr(tensor, "_keras_mask", None)
            found = mask if found is None else found
            if found is not None:
                self.known[id(tensor)] = (tensor, found)

    def arguments(self, layer: keras.layers.Layer, args: Any, kwargs: dict[str, Any]) -> Any:
        """Adds the masks that the call needs to kwargs; returns the output's where it is lost."""
        if isinstance(layer, keras.layers.MultiHeadAttention):
            return self._attention(layer, args, kwargs)
        masks = [self.of(x) for x in args] if isinstance(args, list) else self.of(args)
        stateful = isinstance(layer, _RECURRENT) and "initial_state" in kwargs
        if not self.explicit and not stateful:
            return None
        some = any(m is not None for m in (masks if isinstance(masks, list) else [masks]))
        if some and kwargs.get("mask") is None and _takes_mask(layer):
            kwargs["mask"] = masks
        return None

    def _attention(self, layer: Any, query: Any, kwargs: dict[str, Any]) -> Any:
        value = kwargs["value"]
        query_mask = self.of(query)
        parts = [
            None if query_mask is None else ops.expand_dims(query_mask, 2),
            _row(self.of(value)),
            _row(self.of(kwargs["key"])) if "key" in kwargs else None,
            kwargs.get("attention_mask"),
        ]
        parts = [part for part in parts if part is not None]
        if parts:
            together = ops.cast(parts[0], "bool")
            for part in parts[1:]:
                together = ops.logical_and(together, ops.cast(part, "bool"))
            kwargs["attention_mask"] = together
            if layer.dropout or kwargs.get("return_attention_scores"):
                self.warnings.append(
                    f"{layer.name}: padded steps that may attend to nothing attend to nothing "
                    "in Keras 3, and to every step alike in Keras 2. Answers at padded steps "
                    "differ; others do unless the network mixes padded steps in without a mask."
                )
        return query_mask


def _row(mask: Any) -> Any:
    return None if mask is None else ops.expand_dims(mask, 1)


def _takes_mask(layer: keras.layers.Layer) -> bool:
    return "mask" in inspect.signature(layer.call).parameters
