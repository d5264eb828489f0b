"""Makes tlkeras/backbones/pretrained/tiny_resnet.weights.h5, on two CPU cores in about an hour.

    python scripts/train_tiny_resnet.py --data ../shared/data

A MobileNetV2 that knows ImageNet looks at many crops of 900 pictures; a small network with new
weights learns to see the same in them: its projected features follow the teacher's, and through
the teacher's own classifier so do its answers. Sources: Y. Asano and A. Saeed, "Extrapolating
from a Single Image to a Thousand Classes using Distillation", 2023; D. Chen et al., "Knowledge
Distillation with the Reused Teacher Classifier", 2022.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import distillation_crops
import h5py
import keras
import numpy as np
import tensorflow as tf

from tlkeras.backbones.tiny_resnet import SIZE_PX, WIDTH, TinyResNet
from tlkeras.heads.softmax_regression import SoftmaxRegression

ROOT = Path(__file__).resolve().parents[1]

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
parser.add_argument("--work", type=Path, default=ROOT / "build" / "tiny_resnet")
parser.add_argument("--out", type=Path, default=ROOT / "tlkeras/backbones/pretrained")
parser.add_argument("--crops", type=int, default=60_000)
parser.add_argument("--minutes", type=float, default=60)
parser.add_argument("--seed", type=int, default=0)

BATCH = 128
RATE = 2e-3
DECAY = 0.02
WARMUP = 0.02  # share of the time
TEMPERATURE = 3.0
AVERAGE_EVERY, AVERAGE_KEEP = 10, 0.98  # a moving average of the weights
MINUTES_BETWEEN_CHECKPOINTS = 10


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """The same layer through TensorFlow's fused kernel, which trains twice as fast on a CPU."""

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Normalised inputs (n, h, w, c), by the batch's statistics in training."""
        known = [] if training else [self.moving_mean, self.moving_variance]
        mean, variance = [tf.convert_to_tensor(v) for v in known] or [tf.zeros([0])] * 2
        out, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=bool(training),
        )
        if training:
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return out


def student(width: int) -> tuple[keras.Model, keras.Model]:
    """The network to ship, and the one that trains: the same, with a projection to `width`."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    plain = TinyResNet(
        input_tensor=keras.layers.Rescaling(1 / 127.5, -1.0)(keras.Input((SIZE_PX, SIZE_PX, 3)))
    )

    def fuse(layer: keras.Layer) -> keras.Layer:
        fused = isinstance(layer, keras.layers.BatchNormalization)
        kind = FusedBatchNormalization if fused else type(layer)
        return kind.from_config(layer.get_config())

    network = keras.models.clone_model(plain, clone_function=fuse)
    embedding = keras.layers.Activation("linear", dtype="float32")(network.output)
    projected = keras.layers.Dense(width, dtype="float32", name="projection")(embedding)
    return network, keras.Model(network.input, projected)


def training_step(trained: keras.Model, optimizer: keras.Optimizer, teacher: tuple) -> Callable:
    """One step: pixels uint8 (n, h, w, 3), the teacher's features (n, width) → loss."""
    kernel, bias, mean, spread = (tf.constant(value, tf.float32) for value in teacher)

    @tf.function(reduce_retracing=True)
    def step(pixels: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        wanted = tf.cast(features, tf.float32)
        answers = tf.nn.softmax((wanted @ kernel + bias) / TEMPERATURE)
        with tf.GradientTape() as tape:
            seen = trained(
                tf.image.random_flip_left_right(tf.cast(pixels, tf.float32)), training=True
            )
            near = tf.reduce_mean((seen - (wanted - mean) / spread) ** 2)
            logits = ((seen * spread + mean) @ kernel + bias) / TEMPERATURE
            same = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(answers, logits))
            loss = near + same
        weights = trained.trainable_variables
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return tf.stack([near, same])

    return step


