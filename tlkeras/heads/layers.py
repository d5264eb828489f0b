"""Heads made of the user's own Keras layers.

They train on embeddings in memory with Adam, stop early on the validation rows, and are then
trained again on both sets for as many epochs as did best. A pass over the rows is one graph.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tlkeras.errors import TrainingError
from tlkeras.heads.head import HeadTraining, Labelled, cross_entropy, share_right
from tlkeras.heads.table import Standardised, Table
from tlkeras.heads.temperature import tempered
from tlkeras.progress import Progress, silent

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class LayersHead:
    """A trained head of built Keras layers, from embeddings (n, d) to probabilities.

    Attributes:
        layers: applied one after the other; trained on training and validation rows.
        validation: (m, classes) float32, what the head answered for the validation rows
            before it had seen them.
        chosen: the settings that the validation rows decided, by name.
        first: the layers as they were trained on the training rows alone; empty when the head
            was not trained again.
        history: one row an epoch.
    """

    layers: tuple["keras.Layer", ...]
    validation: np.ndarray
    chosen: dict[str, float]
    first: tuple["keras.Layer", ...] = ()
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def before_refit(self) -> Self:
        """The head as it was when trained on the training rows alone."""
        return replace(self, layers=self.first or self.layers, first=())

    def probabilities(self, vectors: np.ndarray | Table) -> np.ndarray:
        """Probabilities (n, classes) float32 for vectors (n, d) float32; block by block."""
        table = vectors if isinstance(vectors, Table) else Table(np.asarray(vectors, "float32"))
        answers = []
        for _, rows in table.blocks():
            out = rows
            for layer in self.layers:
                out = layer(out, training=False) if layer._call_has_training_arg else layer(out)
            answers.append(np.asarray(out, "float32"))
        return np.concatenate(answers)

    def tempered(self, temperature: float) -> Self | None:
        """The head with its last Dense layer's weights divided; None where it ends in no softmax.

        The layers before it are the same ones, the divided layer is a copy.
        """
        place = logits_layer(self.layers)
        if place is None:
            return None
        layers, first = list(self.layers), list(self.first)
        for some in (layers, first):
            if some:
                some[place] = _copy(some[place])
                divide_logits(some[place], temperature)
        validation = tempered(self.validation, temperature)
        return replace(self, layers=tuple(layers), first=tuple(first), validation=validation)

    def weights(self) -> list[np.ndarray]:
        """The layers' weights now, in one list."""
        return [value for layer in self.layers for value in layer.get_weights()]

    def to_layers(self) -> tuple["keras.Layer", ...]:
        """The layers themselves; training them on changes this head."""
        return self.layers


def complete(
    layers: Sequence["keras.Layer"], train: Labelled, classes: int, seed: int
) -> "keras.Model":
    """A model from embeddings (n, d) to probabilities (n, classes) out of fresh copies.

    Embeddings are standardised first, by the training rows. A last layer with `classes` linear
    outputs gets a softmax; with any other width it gets a Dense softmax after it. The user's
    layers are copied, so that one list serves many fits; what draws without a seed gets one.
    """
    import keras

    rows = Standardised(train.vectors, np.ones(len(train)))
    vectors = keras.Input((train.vectors.shape[1],), name="embedding_in")
    out = keras.layers.Normalization(
        mean=rows.mean.tolist(),
        variance=(rows.factor.astype("float64") ** -2).tolist(),
        dtype="float32",
        name="standardise",
    )(vectors)
    draws = count(seed)
    copies = [type(layer).from_config(_seeded(layer.get_config(), draws)) for layer in layers]
    for copy in copies:
        out = copy(out)
    if not copies or out.shape[-1] != classes:
        start = keras.initializers.GlorotUniform(seed=seed)
        out = keras.layers.Dense(classes, kernel_initializer=start, dtype="float32", name="logits")(
            out
        )
    elif _ends_in_softmax(copies[-1]):
        return keras.Model(vectors, out)
    return keras.Model(vectors, keras.layers.Softmax(dtype="float32", name="probabilities")(out))


def fit_layers(
    layers: Sequence["keras.Layer"],
    train: Labelled,
    validation: Labelled,
    classes: int,
    how: HeadTraining,
    progress: Progress = silent,
) -> LayersHead:
    """The layers trained on embeddings, then retrained on both parts for the best epochs.

    Raises:
        TrainingError: the loss became NaN or infinite.
    """
    first = complete(layers, train, classes, how.seed)
    history = _train(first, train, validation, how, progress)
    best = int(np.argmin([row["val_loss"] for row in history]))
    answers = _answers(first, validation)
    second = complete(layers, train, classes, how.seed)
    _train(second, train.join(validation), None, replace(how, epochs=best + 1), progress)
    return LayersHead(
        layers=tuple(second.layers[1:]),
        validation=answers,
        chosen={"epochs": best + 1},
        first=tuple(first.layers[1:]),
        history=history,
    )


