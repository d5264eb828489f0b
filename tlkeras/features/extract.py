"""Pictures → Features: one pass through the frozen backbone, and none for known pictures.

pictures ─ key(content, view) ─▶ cache ─ hit ─────────────────────────▶ Features
                                   └─ miss ─ pixels ─ backbone ─▶ cache ─┘
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.backbones.hashing import fingerprint
from tlkeras.cache import cache_folder
from tlkeras.data.augment import Augmentation
from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.features.cache import FeatureCache
from tlkeras.features.features import Features
from tlkeras.progress import Progress, silent

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class View:
    """One augmented look at every picture: the same view gives the same pixels again."""

    augmentation: Augmentation
    number: int
    seed: int

    @property
    def key(self) -> str:
        """Text that tells this view from every other."""
        return f"{astuple(self.augmentation)}/{self.number}/{self.seed}"


class Extractor:
    """Turns pictures into embeddings of one backbone, through a cache on disk.

    Example::

        extract = Extractor(backbone_model, size_px=224)
        features = extract(data.train.pictures)      # Features, vectors (n, d) float32
        extract.passes                               # pictures that went through the backbone

    Args:
        model: pixels (n, h, w, 3) float32 in [0, 255] → embeddings (n, d) float32.
        size_px: the height and width that the pictures are resized to.
        batch_size: pictures in one forward pass.
        cached: keep embeddings on disk; off, every call computes all of them.
    """

    def __init__(
        self, model: "keras.Model", size_px: int, *, batch_size: int = 32, cached: bool = True
    ) -> None:
        self.model = model
        self.size_px = size_px
        self.batch_size = batch_size
        self.passes = 0
        folder = cache_folder() / "features"
        self.cache = FeatureCache(folder, fingerprint(model)) if cached else None
        self._forward = compiled(model, size_px)

    def __call__(
        self, pictures: Sequence[Picture], view: View | None = None, progress: Progress = silent
    ) -> Features:
        """Features of the pictures, row by row in their order.

        Raises:
            DecodeError: a picture that could be read when the folder was opened no longer can.
        """
        keys = [_key(picture, self.size_px, view) for picture in pictures]
        known = self.cache.get(keys) if self.cache else {}
        missing = [index for index, key in enumerate(keys) if key not in known]
        sources = [pictures[index].source for index in missing]
        augment, seed = (view.augmentation, (view.seed, view.number)) if view else (None, (0,))
        size = (self.size_px, self.size_px)
        done = 0
        # Seeded by content: a look at a picture must not depend on which others are cached.
        contents = [int(pictures[index].sha256[:15], 16) for index in missing]
        for batch in pixel_batches(
            sources, size, batch_size=self.batch_size, augment=augment, seed=seed, keys=contents
        ):
            vectors = self._forward(batch.pixels)
            batch_keys = [keys[missing[row]] for row in batch.index]
            known.update(zip(batch_keys, vectors, strict=True))
            if self.cache:
                self.cache.put(batch_keys, vectors)
            done += len(vectors)
            progress("embedding", done, len(missing))
        self.passes += done
        width = int(self.model.output_shape[-1])
        table = np.stack([known[key] for key in keys]) if keys else np.empty((0, width), "float32")
        labels = np.array([picture.label for picture in pictures], "int64")
        return Features(table, labels, tuple(picture.sha256 for picture in pictures))


def compiled(model: "keras.Model", size_px: int) -> Callable[[np.ndarray], np.ndarray]:
    """The model as a function of pixels (n, size_px, size_px, 3) float32, traced once.

    `keras.Model.predict` is half as fast as a plain tf.function on a CPU, and XLA there slower
    than both.
    """
    import tensorflow as tf

    shape = tf.TensorSpec((None, size_px, size_px, 3), tf.float32)
    graph = tf.function(lambda pixels: model(pixels, training=False), input_signature=[shape])
    return lambda pixels: graph(tf.constant(pixels)).numpy()


def _key(picture: Picture, size_px: int, view: View | None) -> str:
    return f"{picture.sha256}/{size_px}" + (f"/{view.key}" if view else "")
