"""Backbone and head put together, and taken apart again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.backbones import catalogue, imported
from tlkeras.backbones.spec import Backbone, Preprocessing

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
    """

    origin: "str | Path | keras.Model"
    weights: str | Path | None
    preprocessing: Preprocessing | None = None
    known: Backbone | None = None

    def __post_init__(self) -> None:
        self.spec()  # a wrong name is known at once, without loading TensorFlow

    def spec(self) -> Backbone | None:
        """The catalogue's spec; None for a model or a model file."""
        if isinstance(self.origin, str) and not imported.looks_like_file(self.origin):
            spec = catalogue.find(self.origin)
            return replace(spec, preprocessing=self.preprocessing or spec.preprocessing)
        return None

    def build(self, seed: int = 0) -> tuple[Backbone, "keras.Model"]:
        """The spec and a fresh model, pixels (n, h, w, 3) in [0, 255] → embedding (n, d)."""
        spec = self.spec()
        if spec is not None:
            from tlkeras.backbones.build import build

            return spec, build(spec, self.weights, seed=seed)
        found, model = imported.from_model(self.origin, preprocessing=self.preprocessing)
        return self.known or found, model

    @property
    def label(self) -> str:
        """What to call the backbone."""
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


def join(backbone: "keras.Model", head: Sequence["keras.Layer"]) -> "keras.Model":
    """A flat model from pixels to probabilities that shares its layers with the backbone."""
    import keras

    out = backbone.get_layer(EMBEDDING).output
    for layer in head:
        out = layer(out)
    return keras.Model(backbone.input, out, name="classifier")


def backbone_of(model: "keras.Model", embedding: str = EMBEDDING) -> "keras.Model":
    """The part of a classifier up to its embedding, sharing its layers."""
    import keras

    return keras.Model(model.input, model.get_layer(embedding).output, name="backbone")


def head_of(model: "keras.Model", embedding: str = EMBEDDING) -> list["keras.Layer"]:
    """The layers of a classifier after its embedding, in their order."""
    names = [layer.name for layer in model.layers]
    return list(model.layers[names.index(embedding) + 1 :])
