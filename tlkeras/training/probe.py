"""A head on a frozen backbone: embeddings once, then only the head trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.errors import RecipeError
from tlkeras.features.extract import Embed, View
from tlkeras.heads.head import FittedHead, HeadTraining, Labelled, cross_entropy, share_right
from tlkeras.heads.linear import fit_linear
from tlkeras.heads.mlp import fit_mlp
from tlkeras.heads.table import Table
from tlkeras.heads.temperature import Temperature, fit_temperature
from tlkeras.heads.unknown import UnknownScore, fit_unknown
from tlkeras.progress import Progress, of, silent
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning.determinism import deterministic_ops
from tlkeras.training.weights import class_weights

if TYPE_CHECKING:
    import keras

HeadName: TypeAlias = Literal["linear", "mlp"]
HeadKind: TypeAlias = HeadName | Sequence["keras.Layer"]


@dataclass(frozen=True)
class Probe:
    """A head trained on frozen embeddings, and how it did on the validation part.

    Attributes:
        head: trained on training and validation part.
        accuracy: of the head trained on the training part alone, on the validation part.
        loss: its cross-entropy there.
        temperature: what makes its answers there as sure as they are right; not in the head.
        unknown: the score that tells pictures unlike the training part's by their embeddings.
    """

    head: FittedHead
    accuracy: float
    loss: float
    temperature: Temperature
    unknown: UnknownScore


def probe(
    extract: Embed,
    train: Sequence[Picture],
    validation: Sequence[Picture],
    classes: int,
    head: HeadKind,
    recipe: Recipe,
    progress: Progress = silent,
) -> Probe:
    """A head fitted on the pictures' embeddings; with `recipe.views`, on augmented ones too."""
    seen = labelled(extract, train, classes, recipe, of("train", progress))
    plain = extract(validation, progress=of("validation", progress))
    unseen = Labelled(Table(plain.vectors), plain.labels, np.ones(len(plain)))
    fitted = _fit(head, seen, unseen, classes, recipe, progress)
    first_looks = Table(seen.vectors.parts[0]), seen.labels[: len(train)]
    return Probe(
        head=fitted,
        accuracy=share_right(fitted.validation, unseen.labels),
        loss=cross_entropy(fitted.validation, unseen.labels),
        temperature=fit_temperature(fitted.validation, unseen.labels),
        unknown=fit_unknown(*first_looks, unseen.vectors, recipe.false_alarms),
    )


def labelled(
    extract: Embed,
    pictures: Sequence[Picture],
    classes: int,
    recipe: Recipe,
    progress: Progress = silent,
) -> Labelled:
    """Rows to train on: each picture plain and in `recipe.views` augmented looks.

    The looks of one picture together count as one, so the strength of the head means the same
    with and without augmentation.
    """
    looks: list[View | None] = [
        None,
        *(View(recipe.augmentation, number, recipe.seed) for number in range(recipe.views)),
    ]
    features = [extract(pictures, look, progress) for look in looks]
    labels = np.concatenate([each.labels for each in features])
    weights = class_weights(labels, classes, recipe.class_weight)[labels]
    return Labelled(Table(*(each.vectors for each in features)), labels, weights / len(looks))


def check_head(head: HeadKind) -> None:
    """Nothing for a head that can be trained.

    Raises:
        RecipeError: a word that names no head.

    >>> check_head("linear")
    """
    if isinstance(head, str) and head not in get_args(HeadName):
        raise RecipeError(
            f'A head is "linear", "mlp" or a list of Keras layers. Received: {head!r}.'
        )


def _fit(
    head: HeadKind,
    train: Labelled,
    validation: Labelled,
    classes: int,
    recipe: Recipe,
    progress: Progress,
) -> FittedHead:
    if head == "linear":
        return fit_linear(train, validation, classes, recipe.strengths)
    how = HeadTraining(
        epochs=recipe.head_epochs,
        learning_rate=recipe.head_learning_rate,
        batch_size=recipe.batch_size,
        patience=recipe.patience,
        seed=recipe.seed,
    )
    if isinstance(head, str):
        return fit_mlp(train, validation, classes, recipe.hidden, recipe.dropout, how, progress)
    from tlkeras.heads.layers import fit_layers

    with deterministic_ops(recipe.deterministic):
        return fit_layers(head, train, validation, classes, how, progress)
