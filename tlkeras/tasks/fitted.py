"""What training leaves behind, and the two ways to get there: a new head, a tuned backbone."""

import hashlib
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tlkeras.backbones.spec import Backbone
from tlkeras.bundle.index import sha256
from tlkeras.bundle.outputs import Outputs
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part, Picture, printable
from tlkeras.errors import DataError
from tlkeras.heads.temperature import fit_temperature
from tlkeras.heads.unknown import fit_again, fit_unknown
from tlkeras.progress import Progress
from tlkeras.tasks.cost import measured
from tlkeras.tasks.network import forms
from tlkeras.tasks.network.agreement import compare
from tlkeras.tasks.network.assembly import EMBEDDING, join
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.network.forms import Classifying, OnBackbone
from tlkeras.tasks.network.trunk import onnx_trunk
from tlkeras.training.finetune import Judged, Tuned, Tuning, fine_tune
from tlkeras.training.look import Look
from tlkeras.training.probe import HeadKind, Probe, probe
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning.checkpoint import Checkpoint
from tlkeras.training.weights import imbalance_hint

if TYPE_CHECKING:
    from tlkeras.export.verify import ServedParity

logger = logging.getLogger(__name__)

NOT_TEMPERED = (
    "the probabilities are as the head's own layers give them: a temperature is folded into a "
    "Dense layer and a softmax, and the head does not end in these"
)


