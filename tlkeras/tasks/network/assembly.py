"""Backbone and head put together, and taken apart again."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras import __version__
from tlkeras.backbones import catalogue, imported
from tlkeras.backbones.spec import Backbone, Preprocessing
from tlkeras.bundle.index import sha256
from tlkeras.bundle.splice import free_name
from tlkeras.tasks.network.frozen import FrozenBackbone

if TYPE_CHECKING:
    import keras

EMBEDDING = "embedding"


@dataclass(frozen=True)
class BackboneSource:
    """Where a backbone comes from: a catalogue name with weights, a model, or a model file.

    Attributes:
        origin: the name, the model, or the file's path.
        weights: of a catalogue backbone.
        preprocessing: in front of the network; None: the catalogue's, or what the file says.
        known: what was known of a model that comes from a run folder.
        make: makes that model, in place of `origin`.
    """

    origin: "str | Path | keras.Model"
    weights: str | Path | None
    preprocessing: Preprocessing | None = None
    known: Backbone | None = None
    make: "Callable[[], keras.Model] | None" = None

    def __post_init__(self) -> None:
        self.spec()  # a wrong name is known at once, without loading TensorFlow

    def spec(self) -> Backbone | None:
        """The catalogue's spec; None for a model or a model file."""
        if (
            self.make is None
            and isinstance(self.origin, str)
            and not imported.looks_like_file(self.origin)
        ):
            spec = catalogue.find(self.origin)
            return replace(spec, preprocessing=self.preprocessing or spec.preprocessing)
        return None

    def frozen(self, seed: int = 0) -> FrozenBackbone:
        """The backbone with its pretrained weights, untrained ones drawn from `seed`."""
        spec = self.spec()
        if spec is not None:
            return FrozenBackbone(spec, partial(_build, spec, self.weights, seed), self._id(seed))
        found, model = self._import()
        at_hand = [model]
        # The first is used up when its layers are trained: then it is imported again.
        fresh = lambda: at_hand.pop() if at_hand else self._import()[1]  # noqa: E731
        return FrozenBackbone(self.known or found, fresh)

    def _import(self) -> tuple[Backbone, "keras.Model"]:
        origin = self.make() if self.make else self.origin
        return imported.from_model(origin, preprocessing=self.preprocessing)

    def _id(self, seed: int) -> str | None:
        """Text that tells this backbone of the catalogue from every other."""
        spec, weights = self.spec(), self.weights_name
        keras = sys.modules.get("keras")
        if keras is not None and keras.config.dtype_policy().name != "float32":
            return None
        if self.weights is None or weights == "untrained":
            weights = f"untrained, seed {seed}"
        elif weights not in ("imagenet", "builtin"):
            try:
                weights = sha256(Path(weights).expanduser())
            except OSError:  # told when it is built
                return None
        return repr((spec, weights, __version__, version("keras")))

    @property
    def label(self) -> str:
        """What to call the backbone."""
        if self.known is not None:
            return self.known.name
        named = isinstance(self.origin, str | Path)
        return str(self.origin) if named else str(getattr(self.origin, "name", "model"))

    @property
    def weights_name(self) -> str:
        """Which weights, in words."""
        spec = self.spec()
        if spec is None:
            return "the model's own"
        if self.weights == "default":
            return spec.default_weights or "untrained"
        return "untrained" if self.weights is None else str(self.weights)


def _build(spec: Backbone, weights: str | Path | None, seed: int) -> "keras.Model":
    from tlkeras.backbones.build import build

    return build(spec, weights, seed=seed)


def join(backbone: "keras.Model", head: Sequence["keras.Layer"]) -> "keras.Model":
    """A flat model from pixels to probabilities that shares its layers with the backbone."""
    import keras

    out = backbone.get_layer(EMBEDDING).output
    taken = {layer.name for layer in backbone.layers}
    for layer in head:
        layer.name = free_name(layer.name, taken)
        taken.add(layer.name)
        out = layer(out)
    return keras.Model(backbone.input, out, name="classifier")


def backbone_of(model: "keras.Model", embedding: str = EMBEDDING) -> "keras.Model":
    """The part of a classifier up to its embedding, sharing its layers."""
    import keras

    return keras.Model(model.input, model.get_layer(embedding).output, name="backbone")
