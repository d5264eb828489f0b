"""What is odd about a data set; with a backbone, which labels and pictures do not fit as well.

pictures ─check─▶ findings ─────────────────────────────────────────┐
    └─ training and validation part ─embed─▶ labels, outliers ──────┴─▶ findings ─▶ one page
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.check import Finding, Findings
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Picture
from tlkeras.errors import DataError
from tlkeras.progress import Progress, showing

if TYPE_CHECKING:
    import keras

    from tlkeras.features.features import Features
    from tlkeras.tasks.image_classifier import ImageClassifier
    from tlkeras.tasks.network.assembly import BackboneSource

logger = logging.getLogger(__name__)


def check(
    data: ImageFolder | str | Path,
    backbone: "str | Path | keras.Model | ImageClassifier | None" = None,
    *,
    weights: str | Path | None = "default",
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """What is odd about the pictures; with a backbone, suspected wrong labels and outliers too.

    Without a backbone this is `data.check()`. With one, the pictures of the training and
    validation part are embedded, each once, and compared with one another. The test part is left
    alone: labels corrected with a model's help would flatter that model. Pictures whose
    label somebody has decided, see `data.corrections`, are not suspected again.

    Args:
        data: the pictures, or their folder.
        backbone: as for `ImageClassifier`, or a classifier, whose backbone is taken.
        weights: of a backbone that is named.
        seed: decides the folds, and the split of a folder.
        progress: receives how far the work has come; shown in terminal or notebook when None.

    Raises:
        DataError: the pictures cannot be trained on as they are.

    Example::

        findings = tl.check("flowers", "MobileNetV2")
        print(findings)
        for finding in findings:
            finding.kind, finding.paths, finding.details    # "rose → daisy (97 % against 1 %)"
    """
    folder = data if isinstance(data, ImageFolder) else ImageFolder(data, seed=seed)
    source = None if backbone is None else _source(backbone, weights)
    found = folder.check()
    if source is None:
        return found
    with showing(progress) as show:
        features, pictures = _embedded(folder, source, seed, show)
        show("judging labels", 0, 1)
        more = list(unlikely(folder, features, pictures, seed))
        show("judging labels", 1, 1)
    return found.with_(more)


def unlikely(
    folder: ImageFolder, features: "Features", pictures: Sequence[Picture], seed: int = 0
) -> Iterator[Finding]:
    """Findings about labels and pictures that do not fit the others.

    Args:
        folder: the data set.
        features: of the pictures of its training part, then of those of its validation part.
        pictures: the same pictures.
        seed: decides the folds.
    """
    from tlkeras.evaluation.suspects.findings import outlying, suspected_labels
    from tlkeras.evaluation.suspects.labels import doubt
    from tlkeras.evaluation.suspects.outliers import how_far, outliers

    groups = folder.groups("train", "validation").tolist()
    decided = _decided(folder)
    try:
        doubts = doubt(features, len(folder.class_names), seed=seed, groups=groups)
    except DataError as error:
        yield Finding("labels-unknown", "info", f"no label was judged: {error}")
    else:
        rows = np.array(
            [row for row in doubts.listed.tolist() if pictures[row].path not in decided], np.int64
        )
        if len(rows):
            paths = [pictures[row].path for row in rows.tolist()]
            yield suspected_labels(doubts, rows, paths, folder.class_names)
    far = how_far(features.vectors, groups)
    alone = outliers(far)
    if len(alone):
        yield outlying(far[alone], [pictures[row].path for row in alone.tolist()])


def to_sheet(findings: Findings, data: ImageFolder, title: str = "Findings") -> str:
    """A page of its own that shows the pictures of each finding, as HTML text.

    Example::

        Path("findings.html").write_text(to_sheet(tl.check(data), data), encoding="utf-8")
    """
    from tlkeras.evaluation.page.contact_sheet import sheet_fragment
    from tlkeras.evaluation.page.markup import section
    from tlkeras.evaluation.page.page import document

    body = sheet_fragment(findings, pictures_of(data), data.root)
    return document(title, section("Pictures", body, findings.summary))


def pictures_of(data: ImageFolder | None) -> Callable[[Path], bytes | None]:
    """A function from path to a small JPEG, None where there is no picture to be read.

    Pictures of arrays are found by the paths that stand for them in `data`.
    """
    from tlkeras.tasks.answers import thumbnails

    parts = (data.train, data.validation, data.test) if data else ()
    known = {one.path: one for part in parts for one in part.pictures if one.pixels is not None}

    def picture_of(path: Path) -> bytes | None:
        return thumbnails([known.get(path) or Picture(path, 0, "")])(0)

    return picture_of


def _source(
    backbone: "str | Path | keras.Model | ImageClassifier", weights: str | Path | None
) -> "BackboneSource":
    from tlkeras.tasks.image_classifier import ImageClassifier
    from tlkeras.tasks.network.assembly import BackboneSource

    if isinstance(backbone, ImageClassifier):
        return backbone.source
    return BackboneSource(backbone, weights)


def _embedded(
    folder: ImageFolder, source: "BackboneSource", seed: int, show: Progress
) -> tuple["Features", Sequence[Picture]]:
    """Features of the training and the validation part, and the pictures they are of."""
    from tlkeras.tasks.network.embedding import Embedding
    from tlkeras.training.recipe import Recipe

    embed = Embedding(source.frozen(seed), Recipe(seed=seed))
    pictures = [*folder.train.pictures, *folder.validation.pictures]
    return embed(pictures, progress=show), pictures


def _decided(folder: ImageFolder) -> frozenset[Path]:
    """Pictures whose label a person has given; there are none where none can be kept."""
    try:
        return folder.corrections.decided
    except DataError:  # a table or arrays
        return frozenset()