@dataclass
class Fitted:
    """A trained classifier and the record of how it came about.

    Attributes:
        network: pixels (n, h, w, 3) float32 in [0, 255] → probabilities (n, classes) float32.
        spec: the backbone's catalogue entry, or what stands for it.
        class_names: name of each column of the probabilities.
        validation: how the model did on the validation part before it trained on it too.
        fine_tuned: whether the backbone's weights are no longer the pretrained ones.
        chosen: settings that the validation part decided.
        history: one row an epoch, or a setting tried; `phase` says of what.
        manifest: one row a picture: path, sha256, label, part.
        decisions: what was decided without the user, each with its reason.
        temperature: what the logits were divided by, folded into the network; 1: nothing.
        cost: by step of the training its seconds, passes and memory; see `cost.measured`.
        versions: of Python and the packages that it was trained with; empty for those in use.
        data: the pictures it was trained with, where they are at hand as a data set.
        served: how far the last export's answers were from the model's.
        outputs: of a run folder, what a few pictures were answered when it was saved.
    """

    network: Classifying
    spec: Backbone
    class_names: tuple[str, ...]
    validation: Judged
    fine_tuned: bool = False
    chosen: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, object]] = field(default_factory=list)
    manifest: list[dict[str, object]] = field(default_factory=list)
    metrics: dict[str, dict[str, object]] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    temperature: float = 1.0
    cost: dict[str, dict[str, float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    data: ImageFolder | None = None
    served: "ServedParity | None" = None
    outputs: Outputs | None = None


def fit_head(
    embedding: Embedding, data: ImageFolder, head: HeadKind, recipe: Recipe, show: Progress
) -> tuple[Fitted, Probe]:
    """A new head on a frozen backbone.

    Raises:
        DataError: the training or the validation part is empty.
    """
    for part in (data.train, data.validation):
        if not len(part):
            raise DataError(
                f"Training needs pictures in the {part.name} part. Received: none. "
                "Give it a share: ImageFolder(folder, split=(0.70, 0.15, 0.15))."
            )
    decisions = [f"set aside {printable(aside.path)}: {aside.reason}" for aside in data.set_aside]
    hint = imbalance_hint(data.train.counts(), recipe.class_weight)
    if hint:
        decisions.append(hint)
    embedding, found, said = _probed(embedding, data, head, recipe, show)
    decisions += said
    choice = ", ".join(f"{name} {value:g}" for name, value in found.head.chosen.items())
    decisions.append(
        f"the head's {choice} did best on the validation part (accuracy {found.accuracy:.3f}); "
        "trained with it on the training and the validation part"
    )
    warm = found.head.tempered(found.temperature.value)
    decisions += [str(found.temperature) if warm else NOT_TEMPERED, str(found.unknown)]
    for line in decisions:
        logger.info("%s", line)
    fitted = Fitted(
        network=OnBackbone(embedding, warm or found.head, found.unknown),
        spec=embedding.frozen.spec,
        class_names=data.class_names,
        validation=Judged(found.accuracy, found.loss),
        chosen=dict(found.head.chosen),
        history=[{"phase": "head", **row} for row in found.head.history],
        manifest=manifest(data),
        data=data,
        decisions=decisions,
        temperature=found.temperature.value if warm else 1.0,
    )
    return fitted, found


def _probed(
    embedding: Embedding, data: ImageFolder, head: HeadKind, recipe: Recipe, show: Progress
) -> tuple[Embedding, Probe, list[str]]:
    """The head with the embedding that it was trained on: float32 if less changes its answers."""
    train, validation = data.train.pictures, data.validation.pictures
    classes = len(data.class_names)
    found = probe(embedding, train, validation, classes, head, recipe, show)
    said = list(embedding.lines)
    if embedding.precision != "float32":
        embedding.release()  # two engines at once would hold twice the memory
        exact = Embedding(embedding.frozen, recipe, "float32")
        agreement = compare(embedding, exact, found.head, validation)
        said += [*exact.lines, str(agreement)]
        if not agreement.holds:
            logger.warning("%s", agreement)
            embedding = exact
            found = probe(exact, train, validation, classes, head, recipe, show)
    return embedding, found, said


def tune_backbone(
    fitted: Fitted,
    found: Probe,
    data: ImageFolder,
    recipe: Recipe,
    show: Progress,
    folder: Path | None = None,
) -> Tuned:
    """Fine-tune a freshly fitted classifier; it holds the better of both models afterwards.

    With a folder each epoch is kept there, and one that has some is gone on with.
    """
    frozen = cast(OnBackbone, fitted.network).pretrained().frozen
    work = {"backbone": frozen.fingerprint, "pictures": _in_order(data), "recipe": recipe.to_dict()}
    checkpoint = Checkpoint(folder, work) if folder is not None else None
    model = join(frozen.model, found.head.before_refit.to_layers())
    # Its layers are the backbone's own: whoever wants the pretrained ones again builds them.
    frozen.release()
    refitted = [value for layer in found.head.to_layers() for value in layer.get_weights()]
    size_px = fitted.spec.size_px
    tuning = Tuning(model, EMBEDDING, size_px, recipe, partial(onnx_trunk, size_px=size_px))
    with measured(fitted.cost.setdefault("fine-tuning", {})):
        tuned = fine_tune(
            tuning, data.train.pictures, data.validation.pictures, refitted, show, checkpoint
        )
    fitted.history += [{"phase": "fine-tuning", **row} for row in tuned.history]
    for line in filter(None, (tuned.stopped, str(tuned))):
        fitted.decisions.append(line)
        logger.info("%s", line)
    if tuned.better:
        fitted.fine_tuned = True
        fitted.validation = tuned.best
        fitted.network = forms.Tuned(model, size_px)
        if tuned.before is not None and tuned.after is not None:
            _trust(fitted, fitted.network, tuned.before, tuned.after, recipe)
    return tuned


def _trust(fitted: Fitted, network: forms.Tuned, before: Look, after: Look, recipe: Recipe) -> None:
    """Temperature and unknown score of a fine-tuned network, by pictures that were new to it."""
    from tlkeras.heads.layers import divide_logits, logits_layer

    layers = network.model.layers
    place = logits_layer(layers)
    temperature = fit_temperature(before.answers, before.truth)
    if place is not None:
        divide_logits(layers[place], temperature.value)
    unknown = fit_unknown(
        before.vectors, before.labels, before.unseen, recipe.false_alarms, frozen=False
    )
    if after is not before:
        unknown = fit_again(unknown, before.vectors, after.vectors, after.labels)
    network.unknown = unknown
    fitted.temperature = 1.0 if place is None else temperature.value
    for line in (NOT_TEMPERED if place is None else str(temperature), str(unknown)):
        fitted.decisions.append(f"after fine-tuning: {line}")
        logger.info("%s", fitted.decisions[-1])


def _in_order(data: ImageFolder) -> str:
    """Hash of what training goes through, in its order: contents and labels."""
    digest = hashlib.sha256(repr(data.class_names).encode())
    for part in (data.train, data.validation):
        digest.update(repr((part.name, part.sha256)).encode() + part.labels.tobytes())
    return digest.hexdigest()


def manifest(data: ImageFolder) -> list[dict[str, object]]:
    """One row a picture of the data set: path, sha256, label, part."""
    return [
        {
            "path": str(picture.path),
            "sha256": picture.sha256,
            "label": data.class_names[picture.label],
            "part": part.name,
        }
        for part in (data.train, data.validation, data.test)
        for picture in part.pictures
    ]


def recorded_part(fitted: Fitted, name: str) -> Part:
    """A part of the pictures that the classifier was trained with, from its manifest.

    Raises:
        DataError: files that are no longer there, or no longer the same.
    """
    columns = {label: column for column, label in enumerate(fitted.class_names)}
    rows = [row for row in fitted.manifest if row["part"] == name]
    pictures = tuple(
        Picture(Path(str(row["path"])), columns[str(row["label"])], str(row["sha256"]))
        for row in rows
    )
    gone = [picture.path for picture in pictures if not is_still(picture)]
    if gone:
        raise DataError(
            f"The {name} part has {len(pictures)} pictures. Received: {len(gone)} of them that "
            f"moved or changed since training, such as {gone[0]}. Run this where the run was "
            "trained, or name a folder of labelled pictures."
        )
    return Part(name, pictures, fitted.class_names)


def is_still(picture: Picture) -> bool:
    """Whether its file is where it was, with the same bytes; False for arrays."""
    try:
        return sha256(picture.path) == picture.sha256
    except OSError:
        return False


def columns_of(names: tuple[str, ...], class_names: tuple[str, ...]) -> np.ndarray:
    """(len(names),) int64: for each class of a data set, its column in a model's answers.

    Raises:
        DataError: a class that the model does not know.

    >>> columns_of(("dog", "cat"), ("cat", "dog")).tolist()
    [1, 0]
    """
    unknown = [name for name in names if name not in class_names]
    if unknown:
        raise DataError(
            f"The classifier knows {', '.join(map(repr, class_names))}. Received pictures of "
            f"{', '.join(map(repr, unknown))}. Evaluate on the classes it was trained on."
        )
    return np.array([class_names.index(name) for name in names], "int64")
