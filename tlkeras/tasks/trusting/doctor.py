"""What commonly goes wrong in a Keras model, looked for in any model or file, ours or not."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.bundle.bundle import LABELS
from tlkeras.bundle.index import is_run
from tlkeras.data.decode import Source
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part
from tlkeras.data.pipeline import load_pixels
from tlkeras.data.sources import gather
from tlkeras.errors import BundleError, DataError, DecodeError
from tlkeras.evaluation.doctor import Diagnosis, Symptom
from tlkeras.tasks.image_classifier import ImageClassifier
from tlkeras.tasks.trusting.asked import as_asked

if TYPE_CHECKING:
    import keras

    from tlkeras.evaluation.doctor.patient import Patient

Pictures = Part | ImageFolder | Source | Iterable[Source]

PICTURES = 32
_LABEL_BYTES = 4 << 20


def doctor(
    model: "keras.Model | ImageClassifier | str | Path", pictures: Pictures | None = None
) -> Diagnosis:
    """What is wrong with a Keras model, gravest first, each with its fix.

    Looked at: whether what is frozen or trains is what was asked for, the mode and statistics of
    BatchNormalization, how pixels are scaled before the first layer that learns, what comes out,
    class names, and code in the file. The model is neither changed nor trained; a file is opened
    in Keras' safe mode only, and one with code in it is not opened at all.

    Args:
        model: a keras.Model, an ImageClassifier, a .keras or .h5 file, or a run folder.
        pictures: real ones, as `ImageClassifier.predict` takes them, or a part of a data set:
            with them the scaling and the order of the channels are held against the statistics
            of the training. About thirty are looked at. None: only what needs none.

    Raises:
        DataError: the file does not exist or is of another kind, or no picture can be read.

    Example::

        print(tl.doctor("somebody_elses.keras", "pictures/"))
    """
    if isinstance(model, str | Path):
        return _of_path(Path(model), pictures)
    if isinstance(model, ImageClassifier):
        return _of_classifier(model, pictures, repr(model))
    name = str(getattr(model, "name", type(model).__name__))
    return _examined(model, name, _compiled(model), _class_names(pictures), pictures)


def _of_path(path: Path, pictures: Pictures | None) -> Diagnosis:
    if path.is_dir() and is_run(path):
        try:
            classifier = ImageClassifier.load(path)
        except BundleError as err:
            fix = "save the run again, or take a copy of it"
            return Diagnosis(str(path), [Symptom("damaged-run", "error", str(err), fix)])
        return _of_classifier(classifier, pictures, str(path))
    from tlkeras.evaluation.doctor.opening import opened

    found = opened(path)
    if found.model is None:
        return Diagnosis(path.name, found.symptoms)
    beside = path.with_name(LABELS)
    names = _class_names(pictures) or (_lines(beside) if beside.is_file() else None)
    return _examined(found.model, path.name, found.compiled, names, pictures)


def _of_classifier(classifier: ImageClassifier, pictures: Pictures | None, name: str) -> Diagnosis:
    fitted = classifier._trained()
    return _examined(
        classifier.model,
        name,
        {},
        fitted.class_names,
        pictures,
        takes_rgb=True,
        more=as_asked(classifier.source, fitted, classifier.recipe),
    )


def _examined(
    model: "keras.Model",
    name: str,
    compiled: dict[str, object],
    class_names: tuple[str, ...] | None,
    pictures: Pictures | None,
    *,
    takes_rgb: bool = False,
    more: Iterable[Symptom] = (),
) -> Diagnosis:
    from tlkeras.evaluation.doctor.batchnorm import batchnorm
    from tlkeras.evaluation.doctor.freezing import freezing
    from tlkeras.evaluation.doctor.outputs import outputs
    from tlkeras.evaluation.doctor.patient import Patient
    from tlkeras.evaluation.doctor.pixels import pixels

    bare = Patient(model, name, compiled, class_names, takes_rgb=takes_rgb)
    if not model.built:
        built = Symptom(
            "not-built",
            "error",
            "it has no weights yet: what it takes is not known",
            "call it once, or give keras.Input as its first layer",
        )
        return Diagnosis(name, [built])
    shown = None if pictures is None or not bare.takes_pictures else _pixels(pictures, bare)
    patient = Patient(model, name, compiled, class_names, shown, takes_rgb)
    found = [*more, *freezing(patient), *batchnorm(patient), *pixels(patient), *outputs(patient)]
    return Diagnosis(patient.summary, found)


def _pixels(pictures: Pictures, patient: "Patient") -> np.ndarray:
    """(k, h, w, 3) float32 in [0, 255]: at most 32 of the pictures, spread over them all."""
    part = pictures.train if isinstance(pictures, ImageFolder) else pictures
    sources: list[Source] = (
        [picture.source for picture in part.pictures] if isinstance(part, Part) else gather(part)
    )
    found = list(_readable(sources[:: max(1, len(sources) // PICTURES)], patient.size_px))
    if not found:
        raise DataError(
            f"The doctor needs pictures that can be read. Received: {len(sources)}, none of them "
            "readable. Name a folder of JPEG or PNG files."
        )
    return np.stack(found[:PICTURES])


def _readable(sources: list[Source], size_px: tuple[int, int]) -> Iterator[np.ndarray]:
    for source in sources:
        try:
            yield load_pixels(source, size_px)
        except DecodeError:  # a broken picture says nothing about the model; `check` tells of it
            continue


def _class_names(pictures: Pictures | None) -> tuple[str, ...] | None:
    return pictures.class_names if isinstance(pictures, Part | ImageFolder) else None


def _lines(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:  # a file of names, not whatever somebody put beside a model
        return tuple(file.read(_LABEL_BYTES).decode("utf-8", "replace").splitlines())


def _compiled(model: "keras.Model") -> dict[str, object]:
    """The compile configuration of a model in memory, as far as it can be written down."""
    if not getattr(model, "compiled", False):
        return {}
    try:
        return dict(model.get_compile_config() or {})
    except Exception:  # a loss or metric of its author's own that is no Keras object
        return {"loss": "unknown"}
