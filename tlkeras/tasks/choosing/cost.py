"""What a backbone costs here: milliseconds and megabytes, measured in a process of its own."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Self

import numpy as np

import tlkeras
from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import some_pixels
from tlkeras.features.engines.timing import pictures_per_second
from tlkeras.tasks.network.embedding import PICTURES_TO_TRY, Embedding
from tlkeras.tasks.network.frozen import KERAS, ONNX, FrozenBackbone

logger = logging.getLogger(__name__)

TIMEOUT_S = 120.0
FROM_FILE = ("onnxruntime", "openvino")  # engines that need neither Keras nor TensorFlow
COMMAND = (sys.executable, "-P", "-m", "tlkeras.tasks.choosing.cost_process")


@dataclass(frozen=True)
class Cost:
    """What running a backbone takes.

    Attributes:
        ms_per_picture: milliseconds of the whole machine a picture, all cores busy.
        peak_mb: most memory of a process with the running backbone and nothing else; None where
            that is not known: TensorFlow's own half a gigabyte would hide it.
        engine: the package that runs it.
    """

    ms_per_picture: float
    peak_mb: float | None
    engine: str


class Meter:
    """Measures backbones one after the other in a second process, which starts meanwhile.

    Example::

        with Meter() as meter:
            meter.cost(Embedding(frozen, Recipe()), data.train.pictures).ms_per_picture     # 3.1
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def cost(self, embedding: Embedding, pictures: Sequence[Picture]) -> Cost:
        """What the backbone costs on this machine, by the engine that embeds the pictures."""
        size_px = embedding.frozen.spec.size_px
        to_try = partial(some_pixels, pictures, size_px, PICTURES_TO_TRY)
        engine = embedding.engine(len(pictures), to_try)
        pixels = some_pixels(pictures, size_px, engine.batch)
        folder = embedding.frozen.files
        if engine.name in FROM_FILE and folder is not None:
            found = self._alone(engine.name, folder / ONNX, pixels)
            if found is not None:
                return found
        return Cost(1000 / pictures_per_second(engine, pixels), None, engine.name)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End the other process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _alone(self, engine: str, file: Path, pixels: np.ndarray) -> Cost | None:
        """The cost in the other process; None where it cannot be had, told in the log."""
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "pixels.npy", np.rint(pixels).astype("uint8"))
            try:
                told = json.loads(self._ask([engine, str(file), f"{folder}/pixels.npy"]))
                return Cost(1000 / told["pictures_per_second"], told["peak_mb"], engine)
            except (OSError, ValueError, LookupError) as error:
                logger.info("a backbone is timed in this process, its memory not told: %s", error)
                return None

    def _ask(self, request: list[str]) -> str:
        if self._process is None or self._process.poll() is not None:
            self._start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise OSError("no process could be started")
        clock = Timer(TIMEOUT_S, process.kill)
        clock.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return process.stdout.readline()
        finally:
            clock.cancel()

    def _start(self) -> None:
        root = str(Path(tlkeras.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
            )
        except OSError as error:
            logger.info("no process to measure backbones in could be started: %s", error)


def saved_mb(frozen: FrozenBackbone, classes: int) -> float:
    """Megabytes of the model file that a classifier on this backbone is saved as.

    Example::

        saved_mb(BackboneSource("TinyResNet", "builtin").frozen(), classes=10)      # 5.9
    """
    head = 4 * (frozen.spec.width + 1) * classes
    if frozen.files is not None:
        return ((frozen.files / KERAS).stat().st_size + head) / 1e6
    return (4 * int(frozen.model.count_params()) + head) / 1e6
