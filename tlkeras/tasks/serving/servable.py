"""What can be asked over REST: a model's signatures, with the names, types and shapes of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

DType = Literal["string", "float32", "uint8", "bool"]
Tensors = Mapping[str, np.ndarray]

DEFAULT = "serving_default"
"""The signature of a request that names none."""


@dataclass(frozen=True)
class Field:
    """Type and shape of one named tensor; None in the shape is a side that is free.

    A string tensor is an object array: bytes going in, text or bytes coming out.
    """

    dtype: DType
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Signature:
    """One question a model answers: named tensors in, named tensors out."""

    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]
    answer: Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Servable:
    """A model by name and version with its signatures; `class_names` is for people to read.

    >>> def half_plus_three(given):
    ...     return {"y": given["x"] / 2 + 3}
    >>> number = Field("float32", (None,))
    >>> toy = Signature({"x": number}, {"y": number}, half_plus_three)
    >>> Servable("half_plus_three", {DEFAULT: toy}).version
    1
    """

    name: str
    signatures: Mapping[str, Signature]
    class_names: tuple[str, ...] = ()
    version: int = 1
