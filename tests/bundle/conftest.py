import numpy as np
import pytest

from tlkeras.bundle.bundle import Bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A bundle around a model whose answers depend on its input; non-ASCII names inside."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(9, 7, antialias=True, name="resize")(image)
    out = keras.layers.Conv2D(4, 3, name="conv")(out)
    out = keras.layers.GlobalAveragePooling2D(name="embedding")(out)
    out = keras.layers.Dense(3, activation="softmax", name="probabilities")(out)
    model = keras.Model(image, out)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.05, value.shape) for value in model.get_weights()])
    return Bundle(
        model=model,
        class_names=("Gänseblümchen", "iris", "rose, red"),
        backbone={
            "name": "Tiny",
            "in_catalogue": False,
            "weights": "the model's own",
            "size_px": 9,
            "width": 4,
            "preprocessing": "none",
            "licence": "",
            "embedding_layer": "embedding",
            "fine_tuned": False,
            "fingerprint": "00",
        },
        head={"kind": "linear", "layers": [], "chosen": {"strength": 0.1}},
        validation={"accuracy": 0.75, "loss": 0.5, "decisions": ["strength 0.1 did best"]},
        recipe={"seed": 3},
        metrics={"test": {"accuracy": 0.7, "interval": [0.6, 0.8], "n": 40}},
        history=[{"phase": "head", "val_loss": 0.5}, {"phase": "fine-tuning", "epoch": 1.0}],
        manifest=[
            {"path": "a,b/ö.jpg", "sha256": "aa", "label": "iris", "part": "train"},
            {"path": "caf\udce9.png", "sha256": "bb", "label": "rose, red", "part": "test"},
        ],
        versions={"python": "3.11.0"},
    )
