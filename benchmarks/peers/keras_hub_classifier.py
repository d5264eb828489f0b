"""KerasHub's `ImageClassifier` on a frozen MobileNet, `fit` so many epochs.

    python keras_hub_classifier.py DATA [--epochs 10]

Its MobileNets cannot take the weights of Keras Applications and its own are a download, so it is
untrained here: its accuracy says nothing. The backbone has the blocks of MobileNetV2 1.0. Prints
one JSON object.
"""

import argparse
import json
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch", type=int, default=32)

# Inverted residual blocks of MobileNetV2 1.0 after the first: filters, how many, stride.
EXPANSION = 6
STAGES = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


def backbone(size: int) -> object:
    """KerasHub's MobileNet with the blocks of MobileNetV2 1.0."""
    import keras_hub

    expansions, before = [], 16
    for filters, repeats, _ in STAGES:
        expansions.append([EXPANSION * before, *[EXPANSION * filters] * (repeats - 1)])
        before = filters
    counts = [repeats for _, repeats, _ in STAGES]

    def each(value: object) -> list[list[object]]:
        return [[value] * count for count in counts]

    return keras_hub.models.MobileNetBackbone(
        stackwise_expansion=expansions,
        stackwise_num_blocks=counts,
        stackwise_num_filters=[[filters] * count for filters, count, _ in STAGES],
        stackwise_kernel_size=each(3),
        stackwise_num_strides=[[stride, *[1] * (count - 1)] for _, count, stride in STAGES],
        stackwise_se_ratio=each(None),
        stackwise_activation=each("relu6"),
        stackwise_padding=each(1),
        output_num_filters=1280,
        depthwise_filters=16,
        depthwise_stride=1,
        depthwise_residual=False,
        last_layer_filter=1280,
        input_num_filters=32,
        input_activation="relu6",
        output_activation="relu6",
        image_shape=(size, size, 3),
    )


def main() -> None:
    options = parser.parse_args()
    import keras
    import keras_hub
    from tensorflow import data as tf_data

    keras.utils.set_random_seed(options.seed)
    train, validation = keras.utils.image_dataset_from_directory(
        options.data,
        validation_split=0.2,
        subset="both",
        seed=options.seed,
        image_size=(options.size, options.size),
        batch_size=options.batch,
        verbose=False,
    )
    classes = len(train.class_names)

    def scaled(pixels: object, labels: object) -> tuple[object, object]:
        return pixels / 127.5 - 1, labels

    train, validation = (
        part.map(scaled, num_parallel_calls=tf_data.AUTOTUNE).prefetch(tf_data.AUTOTUNE)
        for part in (train, validation)
    )
    classifier = keras_hub.models.MobileNetImageClassifier(
        backbone=backbone(options.size), num_classes=classes
    )
    classifier.backbone.trainable = False
    classifier.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    started = time.perf_counter()
    history = classifier.fit(
        train, epochs=options.epochs, validation_data=validation, verbose=0
    ).history
    found = {
        "classes": classes,
        "fit_s": time.perf_counter() - started,
        "validation_accuracy": history["val_accuracy"][-1],
        "parameters": classifier.backbone.count_params(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
