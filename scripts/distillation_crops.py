"""Many crops of few pictures, and what the teacher sees in each of them.

    900 pictures -> random crops (some pasted together or blended) -> crops.npy     uint8
                                           the same crops -> teacher -> features.npy float16

Asano & Saeed, "Extrapolating from a Single Image to a Thousand Classes using
Distillation": what a teacher says about many crops of few pictures is enough to teach a student.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

TEACHER = "weights/keras/mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5"
TEACHER_PX = 192
STUDENT_PX = 128
CHUNK = 1000


def allowed_pictures(data: Path) -> list[Path]:
    """Paths of the 900 training pictures; the test parts of the two data sets are left out."""
    datasets = data / "datasets"
    cats_dogs = [sorted((datasets / "cats_dogs" / kind).iterdir())[:200] for kind in ("cat", "dog")]
    clothing = sorted((datasets / "clothing_small" / "train").glob("*/*"))
    imagenet = sorted((datasets / "imagenet_sample_100").iterdir())
    return [*cats_dogs[0], *cats_dogs[1], *clothing, *imagenet]


def make_crops(data: Path, folder: Path, count: int, seed: int) -> None:
    """Write `crops.npy` (count, 128, 128, 3) uint8 and `features.npy` (count, 1280) float16."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as threads:
        pictures = list(threads.map(decode, allowed_pictures(data)))
    shape = (count, STUDENT_PX, STUDENT_PX, 3)
    crops = np.lib.format.open_memmap(folder / "crops.partial.npy", "w+", np.uint8, shape)
    features = np.zeros((count, 1280), np.float16)
    teach, started = teacher(data), time.monotonic()
    for start, large, small in chunks(pictures, count, seed):
        crops[start : start + len(small)] = small
        for row in range(0, len(large), 50):
            seen = teach(tf.constant(large[row : row + 50]))[0]
            features[start + row : start + row + len(seen)] = seen.numpy()
        print(f"crops {start + len(small)}/{count}  {time.monotonic() - started:.0f} s", flush=True)
    crops.flush()
    np.save(folder / "features.partial.npy", features)
    for name in ("crops", "features"):
        (folder / f"{name}.partial.npy").rename(folder / f"{name}.npy")


def decode(path: Path) -> Image.Image:
    """The picture at `path`, upright, RGB."""
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def teacher(data: Path) -> tf.types.experimental.ConcreteFunction:
    """Function from uint8 (n, 192, 192, 3) to the teacher's pooled features float32 (n, 1280)."""
    shape = (TEACHER_PX, TEACHER_PX, 3)
    model = keras.applications.MobileNetV2(weights=None, classes=1000, input_shape=shape)
    model.load_weights(data / TEACHER)
    pooled = keras.Model(model.input, model.layers[-2].output)

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.uint8)])
    def features(crops: tf.Tensor) -> tf.Tensor:
        return pooled(tf.cast(crops, tf.float32) / 127.5 - 1.0, training=False)

    # Constants let TensorFlow fold the BatchNorms: 1.5 times as fast on a CPU.
    return convert_variables_to_constants_v2(features.get_concrete_function())


