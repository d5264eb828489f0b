"""Every kind of file through the SavedModel in one request: answered as `predict`, or marked."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, features

from tests.export.graph.test_decode import cmyk, png_of_zeros, rgb_png_of_16_bits, with_alpha
from tests.export.graph.test_orientation import exif
from tlkeras.data.pipeline import pixel_batches

NAMES = ("ant", "bee", "cicáda", "dragonfly")
SIDE = (48, 48)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def colours() -> Image.Image:
    """RGB, 67 wide and 41 high, no corner as another."""
    y, x = np.mgrid[0:41, 0:67]
    ramps = np.stack([x * 3.5, y * 6, (x * y) % 256], axis=-1)
    return Image.fromarray(np.clip(ramps, 0, 255).astype(np.uint8))


SCENE = colours()
GREY16 = Image.fromarray((np.add.outer(np.arange(41) * 1500, np.arange(67) * 37)).astype(np.uint16))
INKS = cmyk(SCENE)
PNG = saved(SCENE, "PNG")
FRAMES = [SCENE.rotate(degrees).quantize(60) for degrees in (0, 90, 180)]

ANSWERED = {
    **{f"jpeg, orientation {n}": saved(SCENE, "JPEG", exif=exif(n)) for n in range(1, 9)},
    "png, orientation 6": saved(SCENE, "PNG", exif=exif(6)),
    "jpeg grey": saved(SCENE.convert("L"), "JPEG"),
    "jpeg cmyk": saved(INKS, "JPEG"),
    "jpeg progressive": saved(SCENE, "JPEG", progressive=True),
    # Seven times the network's input: `predict` would reduce it while it is decoded.
    "jpeg large": saved(SCENE.resize((740, 530)), "JPEG"),
    "png palette": saved(SCENE.quantize(50), "PNG"),
    "png palette, transparent": saved(SCENE.quantize(50), "PNG", transparency=3),
    "png alpha": saved(with_alpha(SCENE), "PNG"),
    "png grey alpha": saved(with_alpha(SCENE.convert("L")), "PNG"),
    "png one bit": saved(SCENE.convert("1"), "PNG"),
    "png 16 bit": rgb_png_of_16_bits(np.asarray(SCENE).astype(np.uint16) * 256 + 77),
    "png 16 bit grey": saved(GREY16, "PNG"),
    "gif": saved(FRAMES[0], "GIF"),
    "gif of three frames": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "bmp": saved(SCENE, "BMP"),
    "bmp alpha": saved(with_alpha(SCENE), "BMP"),
}

MARKED = {
    "webp": saved(SCENE, "WEBP"),
    "tiff": saved(SCENE, "TIFF"),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "html": b"<!doctype html><title>404 Not Found</title>",
    "nothing": b"",
    "one byte": b"\xff",
    "jpeg cut short": saved(SCENE, "JPEG")[:700],
    "png cut short": PNG[: len(PNG) // 2],
    "png with a wrong check sum": PNG[:-16] + bytes(4) + PNG[-12:],
    "jpeg of nothing": b"\xff\xd8\xff\xd9",
    "png of no pixels": rgb_png_of_16_bits(np.zeros((2, 3, 3), np.uint16)).replace(
        struct.pack(">II", 3, 2), struct.pack(">II", 0, 2)
    ),
}
if features.check("avif"):
    MARKED["avif"] = saved(SCENE, "AVIF")


@pytest.fixture(scope="module")
def serve(exported: Path) -> Callable[[list[bytes]], dict[str, np.ndarray]]:
    model = tf.saved_model.load(str(exported))

    def ask(files: list[bytes]) -> dict[str, np.ndarray]:
        answer = model.signatures["serving_default"](image_bytes=tf.constant(files, tf.string))
        return {name: value.numpy() for name, value in answer.items()}

    return ask


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return png_of_zeros(20_000, 20_000)


@pytest.fixture(scope="module")
def answered(serve: Callable, bomb: bytes) -> dict[str, dict[str, np.ndarray]]:
    """All files in one request, good and bad by turns; the row of each by name."""
    files = ANSWERED | MARKED | {"bomb": bomb}
    order = np.random.default_rng(0).permutation(list(files))
    answer = serve([files[name] for name in order])
    return {
        name: {key: column[row] for key, column in answer.items()} for row, name in enumerate(order)
    }


@pytest.mark.parametrize("name", ANSWERED)
def test_file_is_answered_as_by_the_model_in_full_precision(
    name: str, answered: dict, bundle: SimpleNamespace
) -> None:
    (batch,) = pixel_batches([ANSWERED[name]], SIDE, exact=True)
    (expected,) = bundle.model.predict_on_batch(batch.pixels)
    row = answered[name]
    assert row["ok"]
    assert row["probabilities"].dtype == np.float32
    np.testing.assert_allclose(row["probabilities"], expected, atol=1e-5)
    assert row["label"].decode() == NAMES[expected.argmax()]


@pytest.mark.parametrize("name", [*MARKED, "bomb"])
def test_file_that_cannot_be_decoded_marks_its_own_row(name: str, answered: dict) -> None:
    row = answered[name]
    assert not row["ok"]
    assert row["label"] == b""
    assert row["score"] == 0
    assert not row["probabilities"].any()


def test_turned_pictures_are_told_apart(answered: dict) -> None:
    """Else the table above would prove nothing of orientation."""
    rows = [answered[f"jpeg, orientation {number}"]["probabilities"] for number in range(1, 9)]
    logarithms = np.log(np.array(rows, np.float64) + 1e-30)
    assert len(np.unique(logarithms.round(1), axis=0)) == 8


@pytest.mark.parametrize("count", [1, 3, 33, 65])
def test_any_number_of_rows_is_answered(count: int, serve: Callable, answered: dict) -> None:
    files = [ANSWERED["bmp"], MARKED["webp"]]
    answer = serve([files[row % 2] for row in range(count)])
    assert answer["ok"].tolist() == [row % 2 == 0 for row in range(count)]
    np.testing.assert_allclose(
        answer["probabilities"][::2],
        np.tile(answered["bmp"]["probabilities"], (len(answer["ok"][::2]), 1)),
        atol=1e-6,
    )


def test_bomb_takes_no_memory(serve: Callable, bomb: bytes) -> None:
    """20,000 x 20,000 pixels would be 1.2 GB; the file has 48 kB."""
    peak = Path("/proc/self/clear_refs")
    if not peak.exists():
        pytest.skip("the peak of the memory can be set back on Linux alone")
    serve([ANSWERED["bmp"]])
    peak.write_text("5")
    before = memory_mb("VmRSS")
    answer = serve([bomb, ANSWERED["bmp"]] * 4)
    assert answer["ok"].tolist() == [False, True] * 4
    assert memory_mb("VmHWM") - before < 200


def memory_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(name)
