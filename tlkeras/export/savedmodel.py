"""A trained bundle as a TensorFlow SavedModel, put in place only when it answers like the model.

    bundle ─▶ temporary folder ─ fresh process ─ same answers? ─▶ rename ─▶ README beside it

The decoding and the preprocessing are inside, and plain TensorFlow loads the folder: neither
tlkeras nor Keras is needed to serve it.
"""

import errno
import json
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from converters.exported import quiet
from tlkeras.data.decode import MAX_PIXELS, MAX_SIDE
from tlkeras.errors import ExportError
from tlkeras.export.graph.headers import FORMATS
from tlkeras.export.samples import sample_pictures
from tlkeras.export.serving.described import LABELS_FILE, PREPROCESS_FILE
from tlkeras.export.serving.readme import model_name, write_readme
from tlkeras.export.serving.warmup import write_warmup
from tlkeras.export.signatures import Served, signatures
from tlkeras.export.staging import put, versions
from tlkeras.export.verify import TOLERANCE, ServedParity, verify_savedmodel

if TYPE_CHECKING:
    from tlkeras.bundle.bundle import Bundle

logger = logging.getLogger(__name__)

PARITY_FILE = "assets.extra/parity.json"

Answers = Callable[[list[bytes]], np.ndarray]
"""Encoded pictures (n,) → probabilities (n, c) float, by the model in this process.

With an unknown score that is one more column.
"""


def export(
    bundle: "Bundle",
    path: str | Path,
    pictures: Sequence[bytes],
    answers: Answers,
    *,
    tolerance: float = TOLERANCE,
    timeout_s: float = 600.0,
) -> Path:
    """The folder of a SavedModel that answered like `answers` in a fresh process.

    That is `path` where its name is a number, as of a version, or an older SavedModel stands
    there; else the next version below it, see `put`. With it come warm-up requests for TensorFlow
    Serving and, beside the versions, a README for those who ask the model. `pictures` are encoded
    files to compare on; with none, a few generated ones are used. What was measured lies in the
    folder and is read by `served_parity`. When the answers differ, ParityError is raised, nothing
    is put in place and what stood there stays.

    Example::

        version = export(bundle, "serve/flowers", files, answers=probabilities_of_files)
        print(version, served_parity(version))       # serve/flowers/1 …
    """
    shown = list(pictures) or sample_pictures(int(bundle.backbone["size_px"]))

    def fill(folder: Path) -> None:
        write_savedmodel(bundle, folder)
        write_warmup(folder, model_name(path))
        table = np.asarray(answers(shown), np.float32)
        classes = len(bundle.class_names)
        expected, scores = table[:, :classes], table[:, classes:]
        parity = verify_savedmodel(
            folder,
            shown,
            [bundle.class_names[row] for row in expected.argmax(axis=1)],
            expected,
            scores[:, 0] if scores.size else None,
            tolerance=tolerance,
            timeout_s=timeout_s,
        )
        note = json.dumps(parity.to_dict(), indent=2) + "\n"
        (folder / PARITY_FILE).write_text(note, encoding="utf-8")

    version = put(path, fill, bundle.network.size_bytes // 2)
    write_readme(version)
    logger.info("SavedModel verified and put at %s: %s", version, served_parity(version))
    return version


def served_parity(path: str | Path) -> ServedParity:
    """What `export` measured when it wrote the SavedModel at `path`."""
    note = Path(path) / PARITY_FILE
    try:
        return ServedParity.from_json(note.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(
            f"Expected the result of a verified export in '{note}', but: {error}. "
            f"{_way_on(Path(path))}; a folder from elsewhere was never verified."
        ) from error


def to_savedmodel(bundle: "Bundle", path: str | Path) -> Path:
    """The folder of a SavedModel with four signatures, labels and preprocessing.

    That is `path`, or the next version below it, see `put`. An older SavedModel there gives way
    when the new one is complete; anything else is refused. Every output is float32, whatever the
    training's precision. Nothing is verified; `export` does both.

    Example::

        to_savedmodel(bundle, "serve/flowers/1")
        served = tf.saved_model.load("serve/flowers/1")
        answer = served.signatures["serving_default"](image_bytes=tf.constant([jpeg]))
    """
    return put(path, lambda folder: write_savedmodel(bundle, folder))


def write_savedmodel(bundle: "Bundle", folder: Path) -> None:
    """Fill an empty `folder`; `to_savedmodel` is this, staged."""
    _check_class_names(bundle)
    with tempfile.TemporaryDirectory() as notes:
        labels, preprocess = Path(notes, LABELS_FILE), Path(notes, PREPROCESS_FILE)
        labels.write_text("\n".join(bundle.class_names) + "\n", encoding="utf-8")
        told = json.dumps(preprocessing(bundle), indent=2, ensure_ascii=False)
        preprocess.write_text(told + "\n", encoding="utf-8")
        served = Served(bundle, assets=[labels, preprocess])
        try:
            with quiet("tensorflow"):
                tf.saved_model.save(served, str(folder), signatures=signatures(served))
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            if "No space left" in str(error):
                raise OSError(errno.ENOSPC, "No space left on device") from error
            raise ExportError(
                f"Expected TensorFlow to save the model into '{folder.parent}', but: {error}. "
                "See that the disk has room, and that every layer of the model runs as a graph."
            ) from error


def preprocessing(bundle: "Bundle") -> dict[str, object]:
    """What happens to a picture before the first weight sees it, in words and numbers.

    Example::

        preprocessing(bundle)["size_px"]      # 224
    """
    size_px = int(bundle.backbone["size_px"])
    name = bundle.backbone.get("preprocessing", "none")
    return {
        "in_words": (
            "Decode, turn as EXIF says, drop alpha, stretch to "
            f"{size_px} x {size_px} pixels, RGB from 0 to 255; the model scales by itself."
        ),
        "formats": list(FORMATS),
        "orientation": "EXIF applied",
        "max_pixels": MAX_PIXELS,
        "max_side_px": MAX_SIDE,
        "size_px": size_px,
        "resize": {"method": "bilinear", "antialias": True, "aspect_ratio": "stretched"},
        "range": [0, 255],
        "dtype": "float32",
        "colour_order": "RGB",
        "backbone": bundle.backbone.get("name"),
        "licence_of_the_weights": bundle.backbone.get("licence") or "not stated",
        "inside_the_model": name,
    }


def _way_on(path: Path) -> str:
    found = versions(path) if path.is_dir() else []
    return f"Name a version, such as '{path / str(found[-1])}'" if found else "Export again"


def _check_class_names(bundle: "Bundle") -> None:
    names = list(bundle.class_names)
    classes = bundle.model.output_shape[-1]
    if len(names) != classes:
        raise ExportError(
            f"Expected one class name for each of the model's {classes} outputs, came "
            f"{len(names)}: {', '.join(names[:5])}. Save the bundle again with its own names."
        )
    broken = [name for name in names if len(name.splitlines()) != 1]
    if broken:
        raise ExportError(
            f"Expected class names of one line, as {LABELS_FILE} holds one a line; came "
            f"{broken[0]!r}. Rename the class."
        )
