"""One gradient step of fine-tuning, and one pass without any, each compiled once."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tlkeras.training.layerwise import WarmCosine, depth_groups
from tlkeras.training.recipe import Recipe
from tlkeras.training.weights import class_weights


class TrainingStep:
    """Moves a model's trainable weights down the loss of one batch at a time.

    Args:
        model: its inputs → probabilities (n, classes); all of it or the part that trains.
        layers: those with trainable weights, the deepest first.
        recipe: the knobs.
        steps: how many steps the whole schedule has.
        labels: of the training part, for the weights of the classes.
    """

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[keras.Layer],
        recipe: Recipe,
        steps: int,
        labels: Sequence[int] | np.ndarray,
    ) -> None:
        rate = WarmCosine(recipe.learning_rate, steps, round(steps * recipe.warmup))
        self.groups = depth_groups(layers, rate, recipe.depth_decay, recipe.weight_decay)
        self.classes = int(model.output_shape[-1])
        self.weights = class_weights(labels, self.classes, recipe.class_weight)
        self._model = model
        self._loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
        self._graph: Callable[..., tf.Tensor] | None = None

    def __call__(self, inputs: Sequence[np.ndarray], labels: np.ndarray) -> float:
        """The loss of a batch: one array (n, …) for each input of the model, labels (n,) int."""
        tensors = _tensors(self._model, inputs)
        if self._graph is None:
            few = (
                tf.TensorSpec((None, self.classes), tf.float32),
                tf.TensorSpec((None,), tf.float32),
            )
            self._graph = tf.function(self._step, input_signature=[_signature(tensors), *few])
        targets = np.eye(self.classes, dtype="float32")[labels]
        weights = self.weights[labels].astype("float32")
        return float(self._graph(tensors, tf.constant(targets), tf.constant(weights)))

    @property
    def variables(self) -> list[keras.Variable]:
        """What the optimizers remember: step, mean and square of each gradient, group by group."""
        return [variable for group in self.groups for variable in group.optimizer.variables]

    def rate(self) -> float:
        """The top layer's learning rate now."""
        return float(self.groups[-1].optimizer.learning_rate)

    def _step(self, inputs: list[tf.Tensor], targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = self._loss(
                targets, self._model(_bare(inputs), training=True), sample_weight=weights
            )
        gradients = tape.gradient(value, [[v.value for v in g.variables] for g in self.groups])
        for group, own in zip(self.groups, gradients, strict=True):
            group.optimizer.apply(own, group.variables)
        return value


def inference(model: keras.Model) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """The model as a function of arrays (n, …), one an input → one an output; traced once.

    Frozen for good: layers run as they do in inference, whatever their flags.

    Example::

        probabilities = inference(model)([pixels])[0]
    """
    traced: list[Callable[..., list[tf.Tensor]]] = []

    def step(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return keras.tree.flatten(model(_bare(inputs), training=False))

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        tensors = _tensors(model, inputs)
        if not traced:
            traced.append(tf.function(step, input_signature=[_signature(tensors)]))
        return [each.numpy() for each in traced[0](tensors)]

    return run


def _tensors(model: keras.Model, arrays: Sequence[np.ndarray]) -> list[tf.Tensor]:
    # Half precision goes to TensorFlow as it is: it converts faster than NumPy does.
    pairs = zip(arrays, model.inputs, strict=True)
    return [tf.cast(tf.constant(array), like.dtype) for array, like in pairs]


def _signature(tensors: Sequence[tf.Tensor]) -> list[tf.TensorSpec]:
    # Known heights and widths: a Resizing to the size that pictures have then costs nothing.
    return [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]


def _bare(inputs: list[tf.Tensor]) -> tf.Tensor | list[tf.Tensor]:
    return inputs[0] if len(inputs) == 1 else inputs