def rate_at(share: float) -> float:
    """The learning rate when `share` of the time is over: warm-up, then a cosine to nothing."""
    return RATE * min(share / WARMUP, 0.5 * (1 + np.cos(np.pi * min(1.0, share))))


def probe(network: keras.Model, data: Path) -> dict[str, float]:
    """Accuracy of a linear probe on half of each set's TRAINING part, learnt on the other half."""
    found = {}
    for name, pictures in distillation_crops.labelled_training_parts(data).items():
        pixels = np.stack(
            [np.asarray(picture.resize((SIZE_PX, SIZE_PX))) for picture, _ in pictures]
        )
        labels = np.array([label for _, label in pictures])
        vectors = np.asarray(network.predict(pixels.astype("float32"), verbose=0), "float32")
        head = SoftmaxRegression(vectors[::2], labels[::2], labels.max() + 1).solve(0.03)
        right = head.probabilities(vectors[1::2]).argmax(axis=1) == labels[1::2]
        found[name] = float(right.mean())
    return found


def ship(weights: list[np.ndarray], out: Path) -> Path:
    """The weights as a Keras file with float16 inside, which Keras widens when it loads them."""
    keras.config.set_dtype_policy("float32")
    network = TinyResNet()
    network.set_weights(weights)
    out.mkdir(parents=True, exist_ok=True)
    full, half = out / "full.weights.h5", out / "half.tmp"
    network.save_weights(full)
    with h5py.File(full) as source, h5py.File(half, "w") as target:

        def narrow(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                new = target.create_dataset(name, data=item[()].astype("float16"))
            else:
                new = target.require_group(name)
            new.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(narrow)
    full.unlink()
    path = out / "tiny_resnet.weights.h5"
    os.replace(half, path)
    keras.config.set_dtype_policy("mixed_bfloat16")
    return path


def main() -> None:
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    if not (options.work / "crops.npy").exists():
        distillation_crops.make_crops(options.data, options.work, options.crops, options.seed)
    crops = np.load(options.work / "crops.npy", mmap_mode="r")
    features = np.load(options.work / "features.npy")
    kernel, bias = distillation_crops.teacher_top(options.data)
    sample = features[:5000].astype("float32")
    teacher = (kernel, bias, sample.mean(axis=0), sample.std(axis=0) + 0.05)

    network, trained = student(features.shape[1])
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, clipnorm=5.0)
    optimizer.build(trained.trainable_variables)
    step = training_step(trained, optimizer, teacher)
    average = network.get_weights()

    rng = np.random.default_rng(options.seed)
    started = checked = time.monotonic()
    seconds, steps, losses = options.minutes * 60, 0, np.zeros(2)
    while (share := (time.monotonic() - started) / seconds) < 1:
        rows = np.sort(rng.choice(len(crops), BATCH, replace=False))
        optimizer.learning_rate = rate_at(share)
        losses = 0.98 * losses + 0.02 * step(crops[rows], features[rows]).numpy()
        steps += 1
        if steps % AVERAGE_EVERY == 0:
            keep = min(AVERAGE_KEEP, steps / (steps + 20 * AVERAGE_EVERY))
            new = network.get_weights()
            average = [keep * a + (1 - keep) * b for a, b in zip(average, new, strict=True)]
        last = time.monotonic() - started >= seconds
        if last or time.monotonic() - checked > 60 * MINUTES_BETWEEN_CHECKPOINTS:
            checked = time.monotonic()
            own = network.get_weights()
            network.set_weights(average)
            path = ship(average, options.out)
            print(
                f"{(checked - started) / 60:.0f} min, {steps} steps, features {losses[0]:.3f}, "
                f"answers {losses[1]:.3f}, probe {probe(network, options.data)}, "
                f"{path.stat().st_size:,} bytes",
                flush=True,
            )
            network.set_weights(own)
    print(f"{path}: {network.count_params():,} parameters, embedding of {WIDTH}")


if __name__ == "__main__":
    main()
