"""From a model and pictures to explanations: read, resize, explain, name.

picture ─ decode ─▶ upright RGB ─ resize ─▶ what the model sees ─ method ─▶ Explanation
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from tlkeras.data.decode import Source, decode
from tlkeras.data.picture import printable
from tlkeras.data.resize import resize
from tlkeras.errors import DataError, DecodeError
from tlkeras.evaluation.explain.explanation import Explanation
from tlkeras.evaluation.explain.gradcam import Evidence, gradcam
from tlkeras.evaluation.explain.occlusion import answering, occlusion

if TYPE_CHECKING:
    import keras

Method = Literal["gradcam", "occlusion"]

METHODS: tuple[Method, ...] = get_args(Method)
_AT_ONCE = 8


def explain(
    model: "keras.Model",
    picture: Source,
    size_px: int,
    class_names: Sequence[str],
    *,
    label: str | None = None,
    method: Method = "gradcam",
) -> Explanation:
    """Which parts of a picture spoke for a class.

    Args:
        model: pixels (n, size_px, size_px, 3) RGB in [0, 255] → (n, classes), probabilities or
            scores. For Grad-CAM: Functional or Sequential, with or without models inside it.
        picture: a file, its bytes, or an array (h, w, 3).
        size_px: side of the pictures that the model takes.
        class_names: one name a column of the answer.
        label: the class to explain; None for the one that the model answers.
        method: "gradcam" or "occlusion".

    Raises:
        DataError: no class or method has that name, or (DecodeError) the picture can't be read.
        BackboneError: the model's layers can't be followed, or have no map; see `gradcam`.

    Example::

        explain(model, "rose.jpg", 224, ("iris", "rose"), label="iris").overlay()
    """
    (found,) = explain_each(
        model, [picture], size_px, class_names, labels=[label], method=method, unreadable="raise"
    )
    if found is None:  # "raise" leaves none out
        raise DataError("Expected one picture. Received: none that can be read.")
    return found


def explain_each(
    model: "keras.Model",
    pictures: Sequence[Source],
    size_px: int,
    class_names: Sequence[str],
    *,
    labels: Sequence[str | None] | None = None,
    method: Method = "gradcam",
    unreadable: Literal["skip", "raise"] = "skip",
) -> list[Explanation | None]:
    """An explanation for each picture, None for one that can't be read; see `explain`.

    Grad-CAM takes eight pictures at a time; see docs/explain.md for what that saves.

    Args:
        model: see `explain`.
        pictures: files, bytes or arrays.
        size_px: side of the pictures that the model takes.
        class_names: one name a column of the answer.
        labels: the class to explain for each; None for what the model answers.
        method: "gradcam" or "occlusion".
        unreadable: "raise" to have a DecodeError instead of None.

    Example::

        explain_each(model, paths, 224, ("iris", "rose"))
    """
    if method not in METHODS:
        raise DataError(
            f"Expected a method, one of {', '.join(METHODS)}. Received: {method!r}. "
            "Leave it out for Grad-CAM."
        )
    asked = [None] * len(pictures) if labels is None else labels
    columns = [_column(label, class_names) for label in asked]
    evidence = _evidence_by(method, model, size_px, len(class_names))
    found: list[Explanation | None] = [None] * len(pictures)
    for start in range(0, len(pictures), _AT_ONCE):
        batch = range(start, min(start + _AT_ONCE, len(pictures)))
        decoded = {row: _pixels(pictures[row], unreadable) for row in batch}
        read = {row: pixels for row, pixels in decoded.items() if pixels is not None}
        if not read:
            continue
        small = np.stack([resize(pixels, (size_px, size_px)) for pixels in read.values()])
        seen = evidence(small, [columns[row] for row in read])
        for place, (row, pixels) in enumerate(read.items()):
            name = _name(pictures[row], row)
            found[row] = _explanation(pixels, seen, place, class_names, method, name)
    return found


def _evidence_by(
    method: Method, model: "keras.Model", size_px: int, classes: int
) -> Callable[[np.ndarray, Sequence[int | None]], Evidence]:
    """Pixels (n, size_px, size_px, 3) float32 and a class for each → what spoke for it."""
    if method == "gradcam":
        return lambda pixels, columns: gradcam(model, pixels, classes, columns)
    answers = answering(model, size_px, classes)

    def occluded(pixels: np.ndarray, columns: Sequence[int | None]) -> Evidence:
        rows = [occlusion(answers, *each) for each in zip(pixels, columns, strict=True)]
        return Evidence(
            np.concatenate([row.maps for row in rows]),
            np.concatenate([row.columns for row in rows]),
            np.concatenate([row.probabilities for row in rows]),
            layer="",
        )

    return occluded


def _explanation(
    pixels: np.ndarray,
    seen: Evidence,
    row: int,
    class_names: Sequence[str],
    method: Method,
    name: str,
) -> Explanation:
    heat, column, probabilities = seen.maps[row], seen.columns[row], seen.probabilities[row]
    most = float(heat.max())
    return Explanation(
        pixels,
        heat / most if most > 0 and np.isfinite(most) else np.zeros_like(heat),
        class_names[column],
        float(probabilities[column]),
        class_names[int(probabilities.argmax())],
        method,
        seen.layer,
        name,
    )


def _column(label: str | None, class_names: Sequence[str]) -> int | None:
    if label is None:
        return None
    if label in class_names:
        return list(class_names).index(label)
    close = get_close_matches(label, class_names, n=4, cutoff=0.4) or list(class_names[:4])
    raise DataError(
        f"Expected one of the model's {len(class_names)} classes. Received: {label!r}. "
        f"Did you mean {', '.join(map(repr, close))}?"
    )


def _pixels(source: Source, unreadable: str) -> np.ndarray | None:
    try:
        return decode(source)
    except DecodeError:
        if unreadable == "raise":
            raise
        return None


def _name(source: Source, row: int) -> str:
    if isinstance(source, bytes):
        return f"bytes {row}"
    return f"array {row}" if isinstance(source, np.ndarray) else printable(Path(source))
