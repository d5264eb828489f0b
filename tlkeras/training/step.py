"""One gradient step of fine-tuning, compiled once."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tlkeras.training.freeze import leaf_layers
from tlkeras.training.layerwise import WarmCosine, depth_groups
from tlkeras.training.recipe import Recipe
from tlkeras.training.weights import class_weights


class TrainingStep:
    """Moves the model's trainable weights down the loss of one batch at a time.

    Args:
        model: pixels → probabilities, with `trainable` set on each layer as wanted.
        recipe: the knobs.
        steps: how many steps the whole schedule has.
        labels: of the training part, for the weights of the classes.
    """

    def __init__(
        self, model: keras.Model, recipe: Recipe, steps: int, labels: Sequence[int]
    ) -> None:
        layers = [layer for layer in leaf_layers(model) if layer.trainable_weights]
        rate = WarmCosine(recipe.learning_rate, steps, round(steps * recipe.warmup))
        self.groups = depth_groups(layers, rate, recipe.depth_decay, recipe.weight_decay)
        self.classes = int(model.output_shape[-1])
        self.weights = class_weights(labels, self.classes, recipe.class_weight)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)

        def step(pixels: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                value = loss(targets, model(pixels, training=True), sample_weight=weights)
            gradients = tape.gradient(value, [[v.value for v in g.variables] for g in self.groups])
            for group, own in zip(self.groups, gradients, strict=True):
                group.optimizer.apply(own, group.variables)
            return value

        size = model.input_shape[1:]
        self._step = tf.function(
            step,
            input_signature=[
                tf.TensorSpec((None, *size), tf.float32),
                tf.TensorSpec((None, self.classes), tf.float32),
                tf.TensorSpec((None,), tf.float32),
            ],
        )

    def __call__(self, pixels: np.ndarray, labels: np.ndarray) -> float:
        """The loss of a batch: pixels (n, h, w, 3) float32 in [0, 255], labels (n,) int."""
        targets = np.eye(self.classes, dtype="float32")[labels]
        weights = self.weights[labels].astype("float32")
        return float(self._step(tf.constant(pixels), tf.constant(targets), tf.constant(weights)))

    def rate(self) -> float:
        """The top layer's learning rate now."""
        return float(self.groups[-1].optimizer.learning_rate)
