"""What a trained classifier knows of itself, gathered when a report is written as a page.

Fitted ─┬─ its pictures ─ check ─▶ findings          ┐
        ├─ its network ─ embeddings, explanations ───┼─▶ Story
        └─ its record ─ history, recipe, cost … ─────┘

What can't be had is told in the story, and never keeps the page from being written.
"""

import csv
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tlkeras.data.checks.findings import Finding
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part, Picture
from tlkeras.errors import DataError, TlkerasError
from tlkeras.evaluation.page.story import Story
from tlkeras.features.engines.engine import Engine
from tlkeras.features.engines.tensorflow import TensorFlowEngine, compiled
from tlkeras.features.extract import Extractor
from tlkeras.progress import Progress, of, shown
from tlkeras.tasks.answers import THUMBNAIL_PX
from tlkeras.tasks.fitted import Fitted
from tlkeras.tasks.network.assembly import BackboneSource, backbone_of
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.network.forms import OnBackbone
from tlkeras.tasks.run_folder import versions
from tlkeras.tasks.trusting.check import pictures_of, unlikely
from tlkeras.threads import cores
from tlkeras.training.probe import HeadKind
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    from tlkeras.evaluation.report import Report
    from tlkeras.export.verify import ServedParity

logger = logging.getLogger(__name__)

EMBEDDED_ANEW = 1_000
"""Most pictures on the map of a network that is not the one whose embeddings are at hand."""
JUDGED = 20_000
"""Most pictures whose labels are judged for the page."""
_Got = TypeVar("_Got")


class _Gathered:
    """What could be had, and why the rest could not."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def known(self, what: str, get: Callable[[], _Got]) -> _Got | None:
        """What `get` gives; None where it fails, for an odd network must not cost the page."""
        try:
            return get()
        except Exception as error:
            logger.info("%s can't be told: %s", what, error, exc_info=True)
            self.missing[what] = str(error)
            return None


@dataclass(frozen=True, eq=False)
class Telling:
    """Rows of the answers that are shown → the story of the classifier that gave them.

    Attributes:
        fitted: the classifier, as it is when the story is told.
        source: where its backbone comes from.
        head: its kind.
        recipe: its knobs.
        part: the pictures that were answered.
        served: how far an export's answers are from the model's; None for the last one that the
            classifier made.
    """

    fitted: Fitted
    source: BackboneSource
    head: HeadKind
    recipe: Recipe
    part: Part
    served: "ServedParity | None" = None

    def __call__(self, rows: Sequence[int]) -> Story:
        """The story, with explanations of the pictures in these rows."""
        gathered = _Gathered()
        known, missing = gathered.known, gathered.missing
        fitted = self.fitted
        served = self.served or fitted.served
        with shown() as show:
            findings = known("Findings about the pictures", lambda: self._data.check())
            if findings is not None:
                more = known("Suspected labels", lambda: self._unlikely(show))
                findings = findings.with_(more or ())
            embedded = known("Embedding map", lambda: self._embedded(show))
            overlays = known("Grad-CAM", lambda: self._overlays(rows, show))
        where, vectors = embedded or (None, None)
        if served is None:
            missing["Parity of an export"] = (
                "no export was made since the classifier was trained or loaded; export(path) "
                "makes one and compares it, `tlkeras evaluate --export PATH` names one"
            )
        if not fitted.cost:
            missing["Cost"] = "the run was saved by a release that did not measure it"
        return Story(
            made_of=self._made_of(),
            decisions=tuple(fitted.decisions),
            findings=findings,
            picture_of=pictures_of(self.fitted.data),
            root=self._root(),
            history=tuple(fitted.history),
            vector_rows=where,
            vectors=vectors,
            overlays=overlays or {},
            temperature=fitted.temperature,
            parity=None if served is None else str(served),
            recipe=self.recipe.to_dict(),
            versions=fitted.versions or versions(),
            cost=fitted.cost,
            missing=missing,
        )

    def _made_of(self) -> dict[str, str]:
        fitted, spec = self.fitted, self.fitted.spec
        head = self.head if isinstance(self.head, str) else "layers of the user's own"
        chosen = ", ".join(f"{name} {value:g}" for name, value in fitted.chosen.items())
        counts = [
            f"{name} {sum(row['part'] == name for row in fitted.manifest):,}"
            for name in ("train", "validation", "test")
        ]
        return {
            "backbone": f"{spec.name}, {'fine-tuned' if fitted.fine_tuned else 'frozen'}",
            "weights": self.source.weights_name,
            "licence of the weights": spec.licence or "not stated",
            "input": f"{spec.size_px} x {spec.size_px} px",
            "head": f"{head} ({chosen})" if chosen else head,
            "pictures": ", ".join(counts),
            "answered here": f"{len(self.part):,} of the {self.part.name} part",
            "validation accuracy": f"{fitted.validation.accuracy:.3f} before training on it too",
        }

    @cached_property
    def _data(self) -> ImageFolder:
        return self.fitted.data or _recorded(self.fitted)

    def _unlikely(self, show: Progress) -> list[Finding]:
        """Labels and pictures that do not fit the others, by embeddings that never saw a label.

        Raises:
            TlkerasError: the network has learned from the labels, or there are too many.
        """
        data, advice = self._data, "`tlkeras check FOLDER --backbone NAME` looks for them"
        if self.fitted.fine_tuned:
            raise TlkerasError(f"fine-tuning has learned the labels, wrong ones too; {advice}")
        pictures = [*data.train.pictures, *data.validation.pictures]
        if len(pictures) > JUDGED:
            raise TlkerasError(f"{len(pictures):,} pictures would take long; {advice}")
        features = _extractor(self.fitted)(pictures, progress=of("training", show))
        return list(unlikely(data, features, pictures, self.recipe.seed))

    def _root(self) -> Path | None:
        """The folder whose labels can be corrected; a table's or arrays' can't."""
        data = self.fitted.data
        try:
            return data.root if data is not None and data.corrections is not None else None
        except DataError:
            return None

    def _embedded(self, show: Progress) -> tuple[np.ndarray, np.ndarray]:
        """Rows (m,) of the answers and their embeddings (m, d); all rows where that is cheap."""
        embed, pictures = _extractor(self.fitted), self.part.pictures
        known = isinstance(embed, Embedding)
        count = len(pictures) if known else min(len(pictures), EMBEDDED_ANEW)
        rows = np.linspace(0, len(pictures) - 1, count).round().astype(np.int64)
        some = pictures if known else [pictures[row] for row in rows.tolist()]
        return rows, embed(some, progress=of(self.part.name, show)).vectors

    def _overlays(self, rows: Sequence[int], show: Progress) -> dict[int, bytes]:
        from tlkeras.evaluation.explain import explain_each

        found: dict[int, bytes] = {}
        for start in range(0, len(rows), 8):
            some = rows[start : start + 8]
            explained = explain_each(
                self.fitted.network.model,
                [self.part.pictures[row].source for row in some],
                self.fitted.spec.size_px,
                self.fitted.class_names,
            )
            for row, one in zip(some, explained, strict=True):
                if one is not None:
                    found[row] = one.overlay(THUMBNAIL_PX)
            show("explaining", start + len(some), len(rows))
        return found


