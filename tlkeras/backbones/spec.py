"""A Backbone is data: which network, at which size, with which preprocessing and weights.

Backbone ── build ──▶ keras.Model
                      image (n, any, any, 3) RGB in [0, 255] → embedding (n, width) float32
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlkeras.errors import BackboneError

if TYPE_CHECKING:
    import keras

Preprocessing = Literal["none", "tf", "torch", "caffe"]


@dataclass(frozen=True)
class Published:
    """Figures of the whole classifier as its source gives them; None where it gives none."""

    size_mb: float | None = None
    top1: float | None = None  # per cent, ImageNet validation set
    top5: float | None = None
    parameters: int | None = None  # with the classifier on top, rounded as published
    depth: int | None = None
    source: str = ""
    date: str = ""  # of the source, ISO; empty where the source states none


@dataclass(frozen=True)
class Backbone:
    """One pretrained network as data; nothing is loaded before `build`.

    Example::

        spec = find("MobileNetV2-0.35")
        model = spec.build("imagenet")          # (n, any, any, 3) in [0, 255] → (n, 1280)
        small = dataclasses.replace(spec, size_px=160).build(weights=None, seed=3)
    """

    name: str
    application: str  # a function of keras.applications, "TinyResNet", or "" for a user's model
    size_px: int
    width: int  # of the embedding
    preprocessing: Preprocessing
    arguments: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    weights: tuple[str, ...] = ()
    licence: str = ""  # of the pretrained weights; empty where no statement was found
    parameters: int = 0  # of the embedding network, without any classifier
    imagenet_px: tuple[int, ...] = ()  # sizes that ImageNet weights were trained at
    published: Published | None = None

    @property
    def default_weights(self) -> str | None:
        """Name of the weights that `build` takes unless told otherwise."""
        return self.weights[0] if self.weights else None

    def build(
        self,
        weights: str | Path | None = "default",
        *,
        size_px: int | None = None,
        seed: int = 0,
    ) -> keras.Model:
        """Keras model: RGB pixels in [0, 255], any size → embedding (n, width) float32.

        Args:
            weights: "default", "imagenet", "builtin", a `.weights.h5` or Keras 2 `.h5` file
                with or without its classifier, or None for untrained weights.
            size_px: side the pictures are resized to inside; the spec's own when None.
            seed: decides untrained weights and dropout masks; the same seed gives the same.

        Raises:
            WeightsError: weights that cannot be reached or do not fit.
            BackboneError: a size the network cannot take, or a spec made by `from_model`.

        Example::

            model = find("TinyResNet").build()
            model.predict(pixels)                 # pixels (n, h, w, 3) → (n, width)
            model.get_layer("embedding").output
        """
        if not self.application:
            raise BackboneError(
                f"Backbone.build makes networks of the catalogue; '{self.name}' came from a "
                "model of yours. Use the model that from_model returned with it."
            )
        from tlkeras.backbones.build import embedding_graph
        from tlkeras.backbones.seeding import reseed
        from tlkeras.backbones.weights import load

        spec = self if size_px is None else replace(self, size_px=size_px)
        wanted = self.default_weights if weights == "default" else weights
        model = embedding_graph(spec)
        load(spec, model, wanted)
        reseed(model, seed, weights=wanted is None)
        return model
