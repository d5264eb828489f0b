"""A classifier as a LiteRT (TensorFlow Lite) file, with what each smaller kind of it costs.

    bundle ─ from pixels on ─▶ converter ─▶ packed ─ answers for known pictures, good? ─▶ path

The file takes pixels `images` (n, size_px, size_px, 3), RGB from 0 to 255, the scaling inside, and
gives `probabilities` (n, c), and `unknown_score` (n,) where the classifier has one.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlkeras.disk import write_bytes
from tlkeras.errors import ExportError, ParityError
from tlkeras.export.formats.quality import (
    Quality,
    check_drop,
    model_answers,
    quality,
    quality_file,
)
from tlkeras.export.named import EMBEDDING, IMAGES, PROBABILITIES, SCORE, named_network
from tlkeras.export.verify import SCORES_TO_PROBABILITIES

if TYPE_CHECKING:
    import keras

    from tlkeras.bundle.bundle import Bundle

logger = logging.getLogger(__name__)

Kind = Literal["float32", "float16", "dynamic", "int8"]
KINDS: tuple[Kind, ...] = ("float32", "float16", "dynamic", "int8")
MAX_DROP = 0.02
TOLERANCES: Mapping[str, float] = {"float32": 1e-4, "float16": 2e-2}
"""Largest difference of a probability; whole numbers are held to their accuracy instead.

