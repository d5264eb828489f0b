"""Pictures as batches of pixels, decoded ahead of whoever consumes them.

sources ─threads: decode ─ augment ─ resize─▶ in order, a bounded number ahead ─▶ Batch
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.data.augment import Augmentation
from tlkeras.data.augment import augment as vary
from tlkeras.data.decode import Source, decode_source
from tlkeras.data.picture import Picture
from tlkeras.data.resize import resize
from tlkeras.errors import DecodeError
from tlkeras.threads import cores, in_order

# A JPEG may be reduced as it is decoded while each side stays this many times what is wanted.
# Mean distance to the full decode, in grey levels, measured on photographs of 0.05 to 0.5
# megapixels, and on the same enlarged to 1 to 20 with grain and encoded again:
# 1.5: 0.8 and 0.4; 2: 0.6 and 0.3; 3: 0.3 and 0.2; 4: 0.2 and 0.1.
_SPARE = 3


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
    exact: bool = False,
) -> Iterator[Batch]:
    """Batches of pictures resized to `size_px` (height, width), in the order of `sources`.

    Each picture is made by `load_pixels`, `exact` or not. With `augment`, picture i is varied
    with the generator seeded by (*seed, keys[i]) (without keys: by its index), so its pixels
    depend on neither the batch size nor the number of threads. A picture that cannot be read
    raises, or with `on_error` is reported as (index, error) and left out.

    Example::

        for batch in pixel_batches(["a.jpg", "b.png"], (224, 224)):
            vectors = model(batch.pixels)
    """

    def load(index: int) -> np.ndarray | DecodeError:
        try:
            own_seed = (*seed, keys[index] if keys else index)
            return load_pixels(sources[index], size_px, augment, seed=own_seed, exact=exact)
        except DecodeError as err:
            return err

    indices: list[int] = []
    pixels: list[np.ndarray] = []
    # About two batches ahead, so that memory does not grow with the number of pictures.
    ahead = 2 * batch_size + 2 * cores()
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


def some_pixels(pictures: Sequence[Picture], size_px: int, most: int) -> np.ndarray:
    """(k, size_px, size_px, 3) float32: at most that many of the pictures, spread over them all.

    Example::

        some_pixels(data.train.pictures, 224, most=16)
    """
    step = max(1, len(pictures) // most)
    size = (size_px, size_px)
    found = [load_pixels(picture.source, size) for picture in pictures[::step][:most]]
    return np.stack(found) if found else np.empty((0, *size, 3), np.float32)


def load_pixels(
    source: Source,
    size_px: tuple[int, int],
    augment: Augmentation | None = None,
    *,
    seed: int | tuple[int, ...] = 0,
    exact: bool = False,
) -> np.ndarray:
    """One picture, float32 (height, width, 3) in [0, 255], resized to `size_px` and not rounded.

    Decoded, with `augment` varied by the generator of that seed, and resized as by
    `tf.image.resize(method="bilinear", antialias=True)`. A JPEG of six times `size_px` or more
    is reduced as it is decoded: several times quicker, and 0.1 to 0.3 grey levels from the full
    decode in the mean of a photograph. `exact` decodes it in full. Safe in threads, on one
    processor core each.

    Raises:
        DecodeError: the picture cannot be read.

    >>> import numpy as np
    >>> load_pixels(np.full((30, 40), 7, "uint8"), (16, 20)).shape
    (16, 20, 3)
    """
    wanted = None if exact else _enough(size_px, augment)
    decoded = decode_source(source, wanted)
    if augment is not None:
        return resize(vary(decoded.pixels, augment, np.random.default_rng(seed)), size_px)
    return resize(decoded.pixels, size_px, decoded.box)


def _enough(size_px: tuple[int, int], augment: Augmentation | None) -> tuple[int, int]:
    """Height and width that a decoded picture must keep."""
    kept = augment.least_side if augment else 1.0
    return math.ceil(_SPARE * size_px[0] / kept), math.ceil(_SPARE * size_px[1] / kept)
