"""Files that training and predicting run on: a frozen backbone's, and one with a head on it.

keras.Model ─┬▶ backbone.onnx ─ + head, as two nodes a layer ─▶ model.onnx
             └▶ backbone.tflite

Beside its answers model.onnx gives the `embedding`, which costs nothing unless it is asked for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import ExportError
from tlkeras.export.named import EMBEDDING

if TYPE_CHECKING:
    import keras
    import onnx

    from tlkeras.heads.affine import Affine
    from tlkeras.heads.unknown import UnknownScore


def write_onnx(model: "keras.Model", size_px: int, path: Path) -> Path:
    """`path`, with an ONNX file: pixels (n, size_px, size_px, 3) float32 → what `model` gives.

    The batch is open, the size fixed; a resizing in front of the network falls away.
    The file's answers are not compared here; whoever uses it compares them on real pictures.

    Raises:
        ExportError: a layer that cannot be written, or a package is missing; no file is left.
    """
    import converters
    from tlkeras.features.engines.trunk import trunk

    try:
        return converters.keras_to_onnx(trunk(model, size_px), path, fallback=False, verify=False)
    except (converters.ConversionError, ValueError, TypeError, NotImplementedError) as error:
        raise ExportError(f"{model.name} can't be written as ONNX: {error}") from error


def write_litert(model: "keras.Model", size_px: int, path: Path) -> Path:
    """`path`, with a LiteRT file: pixels (n, size_px, size_px, 3) float32 → what `model` gives.

    Raises:
        ExportError: a layer that LiteRT has no operator for; no file is left.
    """
    import converters
    from tlkeras.features.engines.trunk import trunk

    try:
        return converters.keras_to_litert(trunk(model, size_px), path)
    except converters.ConversionError as error:
        raise ExportError(f"{model.name} can't be written for LiteRT: {error}") from error


def with_head(
    backbone: Path,
    head: Sequence["Affine"],
    target: Path,
    unknown: "UnknownScore | None" = None,
) -> Path:
    """`target`, with the backbone's ONNX file followed by the head: pixels → probabilities.

    The embedding stays an output, the last.

    Args:
        backbone: an ONNX file that `write_onnx` wrote, with one output (n, d).
        head: dense layers from the embedding to the probabilities.
        target: the file to write.
        unknown: adds the output `unknown_score` (n,).

    Raises:
        ExportError: the package onnx is missing.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ExportError(f"{target.name} needs the package onnx: {error}") from error
    proto = onnx.load(backbone)
    graph = proto.graph
    embedding = onnx.ValueInfoProto()
    embedding.CopyFrom(graph.output[0])
    last = embedding.name
    for affine in head:
        softmax = affine.activation == "softmax"
        name = "logits" if softmax else "hidden"
        names = [f"{name}/kernel", f"{name}/bias"]
        for weight, value in zip(names, (affine.kernel, affine.bias), strict=True):
            graph.initializer.append(numpy_helper.from_array(value, weight))
        graph.node.append(helper.make_node("Gemm", [last, *names], [name], name))
        last = "probabilities" if softmax else f"{name}/relu"
        graph.node.append(helper.make_node("Softmax" if softmax else "Relu", [name], [last], last))
    classes = int(head[-1].kernel.shape[1])
    kind = onnx.TensorProto.FLOAT
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(last, kind, [batch, classes]))
    if unknown is not None:
        _score(graph, embedding.name, unknown, batch)
    if embedding.name == EMBEDDING:
        graph.output.append(embedding)
    onnx.save_model(proto, target)
    return target


def _score(graph: "onnx.GraphProto", embedding: str, unknown: "UnknownScore", batch: str) -> None:
    """Adds the least of offset - direction · kernel, by operators that all opsets write alike."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    values = {
        "kernel": -unknown.kernel,
        "offset": np.array([unknown.offset], "float32"),
        "one": np.array([1], "int64"),
        "rows": np.array([-1], "int64"),
    }
    names = {name: f"unknown/{name}" for name in values}
    for name, value in values.items():
        graph.initializer.append(numpy_helper.from_array(value, names[name]))
    nodes = [
        helper.make_node("LpNormalization", [embedding], ["unknown/direction"], axis=-1, p=2),
        helper.make_node(
            "Gemm", ["unknown/direction", names["kernel"], names["offset"]], ["unknown/far"]
        ),
        helper.make_node(
            "TopK",
            ["unknown/far", names["one"]],
            ["unknown/least", "unknown/class"],
            axis=-1,
            largest=0,
        ),
        helper.make_node("Reshape", ["unknown/least", names["rows"]], ["unknown_score"]),
    ]
    for node in nodes:
        node.name = node.output[0]
    graph.node.extend(nodes)
    score = helper.make_tensor_value_info("unknown_score", onnx.TensorProto.FLOAT, [batch])
    graph.output.append(score)
