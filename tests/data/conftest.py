"""Generated pictures with different sides, and a scan cache of their own for these tests."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def draw_scene(seed: int = 0, height: int = 41, width: int = 67) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noise = rng.integers(-9, 10, (height, width, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def encode_picture(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_classes(folder: Path, numbers: dict[str, int], first_seed: int = 0) -> Path:
    seed = first_seed
    for name, number in numbers.items():
        (folder / name).mkdir(parents=True)
        for index in range(number):
            Image.fromarray(draw_scene(seed)).save(folder / name / f"{index:03}.png")
            seed += 1
    return folder


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Seed → smooth random pixels uint8 (41, 67, 3), or of another height and width."""
    return draw_scene


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Pixels or a Pillow image, a format and its options → encoded bytes."""
    return encode_picture


@pytest.fixture
def classes(tmp_path: Path) -> Callable[..., Path]:
    """{class: number} → a folder with that many different pictures in each class folder."""

    def make(numbers: dict[str, int], name: str = "set", first_seed: int = 0) -> Path:
        return write_classes(tmp_path / name, numbers, first_seed)

    return make


@pytest.fixture
def portrait_exif() -> bytes:
    """EXIF that says: turn this picture clockwise to see it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()
