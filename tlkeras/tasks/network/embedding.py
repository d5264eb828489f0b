"""Pictures → embeddings of a frozen backbone, by the engine that is fastest on this machine.

The engine is chosen once, by a short trial on the user's own pictures against Keras, and is
remembered by backbone, processor and versions; a later process then needs no TensorFlow.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from tlkeras.cache import cache_folder
from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import some_pixels
from tlkeras.errors import BackboneError, TlkerasError
from tlkeras.features.engines.choice import Choice, choose
from tlkeras.features.engines.engine import BATCH, Engine, Precision, WholeBatches, in_batches
from tlkeras.features.engines.memory import remember, remembered, trial_key
from tlkeras.features.extract import Extractor, View
from tlkeras.features.features import Features
from tlkeras.progress import Progress, silent
from tlkeras.tasks.network.frozen import ONNX, FrozenBackbone
from tlkeras.training.recipe import Recipe

logger = logging.getLogger(__name__)

Sample = Callable[[], np.ndarray]
PICTURES_TO_TRY = 16
ABLE: Mapping[Precision, tuple[str, ...]] = {
    "float32": ("onnxruntime", "openvino", "litert", "tensorflow"),
    "bfloat16": ("openvino",),
}
"""Engines by what they can compute in."""
ONLY_WHEN_ASKED = ("litert",)
"""Its file takes longer to write than a trial can win back."""
HANDICAPS = {"tensorflow": 1.5, "openvino": 1.15}
"""What a trial does not see: TensorFlow takes seconds and half a gigabyte at every start, OpenVINO
0.3 s, as long as a hundred pictures."""
BOUNDS = {"tensorflow": 5.0}
"""How many times as fast as Keras' own call, layer by layer, a compiled graph of it is at most; to
compile it only for a trial costs a second and more."""
FEW = 64  # for so few pictures a loaded TensorFlow is done before a trial would be
FIXED = ("onnxruntime", "tensorflow")
"""Engines of a deterministic run that leaves the choice to us; the first one that works."""


class Embedding:
    """Pictures → Features of one frozen backbone, at one precision.

    Args:
        frozen: the backbone.
        recipe: `engine` and `precision` of it.
        precision: in place of the recipe's.

    Example::

        embed = Embedding(frozen, Recipe())
        features = embed(data.train.pictures)
        embed.lines                               # what was chosen, and why
    """

    def __init__(
        self, frozen: FrozenBackbone, recipe: Recipe, precision: Precision | None = None
    ) -> None:
        self.frozen = frozen
        self.recipe = recipe
        self.precision: Precision = precision or recipe.precision
        self.lines: list[str] = []
        self._engine: Engine | None = None
        self._extract = Extractor(
            self._choose,
            frozen.spec.size_px,
            width=frozen.spec.width,
            key=self._store_name(),
        )

    def __call__(
        self, pictures: Sequence[Picture], view: View | None = None, progress: Progress = silent
    ) -> Features:
        """Features of the pictures, row by row in their order; each is embedded once."""
        return self._extract(pictures, view, progress)

    def release(self) -> None:
        """Forget the engine and its memory; it is started again if it is needed."""
        self._engine = None
        self._extract.release()

    @property
    def passes(self) -> int:
        """Pictures that went through the backbone."""
        return self._extract.passes

    def engine(self, count: int, sample: Sample) -> Engine:
        """The engine for `count` pictures; with `sample`, pixels of some, engines are tried."""
        if self._engine is None:
            self._engine = self._at_once(count) or self._tried(sample())
        return self._engine

    def _choose(self, pictures: Sequence[Picture]) -> Engine:
        size_px = self.frozen.spec.size_px
        return self.engine(len(pictures), lambda: some_pixels(pictures, size_px, PICTURES_TO_TRY))

    def _at_once(self, count: int) -> Engine | None:
        """An engine that needs no trial, for that many pictures: a loaded or a remembered one."""
        free = self.recipe.engine == "auto" and not self.recipe.deterministic
        automatic = free and self.precision == "float32"
        if automatic and count < FEW and self.frozen.is_built and self.frozen.files is None:
            return self._make("tensorflow")
        return self._remembered()

    def _remembered(self) -> Engine | None:
        if self.frozen.files is None:
            return None
        choice = remembered(_folder(), self._key())
        if choice is None or choice.name not in self._candidates():
            return None
        try:
            engine = self._make(choice.name)
        except Exception as error:  # each engine has classes of its own
            logger.info("%s no longer starts (%s) and is chosen anew", choice.name, error)
            return None
        self._note(choice)
        return engine

    def _tried(self, pixels: np.ndarray) -> Engine:
        """The fastest engine that agrees with Keras on the pixels."""
        names = self._candidates()

        def reference(pixels: np.ndarray) -> np.ndarray:
            return in_batches(self.frozen.called, pixels, BATCH)

        try:
            self.frozen.write_files()
        except TlkerasError as error:
            if self.recipe.deterministic and isinstance(error.__cause__, OSError):
                raise  # another engine would mix its embeddings with those of an earlier start
            self.lines.append(f"only TensorFlow embeds the pictures: {error}")
            logger.info("%s", self.lines[-1])
            names = [name for name in names if name == "tensorflow"]
        if self.recipe.deterministic:
            names = names[:1]  # which is fastest may differ from trial to trial
        candidates = {name: partial(self._make, name) for name in names}
        choice = choose(candidates, pixels, reference, handicaps=HANDICAPS, bounds=BOUNDS)
        remember(_folder(), self._key(), choice)
        self._note(choice)
        assert choice.engine is not None
        return choice.engine

    def _candidates(self) -> list[str]:
        """Engines that are allowed and have this precision."""
        able = ABLE[self.precision]
        wanted = self.recipe.engine
        names = [
            name
            for name in able
            if wanted == name or (wanted == "auto" and name not in ONLY_WHEN_ASKED)
        ]
        if self.recipe.deterministic and wanted == "auto":
            names = [name for name in names if name in FIXED] or names
        if not names:
            raise BackboneError(
                f"Of the engines, {' and '.join(able)} compute in {self.precision}. Received: "
                f'engine="{wanted}". Leave it at "auto".'
            )
        return names

    def _make(self, name: str) -> Engine:
        engine = self._plain(name)
        return WholeBatches(engine) if self.recipe.deterministic else engine

    def _plain(self, name: str) -> Engine:
        from tlkeras.features.engines.litert import litert_engine
        from tlkeras.features.engines.onnxruntime import onnxruntime_engine
        from tlkeras.features.engines.openvino import openvino_engine
        from tlkeras.features.engines.tensorflow import tensorflow_engine

        if name == "tensorflow":
            return tensorflow_engine(self.frozen.model, self.frozen.spec.size_px)
        file = self.frozen.write_files() / ONNX
        if name == "onnxruntime":
            return onnxruntime_engine(file)
        if name == "litert":
            return litert_engine(self.frozen.litert_file())
        precision: Literal["float32", "bfloat16"] = (
            "bfloat16" if self.precision == "bfloat16" else "float32"
        )
        return openvino_engine(file, precision=precision, cache=file.parent)

    def _store_name(self) -> str:
        """Names the embeddings on disk: those of one engine alone, if the bits matter."""
        name = f"{self.frozen.fingerprint}-{self.precision}"
        if not self.recipe.deterministic:
            return name
        engine = hashlib.blake2b(self._key().encode(), digest_size=6).hexdigest()
        return f"{name}-{engine}"

    def _key(self) -> str:
        return trial_key(f"{self.frozen.fingerprint}-{self.precision}", self._candidates())

    def _note(self, choice: Choice) -> None:
        if choice.line not in self.lines:  # it may be started again
            self.lines.append(choice.line)
            logger.info("%s", choice.line)


def _folder() -> Path:
    return cache_folder() / "engines"
