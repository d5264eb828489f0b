"""Is transfer right here? The pretrained backbone beside all that could do without it.

train + validation ─┬ probes: pretrained · untrained · pixel statistics    (cross-validated)
                    └ networks: pretrained, fine-tuned · untrained         (within minutes)
"""

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.folder import ImageFolder
from tlkeras.errors import DataError
from tlkeras.progress import Progress, of, showing
from tlkeras.selection.growth import grow
from tlkeras.tasks.choosing.learning_curve import check_count
from tlkeras.tasks.choosing.transfer.pixel_statistics import pixel_statistics
from tlkeras.tasks.choosing.transfer.result import Transfer
from tlkeras.tasks.choosing.transfer.untrained import untrained
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.own_network import look_at
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

MINUTES = 5.0
EPOCHS = 20


def compare_with_scratch(
    data: ImageFolder | str | Path,
    backbone: "str | Path | keras.Model" = "MobileNetV2",
    *,
    weights: str | Path | None = "default",
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Transfer:
    """Whether transfer helps on these pictures, with the learning curves that say so.

    Linear heads on the pretrained backbone, on the same backbone untrained and on simple pixel
    statistics are cross-validated on the same pictures. Then the pretrained network is
    fine-tuned and the untrained one trained end to end on the same training pictures, views and
    epochs, each epoch judged on the validation part. Higher start, higher slope and higher
    asymptote are what transfer can bring: L. Torrey, J. Shavlik, "Transfer learning", 2009. The
    test part is not touched.

    Args:
        data: labelled pictures, or their folder.
        backbone: as for `ImageClassifier`.
        weights: as for `ImageClassifier`.
        epochs: of both networks, 20 when None; 0 leaves them out.
        minutes: that training the networks should take; 5 when None. To keep it, pictures are
            resized to less, then epochs and then pictures are left out; `notes` says which.
            On a busy machine it can take half as long again.
        seed: decides folds, new weights and augmented views.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        DataError: too few pictures, or a number that is out of range.
        WeightsError: the pretrained weights can't be had; the message lists ways on.

    Example::

        transfer = tl.compare_with_scratch("flowers/", "MobileNetV2-0.35")
        print(transfer.verdict)
    """
    budget_s, epochs = _checked(minutes, epochs)
    folder = ImageFolder(data) if isinstance(data, str | Path) else data
    source = BackboneSource(backbone, weights)
    pictures = [*folder.train.pictures, *folder.validation.pictures]
    classes = len(folder.class_names)
    check_count(len(pictures), classes)
    recipe = Recipe(seed=seed)
    with showing(progress) as show:
        embedding = Embedding(source.frozen(seed), recipe)
        notes = look_at(embedding.frozen, folder) if source.spec() is None else []
        features = {
            "pretrained backbone": embedding(pictures, progress=of("pretrained", show)),
            "untrained backbone": Embedding(untrained(source, seed), recipe)(
                pictures, progress=of("untrained", show)
            ),
            "pixel statistics": pixel_statistics(pictures, show),
        }
        embedding.release()
        groups = folder.groups("train", "validation").tolist()
        probes = {
            name: grow(each, classes, seed=seed, groups=groups, progress=of(name, show))
            for name, each in features.items()
        }
        counts = np.bincount(features["pixel statistics"].labels, minlength=classes).tolist()
        found = Transfer(source.label, folder.class_names, tuple(counts), probes)
        if epochs and len(folder.validation):
            from tlkeras.tasks.choosing.transfer.within_minutes import train_both

            both = train_both(source, folder, recipe.replace(epochs=epochs), budget_s, show)
            notes += both.notes
            found = replace(
                found, pretrained=both.pretrained, untrained=both.untrained, size_px=both.size_px
            )
        elif epochs:
            notes.append("no network was trained: there is no validation part to judge it on")
    for note in notes:
        logger.info("%s", note)
    return replace(found, notes=tuple(notes))


def _checked(minutes: float | None, epochs: int | None) -> tuple[float, int]:
    """Seconds and epochs, the usual ones where none were given.

    Raises:
        DataError: minutes or epochs out of range.
    """
    minutes, epochs = (
        MINUTES if minutes is None else minutes,
        EPOCHS if epochs is None else epochs,
    )
    if not (minutes > 0 and math.isfinite(minutes)):
        raise DataError(
            f"minutes is expected above 0, or None for {MINUTES:g}. Received: {minutes}. "
            "Pass epochs=0 to train no network at all."
        )
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
        raise DataError(
            f"epochs is expected as a whole number from 0. Received: {epochs!r}. "
            f"{EPOCHS} is usual; 0 trains no network."
        )
    return 60 * minutes, epochs
