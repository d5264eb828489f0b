"""A few pictures of a training with what they are answered, for `tlkeras verify` to ask again."""

import logging
from pathlib import Path

from tlkeras.bundle.outputs import Outputs
from tlkeras.data.picture import Picture
from tlkeras.errors import TlkerasError
from tlkeras.tasks.fitted import Fitted, is_still
from tlkeras.tasks.network.forms import TOLERANCE, OnBackbone

logger = logging.getLogger(__name__)

PICTURES = 16
LOW_PRECISION = 0.1
"""Of a probability whose embedding was in bfloat16; the folder's files compute in float32."""


def answered(fitted: Fitted) -> Outputs | None:
    """Answers for at most 16 pictures spread over the validation part; None without any.

    After `fit` they are known embeddings, and cost nothing.
    """
    rows = [row for row in fitted.manifest if row["part"] == "validation"]
    step = max(1, len(rows) // PICTURES)
    pictures = [_picture(row, fitted) for row in rows[::step][:PICTURES]]
    here = [picture for picture in pictures if is_still(picture)]
    if not here:
        return None
    try:
        probabilities = fitted.network.score(here)
    except TlkerasError as error:
        logger.info("the run keeps no answers: %s", error)
        return None
    return Outputs(
        tuple(str(picture.path) for picture in here),
        tuple(picture.sha256 for picture in here),
        probabilities,
        _tolerance(fitted),
    )


def _picture(row: dict[str, object], fitted: Fitted) -> Picture:
    label = fitted.class_names.index(str(row["label"]))
    return Picture(Path(str(row["path"])), label, str(row["sha256"]))


def _tolerance(fitted: Fitted) -> float:
    network = fitted.network
    low = isinstance(network, OnBackbone) and network.embedding.precision != "float32"
    return LOW_PRECISION if low else TOLERANCE
