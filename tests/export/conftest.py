"""Asymmetric pictures, and one tiny trained-looking model, exported once for the whole run."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

SIZE_PX = 48
NAMES = ("ant", "bee", "cicáda", "dragonfly")


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    """RGB, 67 wide and 41 high, different in every corner and every channel."""
    y, x = np.mgrid[0:41, 0:67]
    ramps = np.stack([x * 3.5, y * 6, (x * y) % 256], axis=-1)
    noise = np.random.default_rng(0).normal(0, 12, ramps.shape)
    return Image.fromarray(np.clip(ramps + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """A picture → its bytes in a format of Pillow's."""

    def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def in_graph() -> Callable[[bytes], np.ndarray]:
    """Encoded bytes → the pixels uint8 (h, w, 3) that the graph decodes them to."""
    import tensorflow as tf

    from tlkeras.export.graph.decode import decode

    traced = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    return lambda data: traced(tf.constant(data)).numpy()


@pytest.fixture(scope="session")
def pictures(flower_folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(flower_folder.glob("*/*"))]


@pytest.fixture(scope="session")
def make_bundle(pictures: list[bytes]) -> Callable[..., SimpleNamespace]:
    """A bundle whose small net has fixed weights, centred so that its answers vary."""
    import keras

    from tlkeras.data.pipeline import pixel_batches

    shown = np.concatenate([each.pixels for each in pixel_batches(pictures, (SIZE_PX, SIZE_PX))])

    def made(seed: int = 0, dtype: str = "float32") -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        image = keras.Input((None, None, 3), name="image")
        x = keras.layers.Resizing(SIZE_PX, SIZE_PX, antialias=True)(image)
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
        x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", dtype=dtype)(x)
        x = keras.layers.Conv2D(10, 3, strides=2, activation="relu", dtype=dtype)(x)
        x = keras.layers.GlobalAveragePooling2D(name="embedding", dtype=dtype)(x)
        x = keras.layers.Dropout(0.5, dtype=dtype)(x)
        x = keras.layers.Dense(len(NAMES), activation="softmax", dtype=dtype)(x)
        model = keras.Model(image, x)
        model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
        embedding = keras.Model(image, model.get_layer("embedding").output)(shown).numpy()
        mean, deviation = embedding.mean(axis=0), embedding.std(axis=0) + 1e-3
        kernel = rng.normal(0, 1, (10, len(NAMES))) / deviation[:, np.newaxis]
        model.layers[-1].set_weights([kernel, -mean @ kernel])
        backbone = {"name": "tiny", "size_px": SIZE_PX, "embedding_layer": "embedding"}
        backbone["licence"] = "MIT"
        network = SimpleNamespace(unknown=None, size_bytes=0)
        return SimpleNamespace(model=model, class_names=NAMES, backbone=backbone, network=network)

    return made


@pytest.fixture(scope="session")
def bundle(make_bundle: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_bundle()


@pytest.fixture(scope="session")
def answers(bundle: SimpleNamespace) -> Callable[[list[bytes]], np.ndarray]:
    """Encoded pictures → probabilities by the in-process model and the training's decoder."""
    from tlkeras.data.pipeline import pixel_batches

    def predict(pictures: list[bytes]) -> np.ndarray:
        batches = pixel_batches(pictures, (SIZE_PX, SIZE_PX))
        return np.concatenate([bundle.model.predict_on_batch(each.pixels) for each in batches])

    return predict


@pytest.fixture(scope="session")
def expected(answers: Callable[[list[bytes]], np.ndarray], pictures: list[bytes]) -> np.ndarray:
    probabilities = answers(pictures)
    assert len(set(probabilities.argmax(axis=1))) >= 3, "the labels must vary to prove anything"
    return probabilities


@pytest.fixture(scope="session")
def exported(bundle: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tlkeras.export.savedmodel import to_savedmodel

    return to_savedmodel(bundle, tmp_path_factory.mktemp("serve") / "tiny" / "1")
