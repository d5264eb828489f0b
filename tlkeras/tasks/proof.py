"""Pictures that an export is proven on, from those that the classifier was trained with."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.decode import decode, read_file
from tlkeras.data.pipeline import load_pixels
from tlkeras.errors import DecodeError
from tlkeras.tasks import answers
from tlkeras.tasks.network.columns import with_score

if TYPE_CHECKING:
    from tlkeras.bundle.bundle import Bundle
    from tlkeras.export.formats.shown import Labelled, Shown
    from tlkeras.tasks.fitted import Fitted

PARTS = ("validation", "test", "train")
PICTURES_TO_VERIFY = 24
PICTURES_TO_CALIBRATE = 200
PICTURES_TO_JUDGE = 512
SERVED_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
_BATCH = 16


def shown_of(bundle: "Bundle", fitted: "Fitted") -> "Shown":
    """What an export is held against: `predict` on files, the Keras model on pixels.

    The pictures are those of the validation part (else of the others) that are still where the
    manifest says, at most 24; with none, generated ones.
    """
    from tlkeras.export.formats.shown import Shown
    from tlkeras.export.samples import sample_pictures

    size_px = fitted.spec.size_px

    def of_files(files: list[bytes]) -> np.ndarray:
        found = answers.predict(fitted, files, exact=True)
        if fitted.network.unknown is None:
            return found.probabilities
        return np.column_stack([found.probabilities, found.unknown_scores])

    def of_pixels(pixels: np.ndarray) -> np.ndarray:
        model = with_score(bundle.model, fitted.network.unknown)
        starts = range(0, len(pixels), _BATCH)
        rows = [model(pixels[start : start + _BATCH], training=False) for start in starts]
        return np.concatenate([np.asarray(row) for row in rows])

    return Shown(
        size_px,
        pictures_at_hand(fitted) or sample_pictures(size_px),
        of_files,
        of_pixels,
        lambda: _pixels(fitted, "train", PICTURES_TO_CALIBRATE)[0],
        lambda: _labelled(fitted),
    )


def pictures_at_hand(fitted: "Fitted") -> list[bytes]:
    """Readable files of the manifest, at most 24: drawn from the validation part, then the others.

    None if serving decodes none of them.
    """
    found: list[bytes] = []
    served = 0
    for part in PARTS:
        rows = [row for row in fitted.manifest if row["part"] == part]
        drawn = np.random.default_rng(0).permutation(len(rows))[: 4 * PICTURES_TO_VERIFY]
        for place in drawn.tolist():
            file = Path(str(rows[place]["path"]))
            try:
                content = read_file(file)
                decode(content)
            except DecodeError:  # moved or changed since training
                continue
            found.append(content)
            served += file.suffix.lower() in SERVED_SUFFIXES
            if len(found) == PICTURES_TO_VERIFY:
                return found if served else []
    return found if served else []


def _labelled(fitted: "Fitted") -> "Labelled | None":
    pixels, labels = _pixels(fitted, "validation", PICTURES_TO_JUDGE)
    return None if pixels is None else (pixels, labels)


def _pixels(fitted: "Fitted", part: str, most: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Pixels (n, size, size, 3) and classes (n,) of a part, spread over it; None without any."""
    side = (fitted.spec.size_px,) * 2
    rows = list(_spread([row for row in fitted.manifest if row["part"] == part], most))
    pixels, labels = [], []
    for row in rows:
        try:
            pixels.append(load_pixels(Path(str(row["path"])), side, exact=True))
        except DecodeError:  # moved or changed since training
            continue
        labels.append(fitted.class_names.index(str(row["label"])))
    return (np.stack(pixels) if pixels else None), np.array(labels, "int64")


def _spread(rows: list[dict[str, object]], most: int) -> Iterator[dict[str, object]]:
    places = np.linspace(0, len(rows) - 1, min(most, len(rows)))
    return (rows[round(place)] for place in places.tolist())
