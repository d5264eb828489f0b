"""A pretrained backbone whose weights stay: known by its fingerprint, built when it must be.

source ─ seen before? ─ yes ─▶ fingerprint, ONNX file, .keras file: TensorFlow is not needed
               └ no ─▶ build ─▶ fingerprint ─▶ (when pictures have to be embedded) write both
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.backbones.spec import Backbone
from tlkeras.bundle.atomic import fresh_folder
from tlkeras.bundle.index import sha256
from tlkeras.cache import cache_folder
from tlkeras.disk import remove, unused, write_bytes
from tlkeras.errors import MissingExtraError, TlkerasError, WeightsError

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

ONNX, KERAS, LITERT = "backbone.onnx", "backbone.keras", "backbone.tflite"
HASHES = "sha256.json"
TOLERANCE = 1e-4  # of the largest embedding
MOST_KEPT = 24  # backbones whose files stay in the cache


class FrozenBackbone:
    """Pixels → embedding with weights that do not change, and its files in the cache.

    Args:
        spec: what is known of it.
        build: makes the Keras model, pixels (n, h, w, 3) in [0, 255] → embedding (n, d).
        identity: text that is the same whenever the same backbone is asked for; None where
            that is not known without building it.

    Example::

        frozen = FrozenBackbone(spec, lambda: build(spec), identity="MobileNetV2/imagenet")
        frozen.fingerprint, frozen.onnx
    """

    def __init__(
        self, spec: Backbone, build: Callable[[], "keras.Model"], identity: str | None = None
    ) -> None:
        self.spec = spec
        self._build = build
        self._model: keras.Model | None = None
        self._known = _Known(identity) if identity else None
        self._fingerprint: str | None = self._known.read() if self._known else None
        self._files: Path | None = None

    @property
    def model(self) -> "keras.Model":
        """The Keras model; the first use builds it and loads TensorFlow."""
        if self._model is None:
            self._model = self._build()
        return self._model

    def called(self, pixels: np.ndarray) -> np.ndarray:
        """What Keras itself gives, layer by layer: embeddings (m, width) of pixels (m, h, w, 3)."""
        return np.asarray(self.model(pixels, training=False))

    @property
    def is_built(self) -> bool:
        """Whether the Keras model is at hand already."""
        return self._model is not None

    @property
    def fingerprint(self) -> str:
        """What the backbone computes, as 64 hexadecimal digits."""
        if self._fingerprint is None:
            from tlkeras.backbones.hashing import fingerprint

            self._fingerprint = fingerprint(self.model)
            if self._known:
                self._known.write(self._fingerprint)
        return self._fingerprint

    @property
    def files(self) -> Path | None:
        """Folder with its ONNX and .keras file, None until `write_files` has made it."""
        if self._files is None:
            folder = _folder() / self.fingerprint
            if _is_whole(folder):
                self._files = folder
        return self._files

    def write_files(self) -> Path:
        """The folder with both files, written now if they are not there.

        Raises:
            TlkerasError: the network can't be written as ONNX, or the cache can't be written.
        """
        from tlkeras.export.engine_files import write_onnx

        def write(fresh: Path) -> None:
            write_onnx(self.model, self.spec.size_px, fresh / ONNX)
            self._compare(fresh / ONNX)
            self.model.save(fresh / KERAS)

        if self.files is None:
            self._files = _written(_folder() / self.fingerprint, write)
            _forget_oldest(_folder())
        assert self._files is not None
        return self._files

    def litert_file(self) -> Path:
        """Its LiteRT file, written now if it is not there.

        Raises:
            TlkerasError: see `write_files`; or LiteRT has no operator for a layer.
        """
        from tlkeras.export.engine_files import write_litert

        def write(fresh: Path) -> None:
            write_litert(self.model, self.spec.size_px, fresh / LITERT)

        # A folder of its own: the other files are read at this moment, perhaps.
        folder = self.write_files() / "litert"
        return (folder if _is_whole(folder) else _written(folder, write)) / LITERT

    def _compare(self, file: Path) -> None:
        """Raises TlkerasError where ONNX Runtime gives other embeddings than Keras."""
        from tlkeras.features.engines.onnxruntime import onnxruntime_engine

        pixels = patches(2, self.spec.size_px)
        expected = self.called(pixels)
        try:
            found = onnxruntime_engine(file)(pixels)
        except MissingExtraError:
            return  # nobody here runs the file either
        apart = float(np.abs(found - expected).max() / np.abs(expected).max())
        if not apart <= TOLERANCE:
            raise TlkerasError(f"ONNX Runtime's embeddings differ by {apart:.2g} from Keras'")

    def release(self) -> None:
        """Forget the Keras model, because its layers are to be trained; it is built anew."""
        self._model = None


def patches(count: int, size_px: int) -> np.ndarray:
    """(count, size_px, size_px, 3) float32: patches of colour, no two pictures alike."""
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 8, 8, 3)).astype("float32")
    side = -(-size_px // 8)
    return coarse.repeat(side, 1).repeat(side, 2)[:, :size_px, :size_px]


def _folder() -> Path:
    return cache_folder() / "backbones"


def _written(folder: Path, write: Callable[[Path], None]) -> Path:
    """The folder, whole, with what `write` puts there or another process has in the meantime.

    Raises:
        TlkerasError: the cache can't be written.
    """
    try:
        with fresh_folder(folder, kept=lambda _: []) as fresh:
            write(fresh)
            _write_hashes(fresh)
            if _is_whole(folder):
                raise _TakenError
    except _TakenError:
        logger.info("another process has written %s", folder)
    except OSError as error:
        raise TlkerasError(
            f"A backbone's files are kept in {folder}. Received: {error}. Set TLKERAS_CACHE "
            "to a folder that can be written."
        ) from error
    return folder


class _TakenError(Exception):
    """Somebody else's files stand where ours were to be; theirs may be in use, and stay."""


