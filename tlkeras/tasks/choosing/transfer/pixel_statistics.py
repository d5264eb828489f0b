"""What pictures look like without any network: how often each colour comes, and where.

A head on these is what a pretrained backbone has to beat: where it does not, the classes differ
in colour and layout alone.
"""

from collections.abc import Sequence

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.features.features import Features
from tlkeras.progress import Progress, silent

SIDE_PX = 64  # enough for colours; few pixels are quick
COLOURS = 4  # steps of each channel in the joint histogram
TONES = 16  # steps of each channel by itself
THUMBNAIL_PX = 8


def pixel_statistics(pictures: Sequence[Picture], progress: Progress = silent) -> Features:
    """Colour histograms and a thumbnail of each picture: (n, 304) float32.

    64 colours and 16 tones a channel, each the square root of its share of the pixels, and the
    8x8 thumbnail in [0, 1].

    Example::

        features = pixel_statistics(data.train.pictures)
    """
    vectors = np.empty((len(pictures), COLOURS**3 + 3 * TONES + 3 * THUMBNAIL_PX**2), "float32")
    done = 0
    for batch in pixel_batches([p.source for p in pictures], (SIDE_PX, SIDE_PX)):
        for row, pixels in zip(batch.index, batch.pixels, strict=True):
            vectors[row] = of_pixels(pixels)
        done += len(batch.index)
        progress("pixel statistics", done, len(pictures))
    labels = np.array([picture.label for picture in pictures], "int64")
    return Features(vectors, labels, tuple(picture.sha256 for picture in pictures))


def of_pixels(pixels: np.ndarray) -> np.ndarray:
    """The statistics (304,) float32 of pixels (h, w, 3) in [0, 255]; sides multiples of 8.

    >>> of_pixels(np.zeros((16, 16, 3))).nonzero()[0].tolist()
    [0, 64, 80, 96]
    """
    height, width = pixels.shape[:2]
    shares = np.clip(pixels.reshape(-1, 3) / 256, 0, 1 - 1e-6)
    steps = (shares * COLOURS).astype(int)
    joint = np.bincount(steps @ (COLOURS**2, COLOURS, 1), minlength=COLOURS**3)
    tones = [np.bincount((one * TONES).astype(int), minlength=TONES) for one in shares.T]
    rows, columns = height // THUMBNAIL_PX, width // THUMBNAIL_PX
    grid = pixels.reshape(THUMBNAIL_PX, rows, THUMBNAIL_PX, columns, 3).mean(axis=(1, 3)) / 255
    histograms = np.sqrt(np.concatenate([joint, *tones]) / (height * width))
    return np.concatenate([histograms, grid.ravel()]).astype("float32")
