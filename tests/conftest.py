"""Fixtures that more than one room's tests use."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real pretrained weights and real labelled pictures."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real weights and pictures are not beside this checkout (../shared/data)")
    return SHARED_DATA


def imagenet_sample(data: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """100 pictures (100, size, size, 3) in [-1, 1] and their ImageNet classes (100,).

    Shorter side to size / 0.875, bilinear, centre crop: as the figures of PROVENANCE.md.
    """
    pictures, classes = [], []
    for path in sorted((data / "datasets" / "imagenet_sample_100").glob("*.JPEG")):
        picture = Image.open(path).convert("RGB")
        short = round(size / 0.875)
        factor = short / min(picture.size)
        width, height = (max(short, round(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        crop = picture.crop((left, top, left + size, top + size))
        pictures.append(np.asarray(crop, np.float32) / 127.5 - 1)
        classes.append(int(path.name.split("_")[0]))
    return np.stack(pictures), np.array(classes)


def right_of_100(scores: np.ndarray, classes: np.ndarray) -> tuple[int, int]:
    """How many are right among the first, and among the first five."""
    ranked = np.argsort(-scores, axis=1)[:, :5]
    return (
        int((ranked[:, 0] == classes).sum()),
        int((ranked == classes[:, None]).any(axis=1).sum()),
    )


def draw_flower(kind: str, rng: np.random.Generator) -> Image.Image:
    """One non-square picture whose shape and colour depend on its class, and on chance."""
    width, height = int(rng.integers(60, 120)), int(rng.integers(40, 58))
    picture = Image.fromarray(rng.integers(0, 70, (height, width, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(picture)
    left, top = int(rng.integers(2, 20)), int(rng.integers(2, 10))
    box = (left, top, left + int(rng.integers(24, 38)), top + int(rng.integers(24, 30)))
    colour = {"daisy": (240, 230, 200), "rose": (220, 30, 60), "iris": (60, 50, 230)}[kind]
    shade = tuple(int(np.clip(c + rng.integers(-20, 20), 0, 255)) for c in colour)
    {"daisy": pen.ellipse, "rose": pen.rectangle, "iris": pen.chord}[kind](
        box, **({"start": 20, "end": 200} if kind == "iris" else {}), fill=shade
    )
    return picture


def write_flowers(folder: Path, per_class: int, seed: int = 0) -> Path:
    """Class folders daisy, iris and rose with `per_class` pictures each, JPEG and PNG."""
    rng = np.random.default_rng(seed)
    for kind in ("daisy", "iris", "rose"):
        (folder / kind).mkdir(parents=True)
        for number in range(per_class):
            suffix = "png" if number % 3 == 0 else "jpg"
            draw_flower(kind, rng).save(folder / kind / f"{kind}_{number:02}.{suffix}")
    return folder


@pytest.fixture(scope="session")
def flower_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with 12 pictures each; read-only, shared by the whole run."""
    return write_flowers(tmp_path_factory.mktemp("flowers") / "flowers", per_class=12)


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Caches of the whole run in a temporary folder, never in the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKERAS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_backbone() -> object:
    """Pixels (n, any, any, 3) → embedding (n, 6), weights that spread the pictures."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(24, 24, antialias=True, name="resize")(image)
    out = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(out)
    out = keras.layers.Conv2D(6, 5, strides=3, activation="relu", name="conv")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Activation("linear", dtype="float32", name="embedding")(out)
    model = keras.Model(image, out)
    rng = np.random.default_rng(4)
    conv = model.get_layer("conv")
    conv.set_weights([rng.normal(0, 0.3, value.shape) for value in conv.get_weights()])
    return model
