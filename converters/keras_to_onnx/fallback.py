"""The whole model through tf2onnx, for layers that have no writer here."""

from pathlib import Path
from typing import Any

from converters.errors import UnsupportedError
from converters.exported import input_names, output_names
from converters.nested import graph_of, packed

LAST_OPSET = 18  # of tf2onnx 1.17


def through_tf2onnx(
    model: Any, file: Path, *, opset: int, batch: int | None, unwritten: dict[str, list[str]]
) -> Path:
    """The file, written from a concrete function with the model's own names.

    tf2onnx works on a frozen graph: weights become constants, BatchNormalization is folded.
    """
    if opset > LAST_OPSET:
        raise UnsupportedError(
            f"Expected an opset of at most {LAST_OPSET} for what goes through tf2onnx, came "
            f"{opset}. Ask for a lower one, or replace the layers named in the log.",
            unwritten,
        )
    function = graph_of(model)
    if function is None:
        raise UnsupportedError(
            f"Expected a Functional or Sequential model for tf2onnx, came '{model.name}', whose "
            "layers are called from code. Replace the layers named in the log.",
            unwritten,
        )
    import tensorflow as tf
    import tf2onnx
    from onnx import save

    names = input_names(model)
    signature = [
        tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in zip(names, function.inputs, strict=True)
    ]

    @tf.function(input_signature=signature)
    def answers(*inputs: Any) -> list[Any]:
        import keras

        outputs = keras.tree.flatten(model(packed(model, inputs), training=False))
        return [tf.cast(o, tf.float32) if o.dtype.is_floating else o for o in outputs]

    proto, _ = tf2onnx.convert.from_function(answers, input_signature=signature, opset=opset)
    _rename(proto, output_names(model))
    save(proto, str(file))
    return file


def _rename(proto: Any, outputs: list[str]) -> None:
    """Outputs under Keras' names instead of Identity:0; an axis is called batch."""
    taken = {name for node in proto.graph.node for name in node.output}
    given: dict[str, str] = {}
    for entry, name in zip(proto.graph.output, outputs, strict=True):
        given[entry.name] = name if name not in taken | set(given.values()) else f"{name}_out"
        entry.name = given[entry.name]
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = given.get(name, name)
    for entry in [*proto.graph.input, *proto.graph.output]:
        sizes = entry.type.tensor_type.shape.dim
        if sizes and not sizes[0].dim_value:
            sizes[0].dim_param = "batch"
