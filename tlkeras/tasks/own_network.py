"""What is looked at, and told, before a network of the user's own is trained with."""

import logging

from tlkeras.data.folder import ImageFolder
from tlkeras.data.pipeline import some_pixels
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
    check = check_scaling(
        frozen.model, spec.preprocessing, some_pixels(data.train.pictures, spec.size_px, PICTURES)
    )
    logger.log(logging.WARNING if check.better else logging.INFO, "%s: %s", spec.name, check)
    return [*notes, str(check)]
