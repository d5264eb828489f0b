"""What is looked at, and told, before a network of the user's own is trained with."""

import logging

import numpy as np

from tlkeras.data.folder import ImageFolder
from tlkeras.data.pipeline import pixel_batches
from tlkeras.tasks.network.frozen import FrozenBackbone

logger = logging.getLogger(__name__)

PICTURES = 32


def look_at(frozen: FrozenBackbone, data: ImageFolder) -> list[str]:
    """Notes of the import, and whether the preprocessing fits real pictures, a sentence each.

    Nothing is changed: a preprocessing that looks wrong is named in a warning.
    """
    from tlkeras.backbones.foreign.scaling import check_scaling

    spec = frozen.spec
    notes = list(spec.notes)
    for note in notes:
        logger.info("%s", note)
    check = check_scaling(frozen.model, spec.preprocessing, _some(data, spec.size_px))
    logger.log(logging.WARNING if check.better else logging.INFO, "%s: %s", spec.name, check)
    return [*notes, str(check)]


def _some(data: ImageFolder, size_px: int) -> np.ndarray:
    """(n, size_px, size_px, 3): training pictures of all classes alike, at most 32."""
    pictures = data.train.pictures
    step = max(1, len(pictures) // PICTURES)
    sources = [picture.source for picture in pictures[::step][:PICTURES]]
    batches = [batch.pixels for batch in pixel_batches(sources, (size_px, size_px))]
    return np.concatenate(batches) if batches else np.empty((0, size_px, size_px, 3), "float32")
