"""The network that engines are made of: a backbone for pictures of one size.

    image ─ resize ─ rescale ─ …      a backbone: any size
    pixels ────────── rescale ─ …     its trunk: (n, size, size, 3), resized by whoever reads them

Where the resizing stands in the graph it costs a copy of every picture even when there is nothing
to do, keeps the shapes open, and LiteRT has no operator for it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def trunk(model: "keras.Model", size_px: int) -> "keras.Model":
    """Model of the same layers and weights that takes pixels (n, size_px, size_px, 3) only.

    Its answers are the model's own on pictures of that size. A first layer that resizes to
    another size stays.

    Example::

        network = trunk(build(find("MobileNetV2")), 224)
        network.input_shape                                   # (None, 224, 224, 3)
    """
    import keras

    first = _only_reader(model) if hasattr(model, "operations") else None
    if isinstance(first, keras.layers.Resizing) and (first.height, first.width) == (size_px,) * 2:
        network = keras.Model(first.output, model.output, name=model.name)
        # Keras names a cut by a counter of the process; files made of it must not depend on that.
        network.inputs[0].name = network.layers[0].name = "pixels"
        return network
    if tuple(model.input_shape[1:3]) == (size_px, size_px):
        return model
    pixels = keras.Input((size_px, size_px, 3), dtype="float32", name="pixels")
    return keras.Model(pixels, model(pixels, training=False), name=model.name)


def _only_reader(model: "keras.Model") -> "keras.Operation | None":
    """The operation that the picture goes into, if it goes into one alone."""
    image = model.inputs[0]
    readers = {
        id(node.operation): node.operation
        for operation in model.operations
        for node in operation._inbound_nodes
        if any(tensor is image for tensor in node.input_tensors)
    }
    return next(iter(readers.values())) if len(readers) == 1 else None
