"""Activation functions of Keras 2 by name, exactly equal in Keras 3.

The trap is hard_sigmoid: Keras 2 means clip(x / 5 + 1/2, 0, 1), Keras 3 clip(x / 6 + 1/2, 0, 1).
The two agree when Keras 3 is given 1.2 x.
"""

from collections.abc import Callable
from typing import Any

import keras

from converters.tf_to_keras.keras2.tree import Translated, UntranslatableError

HARD_SIGMOID_SCALE = 1.2

_SAME_WORDS = (
    "linear relu relu6 elu selu gelu softplus softsign tanh sigmoid exponential softmax silu "
    "mish leaky_relu log_softmax hard_silu"
)
SAME = frozenset(_SAME_WORDS.split())
ALIASES = {
    "swish": "silu",
    "hard_swish": "hard_silu",
    "softmax_v2": "softmax",
    "softmax_v1": "softmax",
    "log_softmax_v2": "log_softmax",
    "exp": "exponential",
    "selu_v2": "selu",
}
_HARD_SIGMOIDS = ("hard_sigmoid", "hardSigmoid")


def is_hard_sigmoid(value: Any) -> bool:
    """Whether this is Keras 2's hard_sigmoid."""
    return value in _HARD_SIGMOIDS


def by_name(value: Any) -> str:
    """The Keras 3 name of an activation that both have; raises for any other."""
    name = "linear" if value is None else value
    name = ALIASES.get(name, name) if isinstance(name, str) else name
    if isinstance(name, str) and name in SAME:
        return name
    raise UntranslatableError(f"activation {_shown(name)}")


def _shown(value: Any) -> str:
    """A name for the message; code that a file holds is left out of it."""
    if isinstance(value, dict):
        config = value.get("config")
        value = config if isinstance(config, str) else value.get("class_name")
    return "of the author's own" if value in (None, "__lambda__") else repr(value)


def after(
    value: Any, name: str, translate: Callable[[str, dict[str, Any], str], Translated]
) -> tuple[str, tuple[keras.layers.Layer, ...]]:
    """The activation to give to the layer itself, and layers that finish the work after it."""
    if is_hard_sigmoid(value):
        scale = keras.layers.Rescaling(
            HARD_SIGMOID_SCALE, name=f"{name}_hard_sigmoid_scale", dtype="float32"
        )
        gate = keras.layers.Activation("hard_sigmoid", name=f"{name}_hard_sigmoid", dtype="float32")
        return "linear", (scale, gate)
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        if value["class_name"] not in ("ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU"):
            raise UntranslatableError(f"activation {value['class_name']!r}")
        made = translate(value["class_name"], value["config"], f"{name}_activation")
        return "linear", (made.layer, *made.after)
    return by_name(value), ()
