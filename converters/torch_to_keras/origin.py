"""Where each Keras variable came from, kept with its layer: so that weights can go home again.

The table is found by value, not by rules: whatever the importer made of a tensor (turned, split,
flattened in another order), the variable has the same numbers, and the steps between the two are
looked for. It hangs on the layers, so that it outlives cutting a head off or adding one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from converters.report.facts import WeightRow
from converters.torch_to_keras.steps import Steps, find_steps, fingerprint, forwards, parts

if TYPE_CHECKING:
    import keras
    import torch
    from torch import nn

Print = tuple[int, int, int]
Likeness = Callable[[str], tuple[bool, bool, bool]]

# Gates of recurrent layers: 3 or 4; two biases, two directions.
BLOCKS = (2, 3, 4)
DEEPEST = 1


@dataclass(frozen=True)
class Origin:
    """The torch module that a layer came from, and the rows of each variable by its number."""

    module: "nn.Module"
    rows: Mapping[int, Sequence[WeightRow]]


_ORIGINS: WeakKeyDictionary[object, Origin] = WeakKeyDictionary()

# The last part of a torch name, for each Keras variable that may have it.
LEAVES: Mapping[str, tuple[str, ...]] = {
    "kernel": ("weight", "weight_ih_l0", "in_proj_weight"),
    "depthwise_kernel": ("weight",),
    "recurrent_kernel": ("weight_hh_l0",),
    "bias": ("bias", "bias_ih_l0", "in_proj_bias"),
    "gamma": ("weight", "gamma"),
    "beta": ("bias", "beta"),
    "moving_mean": ("running_mean",),
    "moving_variance": ("running_var",),
    "embeddings": ("weight",),
    "alpha": ("weight",),
}


def origin_of(layer: "keras.Layer") -> Origin | None:
    """Where a layer came from; None where it was not imported from torch in this process."""
    return _ORIGINS.get(layer)


def remember(model: "keras.Model", module: "nn.Module") -> tuple[WeightRow, ...]:
    """Rows from the module's tensors to the model's variables, kept with its layers."""
    tensors = {name: value.detach().cpu().numpy() for name, value in _floats(module)}
    finder = _Finder(tensors)
    found: list[WeightRow] = []
    for layer in model._flatten_layers(include_self=False, recursive=False):
        rows = {n: r for n, v in enumerate(layer.weights) if (r := finder.rows(layer, v))}
        _ORIGINS[layer] = Origin(module, rows)
        found += [row for some in rows.values() for row in some]
    return tuple(found)


def _floats(module: "nn.Module") -> "Iterator[tuple[str, torch.Tensor]]":
    for group in (module.named_parameters(), module.named_buffers()):
        for name, value in group:
            if value.is_floating_point():
                yield name, value


class _Finder:
    """The tensors of a module by their numbers; each is taken once, unless nothing else is left."""

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.names: dict[Print, list[str]] = {}
        self.shares: dict[int, dict[Print, list[tuple[str, Steps]]]] = {}
        self.taken: set[str] = set()
        for name, value in tensors.items():
            self.names.setdefault(fingerprint(value), []).append(name)

    def rows(self, layer: "keras.Layer", variable: "keras.Variable") -> list[WeightRow]:
        """The rows of one variable; none where no tensors have its numbers."""
        value = np.asarray(variable)
        own = partial(self._likeness, layer=layer, variable=variable)
        found = self._whole(value, own) or self._sum(value) or self._blocks(value, own) or []
        return [
            WeightRow(name, variable.path, self.tensors[name].shape, steps) for name, steps in found
        ]

    def _whole(self, value: np.ndarray, own: Likeness) -> list[tuple[str, Steps]] | None:
        """One tensor, or one share of a tensor, that has the same numbers."""
        mark = fingerprint(value)
        for name in sorted(self.names.get(mark, ()), key=own):
            steps = find_steps(self.tensors[name], value)
            if steps is not None:
                self.taken.add(name)
                return [(name, steps)]
        shares = self._shares(value.size).get(mark, ())
        for name, first in sorted(shares, key=lambda share: own(share[0])):
            steps = find_steps(forwards(self.tensors[name], first), value)
            if steps is not None:
                self.taken.add(name)
                return [(name, (*first, *steps))]
        return None

    def _sum(self, value: np.ndarray) -> list[tuple[str, Steps]] | None:
        """Two biases that a recurrent layer of torch adds: the first one gets their sum."""
        for name in self.tensors:
            other = name.replace("bias_ih", "bias_hh")
            if other != name and other in self.tensors and name not in self.taken:
                steps = find_steps(self.tensors[name] + self.tensors[other], value)
                if steps is not None:
                    self.taken |= {name, other}
                    return [(name, steps), (other, (("multiply", (0,)),))]
        return None

    def _blocks(
        self, value: np.ndarray, own: Likeness, depth: int = 0
    ) -> list[tuple[str, Steps]] | None:
        """A variable put together from parts: gates in another order, biases one above another."""
        for axis in reversed(range(value.ndim)):
            for count in BLOCKS:
                if value.shape[axis] % count or value.shape[axis] == count > 2:
                    continue
                found = self._placed(value, own, axis, value.shape[axis] // count, depth)
                if found is not None:
                    return found
        return None

    def _placed(
        self, value: np.ndarray, own: Likeness, axis: int, length: int, depth: int
    ) -> list[tuple[str, Steps]] | None:
        found: list[tuple[str, Steps]] = []
        for start in range(0, value.shape[axis], length):
            bounds = (axis, start, start + length)
            block = forwards(value, (("take", bounds),))
            inner = self._whole(block, own)
            if inner is None and depth < DEEPEST:
                inner = self._blocks(block, own, depth + 1)
            if inner is None:
                return None
            found += [(name, _within(bounds, steps)) for name, steps in inner]
        return found

    def _shares(self, size: int) -> dict[Print, list[tuple[str, Steps]]]:
        if size not in self.shares:
            found: dict[Print, list[tuple[str, Steps]]] = {}
            for name, value in self.tensors.items():
                for steps, part in parts(value, size):
                    found.setdefault(fingerprint(part), []).append((name, steps))
            self.shares[size] = found
        return self.shares[size]

    def _likeness(
        self, name: str, *, layer: "keras.Layer", variable: "keras.Variable"
    ) -> tuple[bool, bool, bool]:
        """Sorts tensors of equal numbers: the layer's own name, the right kind, not yet taken."""
        owner, _, leaf = name.rpartition(".")
        return (
            plain(owner or name) != plain(layer.name),
            leaf not in LEAVES.get(variable.name, (leaf,)),
            name in self.taken,
        )


def _within(bounds: tuple[int, ...], steps: Steps) -> Steps:
    """Steps to a block, in the larger block that it lies in: the larger one is cut first."""
    ahead = [step for step in steps if step[0] != "within"]
    return (*ahead, ("within", bounds), *(step for step in steps if step[0] == "within"))


def plain(name: str) -> str:
    """A torch or Keras name with one kind of separator.

    >>> plain("layer1.0.conv1"), plain("/layer1/0/conv1")
    ('layer1_0_conv1', 'layer1_0_conv1')
    """
    letters = "".join(c if c.isalnum() else "_" for c in name)
    return "_".join(part for part in letters.split("_") if part)
