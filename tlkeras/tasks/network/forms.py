"""The three forms in which a trained classifier's network is held.

OnBackbone   a head in NumPy on a frozen backbone's engine      after `fit`
Tuned        a Keras model                                      after `fine_tune`
InFolder     the files of a run folder                          after `load`

Each computes in the cheapest way it has, and becomes a Keras model when one is asked for.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tlkeras.bundle.network import Network, check_classifier, write_model
from tlkeras.bundle.read import Stored
from tlkeras.bundle.splice import splice
from tlkeras.data.decode import Source
from tlkeras.data.picture import Picture
from tlkeras.disk import size_of
from tlkeras.errors import BundleError, TlkerasError
from tlkeras.features.engines.engine import Engine
from tlkeras.features.engines.tensorflow import TensorFlowEngine, compiled
from tlkeras.heads.affine import AffineHead
from tlkeras.heads.head import FittedHead
from tlkeras.heads.unknown import UnknownScore
from tlkeras.progress import Progress, silent
from tlkeras.tasks.network.answering import Answering, Sample, WithHead, answer
from tlkeras.tasks.network.assembly import EMBEDDING, backbone_of, join
from tlkeras.tasks.network.columns import apart, check_ends, with_score
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.network.frozen import KERAS, ONNX, patches
from tlkeras.threads import cores

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference of a probability between a run folder's ONNX file and its parts."""
SCORE_TOLERANCE = 1e-2
"""The same of an unknown score, whose limit is 1."""


class Classifying(Network, Answering, Protocol):
    """A network that answers."""

    def engine(self, count: int, sample: Sample) -> Engine:
        """Pixels → probabilities; see `answering.Answering`."""

    def score(self, pictures: Sequence[Picture], progress: Progress = silent) -> np.ndarray:
        """Probabilities (n, classes) of labelled pictures, in order."""


class OnBackbone:
    """A head on a frozen backbone; embeddings come from the cache or the fastest engine."""

    def __init__(
        self, embedding: Embedding, head: FittedHead, unknown: UnknownScore | None = None
    ) -> None:
        self.embedding = embedding
        self.head = head
        self._unknown = unknown
        self.recipe = embedding.recipe
        self.classes = int(head.validation.shape[1])
        self.size_px = embedding.frozen.spec.size_px
        self._handed_out: tuple[keras.Model, str] | None = None
        self._tuned: Tuned | None = None

    @property
    def model(self) -> "keras.Model":
        """The Keras model: the backbone's layers with the head's after them.

        The caller may change it; from then on it is the network, and no longer its parts.
        """
        if self._handed_out is None:
            from tlkeras.backbones.hashing import fingerprint

            model = join(self.embedding.frozen.model, self.head.to_layers())
            self._handed_out = model, fingerprint(model)
        return self._handed_out[0]

    @property
    def _changed(self) -> "Tuned | None":
        """The model that was handed out, once it is no longer what its parts are."""
        from tlkeras.backbones.hashing import fingerprint

        if self._handed_out is None:
            return None
        model, before = self._handed_out
        if self._tuned is None and fingerprint(model) != before:
            self._tuned = Tuned(model, self.size_px)
            # Whose embeddings it is for is the backbone as it was.
            if self._tuned.fingerprint == self.embedding.frozen.fingerprint:
                self._tuned.unknown = self._unknown
        return self._tuned

    @property
    def unknown(self) -> UnknownScore | None:
        """What tells pictures unlike the training ones; None once the backbone was changed."""
        changed = self._changed
        return changed.unknown if changed else self._unknown

    def pretrained(self) -> Embedding:
        """The pretrained backbone's embedding, whatever becomes of a model that was handed out."""
        if self._handed_out is not None:  # that has the backbone's own layers
            self.embedding.frozen.release()
            self.embedding.release()
        return self.embedding

    @property
    def fingerprint(self) -> str:
        """Of the backbone."""
        changed = self._changed
        return changed.fingerprint if changed else self.embedding.frozen.fingerprint

    def engine(self, count: int, sample: Sample) -> Engine:
        """Pixels (m, size_px, size_px, 3) → probabilities (m, classes)."""
        changed = self._changed
        if changed:
            return changed.engine(count, sample)
        return WithHead(self.embedding.engine(count, sample), self.head, self._unknown)

    def score(self, pictures: Sequence[Picture], progress: Progress = silent) -> np.ndarray:
        """Probabilities (n, classes) of pictures; those embedded before cost nothing."""
        changed = self._changed
        if changed:
            return changed.score(pictures, progress)
        return self.head.probabilities(self.embedding(pictures, progress=progress).vectors)

    @property
    def size_bytes(self) -> int:
        """What its files take."""
        files = self.embedding.frozen.files
        if files is None or self._changed:
            return 8 * int(self.model.count_params())
        return size_of(files / KERAS) + size_of(files / ONNX)

    def write_keras(self, path: Path) -> None:
        """Writes a .keras file, without Keras where the backbone's own file is at hand."""
        parts = self._files()
        if parts is None:
            write_model(self.model, path)
            return
        backbone, head = parts
        _check_finite(head)
        splice(backbone / KERAS, head.affines, path)

    def write_onnx(self, path: Path) -> bool:
        """Writes an ONNX file that was seen to answer as the network does."""
        from tlkeras.export.engine_files import with_head
        from tlkeras.features.engines.onnxruntime import onnxruntime_engine

        parts = self._files()
        if parts is None:
            model, unknown = self.model, self.unknown
            return _written(lambda: write_checked(model, self.size_px, path, unknown))
        folder, head = parts
        backbone = folder / ONNX

        def write() -> None:
            with_head(backbone, head.affines, path, self._unknown)
            pixels = patches(3, self.size_px)
            expected = WithHead(onnxruntime_engine(backbone), head, self._unknown)(pixels)
            _compare(path, pixels, expected, self.classes)

        return _written(write)

    def _files(self) -> tuple[Path, AffineHead] | None:
        """The backbone's files and the head to put after them, if the network is made of them."""
        files = self.embedding.frozen.files
        if files is None or not isinstance(self.head, AffineHead) or self._changed:
            return None
        return files, self.head


