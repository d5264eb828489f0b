"""One imported network against its ONNX file: what the row of the table says."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .networks import Network

BATCHES = (2, 3)
MOST_DIFFERENCE = 1e-5
LEAST_SPREAD = 0.01
# Of torch's numbers, those that may be in others: an LSTM's two biases are one in Keras, a gain is
# multiplied into its kernel, rows of a table that no position asks for are not there.
MERGED_MOST = 0.03
TRANSPOSES = ("Permute", "Transpose", "Swapaxes", "Moveaxis")
STATISTICS = ("moving_mean", "moving_variance")


@dataclass
class Row:
    """What was measured for one network and exporter; `error` when it ended in one."""

    name: str
    family: str
    exporter: str
    plain: bool
    error: str = ""
    difference: float = float("nan")  # largest absolute one by the largest absolute output
    spread: float = float("nan")  # how far outputs of two inputs are apart, of their range
    parameters: int = 0  # numbers that torch trains
    parameters_least: int = 0  # those that are left when BatchNorm is folded
    trainable: int = 0  # numbers that Keras trains
    weights: int = 0  # float weight tensors, statistics of BatchNorm apart
    weights_trainable: int = 0
    weights_with_gradient: int = 0
    same_after_reload: bool = False
    transposes: int = 0
    layers: int = 0
    custom: list[str] = field(default_factory=list)
    file_mb: float = 0.0
    import_s: float = float("nan")

    @property
    def shortfalls(self) -> list[str]:
        """What is not as it must be, in words; empty for a network that passed."""
        if self.error:
            return [self.error]
        checks = {
            f"inputs hardly matter ({self.spread:.1e})": self.spread > LEAST_SPREAD,
            f"difference {self.difference:.1e}": self.difference <= MOST_DIFFERENCE,
            f"{self.weights - self.weights_trainable} weights do not train": (
                self.weights == self.weights_trainable
            ),
            f"{self.parameters_least - self.trainable} numbers became constants": (
                self.trainable >= (1 - MERGED_MOST) * self.parameters_least
            ),
            f"{self.weights - self.weights_with_gradient} weights without gradient": (
                self.weights == self.weights_with_gradient
            ),
            "other answers after saving and loading": self.same_after_reload,
            f"{self.transposes} transposes in a plain CNN": not (self.plain and self.transposes),
        }
        return [what for what, good in checks.items() if not good]

    @property
    def merged(self) -> int:
        """How many of torch's numbers are in others of the Keras model."""
        return max(0, self.parameters_least - self.trainable)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers that are missing are None."""
        values = asdict(self) | {"shortfalls": self.shortfalls}
        return {key: None if value != value else value for key, value in values.items()}


def measured(network: Network, path: Path, row: Row) -> Row:
    """Fill `row` from the ONNX file at `path`; whatever fails is raised."""
    import keras

    import converters

    row.file_mb = round(path.stat().st_size / 1e6, 1)
    keras.backend.clear_session()
    started = time.perf_counter()
    model = converters.onnx_to_keras(path, verify=False)
    row.import_s = round(time.perf_counter() - started, 2)
    _describe(model, row)
    row.difference, row.spread = _compare(network, path, model)
    row.weights_with_gradient = _gradients(network, model)
    row.same_after_reload = _same_after_reload(network, model)
    return row


def _describe(model: Any, row: Row) -> None:
    """Counts of layers, transposes and weights."""
    row.layers = len(model.layers)
    row.custom = sorted(
        {type(layer).__name__ for layer in model.layers if not _is_built_in(type(layer))}
    )
    row.transposes = sum(type(part).__name__ in TRANSPOSES for part in model.operations)
    floats = _float_weights(model)
    row.weights = len(floats)
    row.weights_trainable = sum(weight.trainable for weight in floats)
    row.trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _is_built_in(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "keras"


def _float_weights(model: Any) -> list[Any]:
    """Weights of floating point without BatchNorm's statistics, which nothing trains."""
    return [
        weight
        for weight in model.weights
        if "float" in weight.dtype and weight.name not in STATISTICS
    ]


def _compare(network: Network, path: Path, model: Any) -> tuple[float, float]:
    """(difference, spread): the worst output at the worst batch size, the least spread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The file as it stands: ONNX Runtime 1.23 rewrites a Pad before an AveragePool wrongly, and
    # then differs from itself by 7e-4 on AlexNet's response normalisation (dynamo's export).
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    differences, spreads = [], []
    for batch in BATCHES:
        inputs = network.sample(batch)
        expected = session.run(None, dict(zip(names, inputs, strict=True)))
        got = _answers(model, inputs)
        if len(expected) != len(got):
            raise ValueError(f"{len(expected)} outputs in the file, {len(got)} in Keras")
        for theirs, ours in zip(expected, got, strict=True):
            ours = _in_order_of(theirs.shape, ours)
            differences.append(_relative(theirs, ours))
            spreads.append(_spread(theirs))
    return max(differences), min(spreads)


def _answers(model: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The model's outputs for inputs in ONNX order, always as a list."""
    fed = [
        _in_order_of((len(values), *tensor.shape[1:]), values)
        for tensor, values in zip(model.inputs, inputs, strict=True)
    ]
    outputs = model(fed if len(fed) > 1 else fed[0], training=False)
    return [np.asarray(y) for y in (outputs if isinstance(outputs, list | tuple) else [outputs])]


def _in_order_of(shape: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Values with the channel axis first or last, whichever has `shape`; sizes all differ."""
    orders = (values, np.moveaxis(values, 1, -1), np.moveaxis(values, -1, 1))
    for ordered in orders:
        if ordered.shape == tuple(shape):
            return ordered
    raise ValueError(f"the shape {tuple(shape)} was expected, {values.shape} came")


def _relative(theirs: np.ndarray, ours: np.ndarray) -> float:
    """Largest difference by the largest value; infinite where either is not finite."""
    if not (np.isfinite(theirs).all() and np.isfinite(ours).all()):
        return float("inf")
    return float(np.abs(theirs - ours).max() / np.abs(theirs).max())


def _spread(outputs: np.ndarray) -> float:
    """The least distance of two rows' outputs, of the range of all: shows that inputs matter."""
    pairs = [(a, b) for a in range(len(outputs)) for b in range(a)]
    return float(min(np.abs(outputs[a] - outputs[b]).max() for a, b in pairs) / np.ptp(outputs))


def _gradients(network: Network, model: Any) -> int:
    """Float weights that a loss reaches: all outputs, each number with a weight of its own."""
    import tensorflow as tf

    rng = np.random.default_rng(7)
    weights = _float_weights(model)
    inputs = [
        tf.constant(_in_order_of((len(values), *tensor.shape[1:]), values))
        for tensor, values in zip(model.inputs, network.sample(2, seed=3), strict=True)
    ]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([weight.value for weight in weights])
        outputs = tf.nest.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))
        losses = [tf.reduce_sum(y * rng.standard_normal(y.shape, np.float32)) for y in outputs]
        loss = tf.add_n(losses)
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    return sum(_reaches(gradient) for gradient in gradients)


def _reaches(gradient: Any) -> bool:
    import tensorflow as tf

    if gradient is None:
        return False
    values = tf.convert_to_tensor(gradient).numpy()
    return bool(np.isfinite(values).all() and np.any(values))


def _same_after_reload(network: Network, model: Any) -> bool:
    """Whether the `.keras` file gives the same answers, to the last bit, under safe mode."""
    import keras

    inputs = network.sample(BATCHES[0])
    before = _answers(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        after = _answers(keras.models.load_model(path), inputs)
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