def _is_whole(folder: Path) -> bool:
    """Whether the folder's files are as they were written; marks it as used."""
    try:
        before: dict[str, object] = {}
        whole = False
        while not whole and before != (before := _hashes(folder)):
            # Once more if other hashes stand there now: the folder was replaced meanwhile.
            whole = all(sha256(folder / name) == digest for name, digest in before.items())
    except (OSError, WeightsError):
        return False
    with suppress(OSError):  # of a cache that can only be read
        if whole:
            os.utime(folder)
        else:
            logger.warning("%s was damaged and is written again", folder)
            _drop(folder)
    return whole


def _hashes(folder: Path) -> dict[str, object]:
    """SHA-256 of each file that was written there, by name.

    Raises:
        WeightsError: none are told, or the file is damaged.
    """
    found = read_json(folder / HASHES)
    if not isinstance(found, dict) or not found:
        raise WeightsError(f"{folder / HASHES} names no file")
    return found


def _write_hashes(folder: Path) -> None:
    names = (ONNX, KERAS, LITERT)
    hashes = {name: sha256(folder / name) for name in names if (folder / name).exists()}
    write_bytes(folder / HASHES, json.dumps(hashes).encode())


def _forget_oldest(folder: Path) -> None:
    kept: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(OSError):  # another process may forget the same one
            if (path / HASHES).exists() and not path.name.startswith("."):
                kept.append((path.stat().st_mtime, path))
    for _, path in sorted(kept)[: max(0, len(kept) - MOST_KEPT)]:
        with suppress(OSError):
            _drop(path)


def _drop(folder: Path) -> None:
    """Remove a folder under another name, so that nobody meets half of it, even after a kill."""
    aside = unused(folder)
    os.rename(folder, aside)
    remove(aside)


class _Known:
    """The fingerprint of a backbone that was built before, by its identity."""

    def __init__(self, identity: str) -> None:
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.path = _folder() / "known" / f"{name}.json"
        self.identity = identity

    def read(self) -> str | None:
        try:
            said: Any = read_json(self.path)
            return str(said["fingerprint"]) if said == self._said(said["fingerprint"]) else None
        except (WeightsError, KeyError, TypeError):
            return None

    def write(self, fingerprint: str) -> None:
        try:
            write_bytes(self.path, json.dumps(self._said(fingerprint)).encode())
        except OSError as error:
            logger.info("%s can't be written: %s", self.path, error)

    def _said(self, fingerprint: str) -> dict[str, str]:
        """What the file says; a fingerprint with a wrong bit would be of no backbone at all."""
        check = hashlib.sha256(f"{self.identity} {fingerprint}".encode()).hexdigest()[:16]
        return {"identity": self.identity, "fingerprint": fingerprint, "check": check}