def teacher_top(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's last layer: kernel float32 (1280, 1000) and bias float32 (1000,)."""
    model = keras.applications.MobileNetV2(weights=None, classes=1000)
    model.load_weights(data / TEACHER)
    kernel, bias = model.layers[-1].get_weights()
    return kernel, bias


def chunks(
    pictures: list[Image.Image], count: int, seed: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Start row and crops uint8 (m, 192, 192, 3) and (m, 128, 128, 3), m at most 1000."""
    with ThreadPoolExecutor(2) as threads:
        for start in range(0, count, CHUNK):
            rows = range(start, min(start + CHUNK, count))
            made = threads.map(lambda row: one_sample(pictures, seed, row), rows)
            large, small = (np.stack(side) for side in zip(*made, strict=True))
            yield start, large, small


def one_sample(pictures: list[Image.Image], seed: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    """One crop uint8 at the teacher's size and at the student's: plain, blended or pasted."""
    rng = np.random.default_rng((seed, row))
    crop = one_crop(pictures, rng)
    kind = rng.choice(["plain", "blend", "paste"], p=[0.6, 0.2, 0.2])
    if kind == "blend":  # mixup
        crop = Image.blend(crop, one_crop(pictures, rng), rng.uniform(0.15, 0.5))
    elif kind == "paste":  # cutmix
        width, height = (int(side) for side in rng.uniform(0.3, 0.8, 2) * TEACHER_PX)
        left, top = rng.integers(TEACHER_PX - width), rng.integers(TEACHER_PX - height)
        box = (int(left), int(top), int(left) + width, int(top) + height)
        crop.paste(one_crop(pictures, rng).resize((width, height), Image.Resampling.BILINEAR), box)
    small = crop.resize((STUDENT_PX, STUDENT_PX), Image.Resampling.BILINEAR)
    return np.asarray(crop), np.asarray(small)


def one_crop(pictures: list[Image.Image], rng: np.random.Generator) -> Image.Image:
    """A random part of a random picture, 192 px square, colours shaken."""
    picture = pictures[rng.integers(len(pictures))]
    crop = picture.resize(
        (TEACHER_PX, TEACHER_PX), Image.Resampling.BILINEAR, box=random_box(picture.size, rng)
    )
    if rng.random() < 0.5:
        crop = ImageOps.mirror(crop)
    if rng.random() < 0.25:
        crop = rotate(crop, rng.uniform(-30, 30))
    return shake_colours(crop, rng)


def random_box(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, ...]:
    """(left, top, right, bottom): one in eight is the whole picture, the others 4 to 100 %."""
    width, height = size
    if rng.random() < 0.125:
        return (0.0, 0.0, float(width), float(height))
    area = np.exp(rng.uniform(np.log(0.04), 0.0))
    stretch = np.exp(rng.uniform(np.log(3 / 5), np.log(5 / 3)))
    across = min(1.0, np.sqrt(area * stretch)) * width
    down = min(1.0, np.sqrt(area / stretch)) * height
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    return (left, top, left + across, top + down)


def rotate(crop: Image.Image, degrees: float) -> Image.Image:
    """The crop turned, and enlarged so far that no corner is empty."""
    angle = np.radians(abs(degrees))
    side = TEACHER_PX / (np.cos(angle) + np.sin(angle))
    near = (TEACHER_PX - side) / 2
    turned = crop.rotate(degrees, Image.Resampling.BILINEAR)
    box = (near, near, near + side, near + side)
    return turned.resize(crop.size, Image.Resampling.BILINEAR, box=box)


def shake_colours(crop: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The crop with other brightness, contrast and saturation; one in twenty is grey."""
    for change, low in ((ImageEnhance.Brightness, 0.6), (ImageEnhance.Contrast, 0.6)):
        crop = change(crop).enhance(rng.uniform(low, 2.0 - low))
    crop = ImageEnhance.Color(crop).enhance(rng.uniform(0.4, 1.6) if rng.random() < 0.95 else 0.0)
    if rng.random() < 0.3:  # another light: one gain a channel
        gains = rng.uniform(0.75, 1.25, 3)
        bands = (
            band.point(lambda level, gain=gain: min(255, int(level * gain)))
            for band, gain in zip(crop.split(), gains, strict=True)
        )
        crop = Image.merge("RGB", tuple(bands))
    return crop


def labelled_training_parts(data: Path) -> dict[str, list[tuple[Image.Image, int]]]:
    """The allowed pictures of the two labelled sets with their class, for probes on the way."""
    parts: dict[str, list[tuple[Image.Image, int]]] = {"cats_dogs": [], "clothing_small": []}
    for path in allowed_pictures(data):
        for name, found in parts.items():
            if name in path.parts:
                classes = sorted(folder.name for folder in path.parent.parent.iterdir())
                found.append((decode(path), classes.index(path.parent.name)))
    return parts
