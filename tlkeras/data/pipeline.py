"""Pictures as batches of pixels, decoded ahead of whoever consumes them.

sources ─threads: decode ─ augment ─ resize─▶ in order, a bounded number ahead ─▶ Batch
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.data.augment import Augmentation, augment
from tlkeras.data.decode import Source, decode
from tlkeras.data.scan import in_order, workers
from tlkeras.errors import DecodeError


@dataclass(frozen=True, eq=False)
class Batch:
    """`pixels` float32 (m, height, width, 3) in [0, 255] of the sources at `index` int64 (m,)."""

    index: np.ndarray
    pixels: np.ndarray


def pixel_batches(
    sources: Sequence[Source],
    size_px: tuple[int, int],
    *,
    batch_size: int = 32,
    augment: Augmentation | None = None,
    seed: tuple[int, ...] = (0,),
    keys: Sequence[int] | None = None,
    on_error: Callable[[int, DecodeError], None] | None = None,
) -> Iterator[Batch]:
    """Batches of pictures resized to `size_px` (height, width), in the order of `sources`.

    Each picture is resized with `tf.image.resize(method="bilinear", antialias=True)` and not
    rounded. With `augment`, picture i is varied with the generator seeded by (*seed, keys[i])
    (without keys: by its index), so its pixels depend on neither the batch size nor the number
    of threads. A picture that cannot be read raises, or with `on_error` is reported as (index,
    error) and left out.

    Example::

        for batch in pixel_batches(["a.jpg", "b.png"], (224, 224)):
            vectors = model(batch.pixels)
    """

    def load(index: int) -> np.ndarray | DecodeError:
        try:
            return _load(sources[index], size_px, augment, (*seed, keys[index] if keys else index))
        except DecodeError as err:
            return err

    indices: list[int] = []
    pixels: list[np.ndarray] = []
    # About two batches ahead, so that memory does not grow with the number of pictures.
    ahead = 2 * batch_size + 2 * workers()
    for index, loaded in enumerate(in_order(load, range(len(sources)), ahead=ahead)):
        if isinstance(loaded, DecodeError):
            if on_error is None:
                raise loaded
            on_error(index, loaded)
            continue
        indices.append(index)
        pixels.append(loaded)
        if len(indices) == batch_size:
            yield Batch(np.array(indices, dtype=np.int64), np.stack(pixels))
            indices, pixels = [], []
    if indices:
        yield Batch(np.array(indices, dtype=np.int64), np.stack(pixels))


def _load(
    source: Source, size_px: tuple[int, int], how: Augmentation | None, seed: tuple[int, ...]
) -> np.ndarray:
    import tensorflow as tf

    pixels = decode(source)
    if how is not None:
        pixels = augment(pixels, how, np.random.default_rng(seed))
    if pixels.shape[:2] == tuple(size_px):
        return pixels.astype(np.float32)
    # The kernel computes in float32 from uint8 too, and needs a quarter of the memory.
    return tf.image.resize(pixels, size_px, method="bilinear", antialias=True).numpy()