Half precision moved the least certain of 572 pictures by 0.005; see docs/small_devices.md.
"""
SCORE_TOLERANCES: Mapping[str, float] = {"float32": 1e-2, "float16": 5e-2}
"""The same of an unknown score, whose limit is 1."""

Known = Mapping[str, tuple[np.ndarray, np.ndarray | None]]
"""Part → pixels (n, size_px, size_px, 3) in [0, 255], and the classes (n,) int if known."""


def to_litert(
    bundle: "Bundle",
    path: str | Path,
    *,
    kind: Kind = "float32",
    pictures: np.ndarray | None = None,
    known: Known | None = None,
    max_drop: float = MAX_DROP,
) -> Path:
    """The path, once a .tflite file is there that was held against the model on pictures.

    Labels, preprocessing and what was measured are in the file (`packed.note_of`) and beside it
    in `<name>.parity.json` (`quality.read_quality`).

    Args:
        bundle: its model, class names and `backbone["size_px"]` are used.
        path: the file; an old one is replaced once the new one is good enough.
        kind: "float32"; "float16" stores weights in half the size; "dynamic" in int8, and the
            device computes in float; "int8" is int8 throughout, input (pixel - 128) and output
            (probability · 256 - 128) too.
        pictures: (m, size_px, size_px, 3) in [0, 255] of the training part; a hundred or more,
            needed for "int8".
        known: parts to compare on, "validation" for one. Without them `pictures` are taken, or
            generated ones.
        max_drop: accuracy that the file may lose on any of the parts; of "dynamic" and "int8",
            where the classes are not known, share of labels that may differ.

    Raises:
        ParityError: the file loses more, or float answers are off by more than the tolerance.
            Nothing is left of it.
        ExportError: LiteRT lacks an operator, or the pictures do not fit the model.

    Example::

        to_litert(bundle, "flowers_int8.tflite", kind="int8", pictures=train,
                  known={"validation": (pixels, labels)})
    """
    check_request(kind, max_drop)
    from tlkeras.export.formats.interpreter import answers_of
    from tlkeras.export.formats.packed import operators, packed

    size_px, classes = int(bundle.backbone["size_px"]), len(bundle.class_names)
    layer = str(bundle.backbone.get("embedding_layer", EMBEDDING))
    network = named_network(bundle.model, size_px, bundle.network.unknown, layer)
    shown = _shown(known, pictures, size_px)
    note = facts(bundle, kind)
    content = packed(_content(network, kind, pictures, size_px), note)
    answers = answers_of(content)
    measured = [
        quality(part, model_answers(network, pixels), answers(pixels), labels, classes)
        for part, (pixels, labels) in shown.items()
    ]
    for found in measured:
        _check(found, kind, max_drop, Path(path).name, network)
    note |= {"quality": [each.to_dict() for each in measured], "operators": operators(content)}
    return _written(Path(path), packed(content, note), note, measured)


def facts(bundle: "Bundle", kind: str) -> dict[str, object]:
    """What a file says of itself: labels in order, what it takes and what it gives.

    Example::

        facts(bundle, "int8")["labels"]       # ["cat", "dog"]
    """
    size_px, whole = int(bundle.backbone["size_px"]), kind == "int8"
    dtype = "int8" if whole else "float32"
    outputs = {
        PROBABILITIES: {
            "shape": [1, len(bundle.class_names)],
            "dtype": dtype,
            "value": "probability * 256 - 128" if whole else "probability",
        }
    }
    if bundle.network.unknown is not None:
        outputs[SCORE] = {
            "shape": [1],
            "dtype": dtype,
            "value": "score / scale + zero point of the tensor" if whole else "score",
            "above_1": "unlike the training pictures",
        }
    return {
        "format": "litert" if kind == "float32" else f"litert-{kind}",
        "labels": list(bundle.class_names),
        "licence_of_the_weights": bundle.backbone.get("licence") or "not stated",
        "input": {
            "name": IMAGES,
            "shape": [1, size_px, size_px, 3],
            "dtype": dtype,
            "value": "RGB pixel - 128" if whole else "RGB pixel, 0 to 255",
            "resize": "stretched to the size, bilinear with antialiasing",
        },
        "outputs": outputs,
    }


def check_request(kind: str, max_drop: float) -> None:
    """Nothing for a kind that there is and a limit that makes sense, ExportError for others."""
    if kind not in KINDS:
        raise ExportError(
            f"Expected kind to be one of {', '.join(KINDS)}. Received: {kind!r}. "
            "Leave it out for float32."
        )
    if not 0 <= max_drop <= 1:
        raise ExportError(
            f"Expected max_drop between 0 and 1, a share. Received: {max_drop!r}. "
            "0.02 allows two points of accuracy."
        )


def _shown(known: Known | None, pictures: np.ndarray | None, size_px: int) -> Known:
    """What the file and the model are both asked for; checked for its shape."""
    if known:
        shown: dict[str, tuple[np.ndarray, np.ndarray | None]] = dict(known)
    elif pictures is not None:
        shown = {"given": (pictures, None)}
    else:
        shown = {"generated": (_generated(size_px), None)}
    for part, (pixels, labels) in shown.items():
        fits = pixels.ndim == 4 and pixels.shape[1:] == (size_px, size_px, 3) and len(pixels)
        if not fits or (labels is not None and labels.shape != (len(pixels),)):
            raise ExportError(
                f"Expected pixels (n, {size_px}, {size_px}, 3), n >= 1, and their classes (n,) "
                f"or None. Received for {part}: {pixels.shape} and "
                f"{None if labels is None else labels.shape}. Resize the pictures first."
            )
    return shown


def _generated(size_px: int) -> np.ndarray:
    from tlkeras.data.pipeline import pixel_batches
    from tlkeras.export.samples import sample_pictures

    batches = pixel_batches(sample_pictures(size_px), (size_px, size_px))
    return np.concatenate([batch.pixels for batch in batches])


def _content(
    network: "keras.Model", kind: Kind, pictures: np.ndarray | None, size_px: int
) -> bytes:
    import converters
    from converters.keras_to_litert import litert_bytes
    from tlkeras.export.formats.rounding.half import halved
    from tlkeras.export.formats.rounding.int8 import calibration, int8_bytes
    from tlkeras.export.formats.rounding.spread import spread

    if kind == "int8":
        return int8_bytes(network, calibration(pictures, size_px))
    try:
        if kind == "float16":
            return halved(litert_bytes(network))
        return litert_bytes(spread(network), kind) if kind == "dynamic" else litert_bytes(network)
    except converters.ConversionError as error:
        raise ExportError(f"{network.name} can't be written for LiteRT: {error}") from error


def _check(found: Quality, kind: Kind, max_drop: float, name: str, network: "keras.Model") -> None:
    from converters.exported import HALF_TOLERANCE, computes_in_half

    tolerance = TOLERANCES.get(kind, float("inf"))
    score_tolerance = SCORE_TOLERANCES.get(kind, float("inf"))
    if computes_in_half(network):
        tolerance = max(tolerance, HALF_TOLERANCE)
        score_tolerance = max(score_tolerance, SCORES_TO_PROBABILITIES * HALF_TOLERANCE)
    score = found.unknown_difference or 0.0
    for what, apart, most in (
        ("probabilities", found.largest_difference, tolerance),
        ("unknown scores", score, score_tolerance),
    ):
        if not apart <= most:
            raise ParityError(
                f"Expected {what} within {most:g} of the model's from {name}. Received: "
                f"{apart:.2g} on {found.pictures} {found.part} pictures. "
                "Export to ONNX or a SavedModel."
            )
    if not np.isfinite([found.largest_difference, score]).all():
        raise ParityError(
            f"Expected {name} to answer with numbers. Received: NaN or infinity for some of "
            f"{found.pictures} {found.part} pictures. Take litert or litert-dynamic."
        )
    if found.before is not None or kind not in TOLERANCES:  # a label that differs there is a tie
        check_drop(found, max_drop, name)


def _written(path: Path, content: bytes, note: dict[str, object], measured: list[Quality]) -> Path:
    beside = quality_file(path)
    try:
        beside.unlink(missing_ok=True)  # an old file's figures must not stand beside a new file
        write_bytes(path, content)
        text = json.dumps(note, indent=2, ensure_ascii=False) + "\n"
        write_bytes(beside, text.encode("utf-8"))
    except OSError as error:
        raise ExportError(
            f"Expected to write '{path}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error
    logger.info("%s: %d bytes; %s", path, len(content), "; ".join(map(str, measured)))
    return path
