"""Pixels for the small network of tests/export, and its int8 file, made once."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.export.conftest import SIZE_PX


@pytest.fixture(scope="session")
def pixels(pictures: list[bytes]) -> np.ndarray:
    """(36, 48, 48, 3) uint8 of real files."""
    from tlkeras.data.pipeline import pixel_batches

    batches = pixel_batches(pictures, (SIZE_PX, SIZE_PX))
    return np.concatenate([each.pixels for each in batches]).round().astype(np.uint8)


@pytest.fixture(scope="session")
def expected_of(bundle: SimpleNamespace, pixels: np.ndarray) -> np.ndarray:
    """The Keras model's own probabilities, resizing and all; the labels vary."""
    found = np.asarray(bundle.model(pixels.astype(np.float32), training=False))
    assert len(set(found.argmax(axis=1))) >= 3
    return found


@pytest.fixture(scope="session")
def int8_file(
    bundle: SimpleNamespace,
    pixels: np.ndarray,
    expected_of: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    pytest.importorskip("ai_edge_litert.interpreter")
    from tlkeras.export.formats.litert_file import to_litert

    path = tmp_path_factory.mktemp("int8") / "ants and bees-int8.tflite"
    known = {"validation": (pixels[1::2], expected_of[1::2].argmax(axis=1))}
    return to_litert(bundle, path, kind="int8", pictures=pixels[::2], known=known, max_drop=0.2)