def with_export(report: "Report", path: Path) -> "Report":
    """The report, its page telling how far the SavedModel at `path` agrees with the model.

    Raises:
        ExportError: nothing was measured there.
        DataError: it answers with other classes.
    """
    from tlkeras.export.savedmodel import LABELS_FILE, served_parity

    served = served_parity(path)
    told = (path / "assets" / LABELS_FILE).read_text(encoding="utf-8", errors="replace")
    labels = told.splitlines()
    if tuple(labels) != report.class_names:
        raise DataError(
            f"Expected an export that answers with {len(report.class_names)} classes, "
            f"{', '.join(report.class_names[:5])}. Received: {path} with {len(labels)}, "
            f"{', '.join(labels[:5])}. Name an export of this run."
        )
    assert isinstance(report.story, Telling)
    return replace(report, story=replace(report.story, served=served))


def _extractor(fitted: Fitted) -> Embedding | Extractor:
    """Pictures → embeddings of the network as it is now; those kept on disk cost nothing."""
    network = fitted.network
    if isinstance(network, OnBackbone):
        embedding = network.embedding
        if network.fingerprint == embedding.frozen.fingerprint:
            return embedding

    def engine(pictures: Sequence[Picture]) -> Engine:
        trunk = backbone_of(fitted.network.model)
        return TensorFlowEngine(compiled(trunk, fitted.spec.size_px), streams=cores())

    return Extractor(
        engine,
        fitted.spec.size_px,
        width=fitted.spec.width,
        key=f"{fitted.network.fingerprint}-float32",
    )


def _recorded(fitted: Fitted) -> ImageFolder:
    """The pictures of the manifest as a data set again.

    Raises:
        TlkerasError: some of them are no longer there.
    """
    rows = fitted.manifest
    gone = sum(not Path(str(row["path"])).is_file() for row in rows)
    if gone:
        raise TlkerasError(
            f"{gone:,} of the {len(rows):,} pictures it was trained and tested with "
            "are no longer where they were"
        )
    with tempfile.TemporaryDirectory() as room:
        table = Path(room, "data.csv")
        with table.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "label", "split"])
            for row in rows:
                path = Path(str(row["path"])).absolute()
                writer.writerow([path, row["label"], row["part"]])
        return ImageFolder.from_csv(table)
