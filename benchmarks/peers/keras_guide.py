"""The Keras guide "Transfer learning & fine-tuning", its frozen part, on a folder of pictures.

    python keras_guide.py DATA --weights FILE [--epochs 10] [--cache]

image_dataset_from_directory ─ MobileNetV2, frozen ─ pooling ─ Dropout ─ Dense ─ fit

DATA has class folders, of which a fifth validates; or train/, val/ and test/ above them. Prints
one JSON object: accuracies of the last epoch.
"""

import argparse
import json
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path)
parser.add_argument("--weights", type=Path, help="of MobileNetV2 with its classifier")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--cache", action="store_true", help="keep the decoded pictures in memory")


def main() -> None:
    options = parser.parse_args()
    import keras
    from tensorflow import data as tf_data

    keras.utils.set_random_seed(options.seed)
    train, validation, test = datasets(options)
    classes = len(train.class_names)
    if options.cache:
        train, validation = train.cache(), validation.cache()
    train, validation = (part.prefetch(tf_data.AUTOTUNE) for part in (train, validation))

    shape = (options.size, options.size, 3)
    weights = str(options.weights) if options.weights else None
    full = keras.applications.MobileNetV2(weights=weights, input_shape=shape)
    base = keras.Model(full.input, full.get_layer("out_relu").output)
    base.trainable = False

    inputs = keras.Input(shape=shape)
    x = keras.layers.Rescaling(scale=1 / 127.5, offset=-1)(inputs)
    x = base(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(inputs, keras.layers.Dense(classes)(x))
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    started = time.perf_counter()
    history = model.fit(train, epochs=options.epochs, validation_data=validation, verbose=0).history
    found = {
        "classes": classes,
        "fit_s": time.perf_counter() - started,
        "train_accuracy": history["accuracy"][-1],
        "validation_accuracy": history["val_accuracy"][-1],
    }
    if test is not None:
        found["test_accuracy"] = model.evaluate(test, verbose=0)[1]
    print(json.dumps(found))


def datasets(options: argparse.Namespace) -> tuple:
    """(train, validation, test); test is None where the folder has no parts."""
    import keras

    shared = {
        "image_size": (options.size, options.size),
        "batch_size": options.batch,
        "verbose": False,
    }
    make = keras.utils.image_dataset_from_directory
    if not (options.data / "train").is_dir():
        parts = make(options.data, validation_split=0.2, subset="both", seed=options.seed, **shared)
        return (*parts, None)
    train = make(options.data / "train", seed=options.seed, **shared)
    validation, test = (
        make(options.data / part, shuffle=False, **shared) for part in ("val", "test")
    )
    return train, validation, test


if __name__ == "__main__":
    main()