class Tuned:
    """A Keras model whose backbone was trained too."""

    def __init__(
        self, model: "keras.Model", size_px: int, unknown: UnknownScore | None = None
    ) -> None:
        check_classifier(model)
        self.model = model
        self.size_px = size_px
        self.unknown = unknown
        self.classes = int(model.output_shape[-1])

    @cached_property
    def _engine(self) -> Engine:
        model = with_score(self.model, self.unknown)
        return TensorFlowEngine(compiled(model, self.size_px), streams=cores())

    def engine(self, count: int, sample: Sample) -> Engine:
        """Pixels (m, size_px, size_px, 3) → probabilities (m, classes); compiled once."""
        return self._engine

    @property
    def fingerprint(self) -> str:
        """Of the backbone as it is now."""
        from tlkeras.backbones.hashing import fingerprint

        return fingerprint(backbone_of(self.model))

    def score(self, pictures: Sequence[Picture], progress: Progress = silent) -> np.ndarray:
        """Probabilities (n, classes) of pictures, each passed through the model."""
        return apart(answer(self, _sources(pictures), None, progress), self.classes)[0]

    @property
    def size_bytes(self) -> int:
        """What its files take."""
        return 8 * int(self.model.count_params())

    def write_keras(self, path: Path) -> None:
        """Writes the model."""
        write_model(self.model, path)

    def write_onnx(self, path: Path) -> bool:
        """Writes the model as ONNX, once it was seen to answer the same."""
        return _written(lambda: write_checked(self.model, self.size_px, path, self.unknown))


class InFolder:
    """A run folder's network: ONNX Runtime answers where it can, else the Keras model."""

    def __init__(self, stored: Stored, size_px: int) -> None:
        self.stored = stored
        self.size_px = size_px
        self.classes = stored.classes
        self.fingerprint = stored.fingerprint
        self.unknown = stored.unknown
        self.write_keras = stored.write_keras
        self.write_onnx = stored.write_onnx
        self.size_bytes = stored.size_bytes

    @property
    def model(self) -> "keras.Model":
        """The Keras model; loads TensorFlow."""
        return self.stored.model

    @cached_property
    def _engine(self) -> Engine:
        from tlkeras.features.engines.onnxruntime import onnxruntime_engine

        file = self.stored.onnx
        if file is not None:
            try:
                engine = onnxruntime_engine(file, omit=EMBEDDING)
                check_ends(engine.session, self.size_px, self.classes)
                return engine
            except Exception as error:  # not installed, or of a version that refuses the file
                logger.info("%s is not used: %s", file, error)
        model = with_score(self.model, self.unknown)
        return TensorFlowEngine(compiled(model, self.size_px), streams=cores())

    def engine(self, count: int, sample: Sample) -> Engine:
        """Pixels (m, size_px, size_px, 3) → probabilities (m, classes)."""
        return self._engine

    def score(self, pictures: Sequence[Picture], progress: Progress = silent) -> np.ndarray:
        """Probabilities (n, classes) of pictures, each passed through the network."""
        return apart(answer(self, _sources(pictures), None, progress), self.classes)[0]


def write_checked(
    model: "keras.Model", size_px: int, path: Path, unknown: UnknownScore | None = None
) -> None:
    """Writes a classifier as ONNX and holds its answers against the model's.

    Raises:
        TlkerasError: it can't be written, or answers differently.
    """
    from tlkeras.export.engine_files import write_onnx
    from tlkeras.export.named import named_network

    network = named_network(model, size_px, unknown, EMBEDDING, embedding=True)
    write_onnx(network, size_px, path)
    pixels = patches(3, size_px)
    expected = np.asarray(with_score(model, unknown)(pixels, training=False))
    _compare(path, pixels, expected, int(model.output_shape[-1]))


def _sources(pictures: Sequence[Picture]) -> list[Source]:
    return [picture.source for picture in pictures]


def _written(write: Callable[[], None]) -> bool:
    """Whether an ONNX file could be made; why not goes to the log, and the run has none."""
    try:
        write()
    except TlkerasError as error:
        logger.info("the run folder has no ONNX file: %s", error)
        return False
    return True


def _compare(path: Path, pixels: np.ndarray, expected: np.ndarray, classes: int) -> None:
    from tlkeras.features.engines.onnxruntime import onnxruntime_engine

    try:
        found = onnxruntime_engine(path, streams=1, omit=EMBEDDING)(pixels)
        differences = np.abs(found - expected)
        differences[:, classes:] *= TOLERANCE / SCORE_TOLERANCE
        largest = float(differences.max())
    except ImportError as error:
        path.unlink(missing_ok=True)
        raise BundleError(f"{path.name} can't be compared without {error.name}") from error
    if not largest <= TOLERANCE:
        path.unlink(missing_ok=True)
        raise BundleError(f"{path.name} differs from the model by {largest:.2g} in a probability")


def _check_finite(head: AffineHead) -> None:
    for affine in head.affines:
        if not (np.isfinite(affine.kernel).all() and np.isfinite(affine.bias).all()):
            raise BundleError(
                "Every weight of a saved model is a number. Received: NaN or infinity in the "
                "head. The training diverged: lower the learning rate and train again."
            )
