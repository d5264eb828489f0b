"""Small Keras networks, written to ONNX and compared with ONNX Runtime."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime

from converters.keras_to_onnx import keras_to_onnx

PICTURE = (7, 9, 4)
Given = tuple[Any, ...]


def network(inputs: Given | Sequence[Given], body: Callable[..., Any]) -> keras.Model:
    """A Functional model with random weights; an input is a shape, or one with a dtype behind."""
    shapes = inputs if isinstance(inputs, list) else [inputs]
    tensors = [
        keras.Input(s[:-1], dtype=s[-1]) if s and isinstance(s[-1], str) else keras.Input(s)
        for s in shapes
    ]
    model = keras.Model(tensors if len(tensors) > 1 else tensors[0], body(*tensors))
    return randomised(model)


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """The model with every weight drawn, variances above zero."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "variance" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "seed" not in variable.path:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


def written(model: keras.Model, path: Path, **options: Any) -> onnx.ModelProto:
    """The checked file of a model whose answers ONNX Runtime gives too, at two batch sizes."""
    keras_to_onnx(model, path, verify=False, fallback=False, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version == options.get("opset", 17)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (2, 3):
        fed = [_drawn(tensor, batch) for tensor in model.inputs]
        expected = keras.tree.flatten(model(fed if len(fed) > 1 else fed[0], training=False))
        if options.get("channels_first_input"):
            fed = [np.moveaxis(a, -1, 1) if a.ndim > 3 else a for a in fed]
        names = [entry.name for entry in session.get_inputs()]
        found = session.run(None, dict(zip(names, fed, strict=True)))
        for ours, theirs in zip(expected, found, strict=True):
            assert_alike(np.asarray(ours), theirs)
    return proto


def assert_alike(expected: np.ndarray, found: np.ndarray, tolerance: float = 2e-5) -> None:
    """The same shape, dtype and, within `tolerance` of the largest, values."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), finite)
    largest = np.abs(expected[finite]).max()
    np.testing.assert_allclose(found[finite], expected[finite], rtol=0, atol=tolerance * largest)


def nodes_of(proto: onnx.ModelProto) -> Counter[str]:
    """How often each operator is in the file."""
    return Counter(node.op_type for node in proto.graph.node)


def weights_of(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The constants of the file by name."""
    return {entry.name: onnx.numpy_helper.to_array(entry) for entry in proto.graph.initializer}


def _drawn(tensor: Any, batch: int) -> np.ndarray:
    rng = np.random.default_rng(batch)
    shape = [
        batch if size is None and axis == 0 else size or 5 + 8 * axis
        for axis, size in enumerate(tensor.shape)
    ]
    if "float" in tensor.dtype:
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, 2 if tensor.dtype == "bool" else 11, shape).astype(tensor.dtype)