def _seeded(config: Any, draws: Iterator[int]) -> Any:
    """A layer's config in which every seed that was left open is the next of `draws`."""
    if isinstance(config, list | tuple):
        found = [_seeded(each, draws) for each in config]
        return tuple(found) if isinstance(config, tuple) else found
    if not isinstance(config, dict):
        return config
    return {
        name: next(draws) if name == "seed" and value is None else _seeded(value, draws)
        for name, value in config.items()
    }


def logits_layer(layers: Sequence["keras.Layer"]) -> int | None:
    """Where in a head the Dense layer is whose outputs go into the softmax and nowhere else.

    None where the head ends otherwise: a temperature then can't be folded into its weights.
    """
    place = len(layers) - 1
    if type(layers[place]).__name__ in ("Softmax", "Activation") and _ends_in_softmax(
        layers[place]
    ):
        place -= 1
        linear = place >= 0 and _activation(layers[place]) == "linear"
    else:
        linear = _ends_in_softmax(layers[place])
    return place if linear and type(layers[place]).__name__ == "Dense" else None


def divide_logits(layer: "keras.Layer", temperature: float) -> None:
    """Divides a Dense layer's kernel, and its bias if it has one."""
    layer.set_weights([value / np.float32(temperature) for value in layer.get_weights()])


def _train(
    model: "keras.Model",
    train: Labelled,
    validation: Labelled | None,
    how: HeadTraining,
    progress: Progress,
) -> list[dict[str, float]]:
    """Epoch rows; the model ends with the weights of its best validation epoch."""
    one_epoch = _compiled_epoch(model, train, how)
    rng = np.random.default_rng(how.seed)
    rows: list[dict[str, float]] = []
    best_epoch, best_weights = 0, model.get_weights()
    for epoch in range(1, how.epochs + 1):
        loss = float(one_epoch(rng.permutation(len(train)).astype("int32")))
        if not np.isfinite(loss):
            raise TrainingError(
                f"The head's loss must stay finite. Received: {loss} in epoch {epoch} "
                f"at learning rate {how.learning_rate}. Lower `head_learning_rate` in the recipe."
            )
        rows.append({"epoch": float(epoch), "loss": loss})
        progress("training the head", epoch, how.epochs, f"loss {loss:.3f}")
        if validation is None:
            continue
        answers = _answers(model, validation)
        rows[-1]["val_loss"] = cross_entropy(answers, validation.labels)
        rows[-1]["val_accuracy"] = share_right(answers, validation.labels)
        if not best_epoch or rows[-1]["val_loss"] < rows[best_epoch - 1]["val_loss"]:
            best_epoch, best_weights = epoch, model.get_weights()
        elif epoch - best_epoch >= how.patience:
            progress("training the head", how.epochs, how.epochs, "stopped early")
            break
    if validation is not None:
        model.set_weights(best_weights)
    return rows


def _compiled_epoch(
    model: "keras.Model", train: Labelled, how: HeadTraining
) -> Callable[[np.ndarray], "tf.Tensor"]:
    """A function from the order of the rows (n,) int32 to the mean loss of one pass.

    The whole pass is one graph: a `fit` call an epoch costs more than the arithmetic in it.
    """
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(how.learning_rate)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
    vectors = tf.constant(train.vectors.take(np.arange(len(train))))
    labels = tf.constant(train.labels)
    weights = tf.constant(train.weights, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((len(train),), tf.int32)])
    def epoch(order: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for start in tf.range(0, len(train), how.batch_size):
            rows = order[start : start + how.batch_size]
            share = tf.gather(weights, rows)
            with tf.GradientTape() as tape:
                answers = model(tf.gather(vectors, rows), training=True)
                loss = loss_of(tf.gather(labels, rows), answers, sample_weight=share)
                mean = loss / tf.reduce_sum(share)
            gradients = tape.gradient(mean, [v.value for v in model.trainable_variables])
            optimizer.apply(gradients, model.trainable_variables)
            total += loss
        return total / tf.reduce_sum(weights)

    return epoch


def _answers(model: "keras.Model", rows: Labelled) -> np.ndarray:
    """Probabilities (n, classes) float32 of a model for rows, block by block."""
    blocks = [model(block, training=False) for _, block in rows.vectors.blocks()]
    return np.concatenate([np.asarray(block, "float32") for block in blocks])


def _copy(layer: "keras.Layer") -> "keras.Layer":
    copy = type(layer).from_config(layer.get_config())
    copy.build(layer.input.shape)
    copy.set_weights(layer.get_weights())
    return copy


def _ends_in_softmax(layer: "keras.Layer") -> bool:
    return type(layer).__name__ == "Softmax" or _activation(layer) == "softmax"


def _activation(layer: "keras.Layer") -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))
