"""One ONNX operator as a file, imported, and compared with ONNX Runtime at two batch sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from converters.onnx_to_keras.convert import assemble

Shape = tuple[int | str, ...]  # "N" is the batch
BATCHES = (2, 3)


@dataclass(frozen=True)
class Imported:
    """The Keras model, and the largest difference from ONNX Runtime over its largest answer."""

    model: keras.Model
    difference: float

    def layers(self, kind: type[keras.Layer]) -> list[keras.Layer]:
        """The layers of one class."""
        return [layer for layer in self.model.layers if isinstance(layer, kind)]

    def custom(self) -> list[str]:
        """Layers and operations that are not Keras' own."""
        found = [*self.model.layers, *self.model.operations]
        return [type(o).__name__ for o in found if not type(o).__module__.startswith("keras.")]


def one_node(
    op: str,
    inputs: Sequence[Shape | str | None],
    weights: Mapping[str, np.ndarray] | None = None,
    outputs: int = 1,
    opset: int = 18,
    swap: bool = False,
    **attributes: object,
) -> onnx.ModelProto:
    """A model of one operator: shapes are its inputs, names are weights, None is omitted.

    With `swap` the inputs come with their first two axes exchanged, and are turned before it.
    """
    names, entries, turns = [], [], []
    for number, value in enumerate(inputs):
        if value is None or isinstance(value, str):
            names.append(value or "")
            continue
        name = f"x{number}"
        names.append(name)
        if swap:
            value = (value[1], value[0], *value[2:])
            perm = [1, 0, *range(2, len(value))]
            turns.append(helper.make_node("Transpose", [f"t{number}"], [name], perm=perm))
            name = f"t{number}"
        entries.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value))
    results = [f"y{n}" for n in range(outputs)]
    graph = helper.make_graph(
        [*turns, helper.make_node(op, names, results, **attributes)],
        "one",
        entries,
        [onnx.ValueInfoProto(name=name) for name in results],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def imported(
    proto: onnx.ModelProto,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    *,
    whole: bool = True,
    seed: int = 0,
    judge: Literal["runtime", "reference"] = "runtime",
) -> Imported:
    """The model, after it was compared, and if `whole` traced, saved, loaded, differentiated."""
    run = _judge(proto, judge)
    model, laid_out, _ = assemble(proto, {})
    rng, worst = np.random.default_rng(seed), 0.0
    for batch in BATCHES:
        feeds = _feeds(proto, batch, rng, ranges or {})
        expected = run(feeds)
        turned = [np.transpose(feeds[n], laid_out.input_orders[n]) for n in laid_out.graph.inputs]
        given = turned[0] if len(turned) == 1 else turned
        got = keras.tree.flatten(model(given, training=False))
        for info, mine, theirs in zip(proto.graph.output, got, expected, strict=True):
            order = laid_out.output_orders[info.name]
            mine = np.transpose(np.asarray(mine), np.argsort(order)) if order else np.asarray(mine)
            assert mine.shape == theirs.shape
            assert mine.dtype == theirs.dtype
            worst = max(worst, _difference(mine, theirs))
    if whole:
        _survives(model, given, got)
    result = Imported(model, worst)
    assert result.custom() == []
    return result


def _judge(
    proto: onnx.ModelProto, judge: str
) -> Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]:
    """Whose answers count: ONNX Runtime's, or the reference of ONNX itself."""
    if judge == "reference":
        evaluator = ReferenceEvaluator(proto)
        return lambda feeds: evaluator.run(None, dict(feeds))
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda feeds: session.run(None, dict(feeds))


def _feeds(
    proto: onnx.ModelProto,
    batch: int,
    rng: np.random.Generator,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, np.ndarray]:
    feeds = {}
    for info in proto.graph.input:
        shape = [d.dim_value or batch for d in info.type.tensor_type.shape.dim]
        kind = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        if info.name in ranges and kind.kind in "iu":
            feeds[info.name] = rng.integers(*map(int, ranges[info.name]), shape).astype(kind)
        elif info.name in ranges:
            feeds[info.name] = rng.uniform(*ranges[info.name], shape).astype(kind)
        else:
            feeds[info.name] = rng.normal(size=shape).astype(kind)
    return feeds


def _difference(mine: np.ndarray, theirs: np.ndarray) -> float:
    if not theirs.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
    apart[(mine == theirs) | (np.isnan(mine) & np.isnan(theirs))] = 0.0
    size = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
    return float(apart.max() / max(size, 1e-6))


def _survives(model: keras.Model, given: object, expected: Sequence[object]) -> None:
    """The same answers from a graph and from a file, and a gradient for every weight."""
    traced = keras.tree.flatten(tf.function(model)(given, training=False))
    for mine, theirs in zip(traced, expected, strict=True):
        assert _difference(np.asarray(mine), np.asarray(theirs)) < 1e-5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    again = keras.tree.flatten(loaded(given, training=False))
    for mine, theirs in zip(again, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    if not model.trainable_weights:
        return
    with tf.GradientTape() as tape:
        answers = keras.tree.flatten(model(given, training=False))
        loss = sum(tf.reduce_sum(tf.square(y)) for y in answers)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    assert all(g is not None for g in gradients)
